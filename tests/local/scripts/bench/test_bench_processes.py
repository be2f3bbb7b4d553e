"""The CPU time that a benchmark reads from the system."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from scripts.bench.system import processes
from tests.support.servers import wait_until

SCRIPT = """#!/bin/sh
if [ "$1" = parent ]; then "$0" child & fi
while true; do sleep 0.1; done
"""


def test_processes_of_a_name_are_counted_by_families_so_that_none_is_counted_twice(tmp_path: Path) -> None:
    script = tmp_path / "otzyv-family"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    with subprocess.Popen([script, "parent"], start_new_session=True) as parent:
        try:
            wait_until(lambda: len(named("otzyv-family")) == 2, 10, "the child")
            assert list(processes.cpu_seconds_named("otzyv-family")) == [parent.pid]
        finally:
            os.killpg(parent.pid, signal.SIGKILL)


def named(name: str) -> list[str]:
    found = subprocess.run(["pgrep", "-x", name], capture_output=True, text=True)
    return found.stdout.split()
