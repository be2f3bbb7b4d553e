"""The CPU time that a benchmark reads from the system."""

from __future__ import annotations

import os
import signal
import subprocess
import uuid
from pathlib import Path

from scripts.bench.system import processes
from tests.support.servers import wait_until

SCRIPT = """#!/bin/sh
if [ "$1" = parent ]; then "$0" child & fi
while true; do sleep 0.1; done
"""


def test_processes_of_a_name_are_counted_by_families_so_that_none_is_counted_twice(tmp_path: Path) -> None:
    name = f"otz-{uuid.uuid4().hex[:8]}"  # no other test's, and of no more letters than the system keeps
    script = tmp_path / name
    script.write_text(SCRIPT)
    script.chmod(0o755)
    with subprocess.Popen([script, "parent"], start_new_session=True) as parent:
        try:
            wait_until(lambda: len(named(name)) == 2, "the child")
            assert list(processes.cpu_seconds_named(name)) == [parent.pid]
        finally:
            os.killpg(parent.pid, signal.SIGKILL)


def named(name: str) -> list[str]:
    found = subprocess.run(["pgrep", "-x", name], capture_output=True, text=True)
    return found.stdout.split()
