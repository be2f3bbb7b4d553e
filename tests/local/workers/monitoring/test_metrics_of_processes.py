"""Metrics that several processes count, some of them killed."""

from __future__ import annotations

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.support.processes import printed

COUNTING = """
import os, signal, sys
from pathlib import Path
from billiard import Process
from prometheus_client import generate_latest
from workers.monitoring import metrics

def child():
    metrics.TASK_SPLITS.add(queue="cpu.keywords")
    metrics.LABEL_LATENCY.observe([1.0, 700.0], stage="keywords", status="accepted")
    metrics.SERVED_MODEL.set(int(sys.argv[2]), taxonomy="shop")
    os.kill(os.getpid(), signal.SIGKILL)

registry = metrics.share(Path(sys.argv[1]))
metrics.begin([metrics.TASK_SPLITS, metrics.TASK_RETRIES], {"queue": ["cpu.keywords"]})
for place in (0, 1, 0, 1, 0):
    process = Process(target=child)
    process.index = place
    process.start()
    process.join()
print(generate_latest(registry).decode())
"""


def test_what_killed_children_have_counted_stays_and_takes_no_more_room_with_each(tmp_path: Path) -> None:
    shown = printed(COUNTING, tmp_path, "7")
    found = {
        (sample.name, sample.labels.get("le")): sample.value
        for family in text_string_to_metric_families(shown)
        for sample in family.samples
    }
    assert found["otzyv_task_splits_total", None] == 5
    assert found["otzyv_task_retries_total", None] == 0
    assert found["otzyv_label_latency_seconds_bucket", "1.0"] == 5
    assert found["otzyv_label_latency_seconds_count", None] == 10
    assert found["otzyv_served_model_id", None] == 7
    assert {path.stem.rsplit("_", 1)[-1] for path in tmp_path.iterdir()} == {"main", "0", "1"}
