"""`otzyv bench --against` with a build that lies in the cache already: a revision of a few lines, measured by turns."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shared.settings import Settings
from shared.store import Database
from tests.services.scripts.bench.test_bench_commands import consumers, scratch_databases
from tests.support.processes import EXAMPLES, ROOT, run, started
from tests.support.servers import PATIENCE_S, wait_until
from workers.rabbitmq.queue_states import queue_states

BENCH = """
import json, sys
def main():
    if "--help" in sys.argv:
        print("--reviews --naive-reviews --turns --json")
        return
    assert "--naive-reviews" in sys.argv and len(open(sys.argv[3]).readlines()) > 300
    turn = {"otzyv": 10.0, "naive": 1.0, "bare": 20.0, "cpu_us": {"producer": 1.0, "old": 2.0}}
    open(sys.argv[-1], "w").write(json.dumps({"runs": [turn]}))
"""


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A user's cache with a build of HEAD, which is no such thing."""
    asked = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    head = subprocess.run(asked, capture_output=True, text=True, check=False)
    if head.returncode:
        pytest.skip("needs a git checkout")
    folder = tmp_path / "cache" / "otzyv" / "builds" / head.stdout.strip()
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / "scripts").mkdir()
    (folder / "scripts" / "cli.py").write_text(BENCH)
    python = folder / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return tmp_path / "cache"


def test_two_builds_are_measured_by_turns(
    settings: Settings, database: Database, tmp_path: Path, cache: Path
) -> None:
    file = tmp_path / "figures.json"
    done = run(
        "bench", "pipeline", EXAMPLES, "--against", "HEAD", "--reviews", "1000", "--turns", "2", "--json", file,
        settings=settings, XDG_CACHE_HOME=str(cache),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(file.read_text())
    assert found["against"]["revision"] == "HEAD"
    assert all(turn["this"]["otzyv"] > 0 and "naive" not in turn["this"] for turn in found["runs"])
    assert [turn["that"]["otzyv"] for turn in found["runs"]] == [10.0, 10.0]
    assert found["ratios"]["otzyv"]["lowest"] == min(turn["this"]["otzyv"] / 10 for turn in found["runs"])
    assert "WAL of a review, bytes" in done.stdout
    assert scratch_databases(database) == []
    assert all(state.messages is None for state in queue_states(settings))


def test_a_build_that_is_measured_cleans_up_when_the_command_is_told_to_end(
    settings: Settings, database: Database, tmp_path: Path, cache: Path
) -> None:
    words = ("bench", "pipeline", str(EXAMPLES), "--against", "HEAD")
    with started(*words, settings=settings, log=tmp_path / "log", XDG_CACHE_HOME=str(cache)) as bench:
        wait_until(lambda: consumers(settings) > 0, "the build's processes")
        bench.send_signal(signal.SIGTERM)
        assert bench.wait(PATIENCE_S) == 128 + signal.SIGTERM
    assert scratch_databases(database) == []
    assert all(state.messages is None for state in queue_states(settings))


def test_a_revision_that_is_none_is_refused(settings: Settings) -> None:
    refused = run("bench", "scale", EXAMPLES, "--against", "v-none", settings=settings)
    assert refused.returncode == 2
    assert "--against v-none: expected a revision of" in refused.stderr
