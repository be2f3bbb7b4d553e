"""Metrics, health, log lines and the orderly end of every long-running process, as started by a user."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest

from shared.settings import Settings
from shared.store import Database
from tests.support import ledger
from tests.support.batches import brittle_worker, send
from tests.support.pages import figures, health
from tests.support.processes import EXAMPLES, module, run, running, started
from tests.support.row_files import read_rows
from tests.support.servers import PATIENCE_S, free_port, rabbit_node, wait_until
from workers.monitoring.metrics import METRICS


def stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0


def children(pid: int) -> list[int]:
    """The processes that a process has forked."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.everyday
@pytest.mark.parametrize("judge_first", ["true", "false"], ids=["judged first", "stored first"])
def test_every_review_is_counted_once_by_who_takes_it_in_and_by_each_stage_and_beat_sees_the_rest(
    settings: Settings, database: Database, tmp_path: Path, judge_first: str
) -> None:
    total = len(read_rows(EXAMPLES))
    worker, beat = free_port(), free_port()
    ports = {"worker cpu": worker, "beat": beat}
    if judge_first == "false":
        ports["ingest"] = free_port()
    taking = ports.get("ingest", worker)
    with ExitStack() as stack:
        for command, port in ports.items():
            more = {"OTZYV_METRICS_PORT": str(port), "OTZYV_JUDGE_FIRST": judge_first}
            stack.enter_context(running(settings, tmp_path, command, **more))
        for port in ports.values():
            wait_until(lambda port=port: health(port)[0] == 200, f"health of port {port}")
        assert health(worker)[1] == {"broker": "ok", "database": "ok", "worker": "ok"}
        assert run("enqueue", EXAMPLES, "--follow", settings=settings).returncode == 0

        # A batch is counted a moment after it is committed, its latency last.
        latencies = "otzyv_label_latency_seconds_count"
        wait_until(lambda: sum(figures(worker, latencies).values()) == total, "all to be counted")
        assert figures(taking, "otzyv_ingest_reviews_stored_total") == {("reviews.incoming",): total}
        labelled = dict(ledger.rows(database, "SELECT status, count(*) FROM labels GROUP BY status"))
        seen = figures(worker, "otzyv_stage_reviews_seen_total")
        kept = figures(worker, "otzyv_stage_reviews_kept_total")
        passed = figures(worker, "otzyv_stage_reviews_passed_on_total")
        assert seen["keywords",] == total
        assert seen["similarity",] == passed["keywords",] == total - kept["keywords",]
        assert sum(kept.values()) == labelled["accepted"]
        assert passed["similarity",] == labelled["needs_review"]
        assert figures(worker, latencies)["similarity", "needs_review"] == labelled["needs_review"]
        wait_until(lambda: figures(worker, "otzyv_predictions_parked_total") == {(): total}, "predictions")

        wait_until(lambda: figures(beat, "otzyv_reviews_parked") == {(): total}, "fresh figures of beat")
        assert figures(beat, "otzyv_service_up") == {("broker",): 1, ("database",): 1}
        assert figures(beat, "otzyv_queue_consumers")["cpu.keywords",] == 1
        assert figures(beat, "otzyv_reviews_waiting") == {
            (stage,): 0 for stage in ("keywords", "similarity", "student")
        }
        assert figures(beat, "otzyv_model_id") == {("champion", "marketplace"): 0}


def test_beat_tells_everything_that_the_table_of_metrics_says_it_does(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    port = free_port()
    with started("beat", settings=settings, log=tmp_path / "beat.log", OTZYV_METRICS_PORT=str(port)):
        wait_until(lambda: health(port)[0] == 200, "beat")
        for metric in METRICS:
            assert bool(figures(port, metric.series[0])) == (metric.place == "beat"), metric.name


def test_a_killed_child_takes_no_count_with_it_and_the_next_one_counts_on(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    port, temporary = free_port(), tmp_path / "temporary"
    temporary.mkdir()
    more = {"OTZYV_METRICS_PORT": str(port), "OTZYV_WORKER_PROCESSES": "1", "TMPDIR": str(temporary)}

    def seen() -> float:
        return figures(port, "otzyv_stage_reviews_seen_total")["keywords",]

    with started("worker", "cpu", settings=settings, log=tmp_path / "worker.log", **more) as worker:
        wait_until(lambda: health(port)[0] == 200, "the worker")
        for number in range(1, 4):
            send(settings, database, [f"Платье село отлично {number}"] * 10)
            wait_until(lambda number=number: ledger.count(database, "labels") == number * 10, "labels")
            wait_until(lambda number=number: seen() == number * 10, "the count")
            (child,) = children(worker.pid)
            os.kill(child, signal.SIGKILL)
            wait_until(lambda child=child: children(worker.pid) not in ([], [child]), "another child")
            assert seen() == number * 10
        (folder,) = temporary.glob("otzyv-metrics-*")
        assert {path.stem.rsplit("_", 1)[-1] for path in folder.iterdir()} == {"main", "0"}
        stop(worker)
    assert list(temporary.glob("otzyv-metrics-*")) == []


def test_a_worker_whose_breaker_is_open_says_so_and_counts_as_healthy(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    port = free_port()
    more = {"OTZYV_METRICS_PORT": str(port), "OTZYV_POISON_STREAK": "2"}
    with brittle_worker(settings, tmp_path, **more):
        wait_until(lambda: health(port)[0] == 200, "the worker")
        for number in range(3):
            send(settings, database, [f"яд {number}"])
        wait_until(lambda: figures(port, "otzyv_breaker_open")["cpu.keywords",] == 1, "the breaker")
        wait_until(lambda: figures(port, "otzyv_worker_consuming")["cpu.keywords",] == 0, "no consumer")
        assert figures(port, "otzyv_worker_consuming")["cpu.upkeep",] == 1
        assert health(port) == (200, {"broker": "ok", "database": "ok", "worker": "ok"})
        assert figures(port, "otzyv_task_failures_total")["cpu.keywords",] == 1
        assert figures(port, "otzyv_task_dead_letters_total")["cpu.keywords",] == 1


def test_a_worker_that_retries_and_splits_counts_that(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    port = free_port()
    with brittle_worker(settings, tmp_path, OTZYV_METRICS_PORT=str(port)):
        wait_until(lambda: health(port)[0] == 200, "the worker")
        send(settings, database, ["сеть"])
        send(settings, database, ["платье", "яд"])
        wait_until(lambda: ledger.count(database, "labels") == 2, "labels")
        wait_until(lambda: ledger.count(database, "failures") == 1, "the failure")
        assert figures(port, "otzyv_task_retries_total")["cpu.keywords",] == 2
        assert figures(port, "otzyv_task_splits_total")["cpu.keywords",] == 1
        assert figures(port, "otzyv_task_failures_total")["cpu.keywords",] == 1


def test_health_and_beat_tell_that_the_broker_is_away_and_back(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    worker, beat = free_port(), free_port()
    with rabbit_node() as node, node.virtual_host() as url:
        here = settings.model_copy(update={"amqp_url": url})
        with (
            started("worker", "cpu", settings=here, log=tmp_path / "w.log", OTZYV_METRICS_PORT=str(worker)),
            started("beat", settings=here, log=tmp_path / "b.log", OTZYV_METRICS_PORT=str(beat)),
        ):
            for port in (worker, beat):
                wait_until(lambda port=port: health(port)[0] == 200, f"health of port {port}")
            node.crash()
            wait_until(lambda: health(worker)[0] == 503, "the worker to tell")
            wait_until(lambda: "consumes nothing" in health(worker)[1].get("worker", ""), "no consumer")
            assert health(worker)[1]["database"] == "ok"
            wait_until(lambda: "RabbitMQ" in health(beat)[1].get("broker", ""), "beat to tell")
            up = {("broker",): 0, ("database",): 1}
            wait_until(lambda: figures(beat, "otzyv_service_up") == up, "beat to tell")
            assert figures(beat, "otzyv_queue_messages") == {}
            assert figures(beat, "otzyv_reviews_parked") == {(): 0}
            node.start()
            wait_until(lambda: health(worker)[0] == 200, "the worker to be well again")


def test_a_busy_worker_finishes_its_batch_when_it_is_stopped_and_its_pages_close(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    gate, port, log = tmp_path / "gate", free_port(), tmp_path / "worker.log"
    gate.touch()
    more = {"GATE": str(gate), "OTZYV_METRICS_PORT": str(port)}
    with module("tests.faults.gated_worker", settings, log, **more) as worker:
        wait_until(lambda: health(port)[0] == 200, "the worker")
        send(settings, database, [f"Платье {number}" for number in range(100)])
        wait_until(gate.with_suffix(".pid").exists, "a batch to be in the stage")
        worker.send_signal(signal.SIGTERM)
        wait_until(lambda: "Warm shutdown" in log.read_text(), "the worker to take notice")
        assert health(port)[0] in (200, 503), "its pages are there to the end"
        assert ledger.count(database, "labels") == 0
        gate.unlink()
        assert worker.wait(PATIENCE_S) == 0
    assert ledger.count(database, "labels") == 100
    assert ledger.astray(database) == []
    assert health(port) == (0, {})


@pytest.mark.parametrize(
    ("kind", "queues"), [("gpu", ["gpu.label", "gpu.label.bulk"]), ("train", ["gpu.train"])]
)
def test_workers_in_threads_have_the_same_pages_and_end_in_order(
    settings: Settings, database: Database, tmp_path: Path, kind: str, queues: list[str]
) -> None:
    if kind == "train":
        pytest.importorskip("torch")
        pytest.importorskip("imblearn")
    port = free_port()
    with started(
        "worker", kind, settings=settings, log=tmp_path / "worker.log", OTZYV_METRICS_PORT=str(port)
    ) as worker:
        wait_until(lambda: health(port)[0] == 200, "the worker")
        assert figures(port, "otzyv_worker_consuming") == {(queue,): 1 for queue in queues}
        assert figures(port, "otzyv_task_retries_total") == {(queue,): 0 for queue in queues}
        assert figures(port, "otzyv_predictions_total") == {}
        stop(worker)
    assert health(port) == (0, {})


def test_a_busy_beat_ends_in_order_and_what_it_sent_is_there(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    port = free_port()
    more = {"OTZYV_METRICS_PORT": str(port), "OTZYV_SWEEP_AFTER_S": "10"}
    with started("beat", settings=settings, log=tmp_path / "beat.log", **more) as beat:
        wait_until(lambda: health(port)[0] == 200, "beat")
        wait_until(lambda: figures(port, "otzyv_queue_messages").get(("cpu.upkeep",), 0) > 0, "a task")
        stop(beat)
    assert health(port) == (0, {})


def test_two_processes_on_one_port_end_with_a_sentence(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    port = str(free_port())
    with started("beat", settings=settings, log=tmp_path / "beat.log", OTZYV_METRICS_PORT=port):
        wait_until(lambda: health(int(port))[0] == 200, "beat")
        second = run("ingest", settings=settings, OTZYV_METRICS_PORT=port)
    assert second.returncode == 2
    assert f"metrics: expected to listen on 127.0.0.1:{port}, found: Address already in use" in second.stderr


def test_log_lines_of_celery_are_json_like_ours(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    logs, port = [tmp_path / "ingest.log", tmp_path / "worker.log", tmp_path / "beat.log"], free_port()
    json_lines = {"OTZYV_LOG_FORMAT": "json", "OTZYV_SWEEP_AFTER_S": "10"}
    with (
        started("ingest", settings=settings, log=logs[0], **json_lines),
        started("worker", "cpu", settings=settings, log=logs[1], **json_lines, OTZYV_METRICS_PORT=str(port)),
        started("beat", settings=settings, log=logs[2], **json_lines),
    ):
        wait_until(lambda: health(port)[0] == 200, "the worker")
        assert run("enqueue", EXAMPLES, "--follow", settings=settings).returncode == 0
        wait_until(lambda: "Sending due task" in logs[2].read_text(), "beat to send a task")
        wait_until(lambda: "succeeded in" in logs[1].read_text(), "the worker to tell of a task")
        # Whole lines only: they are written while they are read. Celery's last words are no lines of a log.
        whole = [log.read_text().rpartition("\n")[0].splitlines() for log in logs]
    found = [[json.loads(line) for line in lines] for lines in whole]
    for lines in found:
        assert all({"event", "level", "timestamp"} <= set(line) for line in lines)
    of_celery = [line for lines in found[1:] for line in lines if line.get("logger", "").startswith("celery")]
    assert [line for line in of_celery if "succeeded in" in line["event"]]
    assert [line for line in of_celery if "Sending due task" in line["event"]]
