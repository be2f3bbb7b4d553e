"""How a worker's process ends when Celery gives up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.servers import PATIENCE_S

ROOT = Path(__file__).resolve().parents[4]
SCRIPT = """
import sys
from celery import Celery, bootsteps
from scripts.service.processes import _run

class Step(bootsteps.StartStopStep):
    def start(self, consumer):
        {action}

app = Celery(broker="memory://")
app.steps["consumer"].add(Step)
_run(app, ["worker", "--pool=solo", "--without-gossip", "--without-mingle"])
"""


@pytest.mark.parametrize(
    ("action", "status"),
    [
        ("raise RuntimeError('beyond repair')", 1),
        ("from celery.worker import state; state.should_stop = 0", 0),
    ],
)
def test_a_worker_that_gave_up_does_not_end_with_success(action: str, status: int) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(action=action)],
        cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert ended.returncode == status, ended.stderr
