"""The benchmarks of the whole system run at a small size, clean up after themselves, and keep away from others."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from kombu import Connection

from shared.settings import Settings
from shared.store import Database
from tests.support import ledger
from tests.support.processes import EXAMPLES, run, started
from tests.support.servers import PATIENCE_S, wait_until
from workers.rabbitmq import topology
from workers.rabbitmq.queue_states import counted, queue_states

SMALL = {
    "pipeline": ("--reviews", "1000", "--naive-reviews", "100", "--turns", "1"),
    "pipeline with a student": ("--reviews", "1000", "--naive-reviews", "100", "--turns", "1", "--student"),
    "pipeline with predictions": (
        *("--reviews", "1000", "--turns", "1", "--alone", "--predictions", "linear", "--stored-first"),
    ),
    "latency": ("--seconds", "2", "--backlog", "10000", "--turns", "1"),
    "ingest": ("--reviews", "5000", "--naive-reviews", "100", "--turns", "1"),
    "store": ("--seconds", "3"),
    "scale": ("--marks", "3000,53000"),
}


def scratch_databases(database: Database) -> list[tuple[str]]:
    return ledger.rows(database, "SELECT datname FROM pg_database WHERE datname LIKE 'otzyv_bench_%%'")


@pytest.mark.parametrize("name", SMALL)
def test_a_benchmark_tells_its_figures_and_leaves_nothing_behind(
    name: str, settings: Settings, database: Database, tmp_path: Path
) -> None:
    file = tmp_path / "figures.json"
    done = run("bench", name.partition(" ")[0], EXAMPLES, *SMALL[name], "--json", file, settings=settings)
    assert done.returncode == 0, done.stderr
    runs = json.loads(file.read_text())["runs"]
    assert len(runs) == {"store": 3, "scale": 2}.get(name, 1)
    assert all(figure > 0 for figure in numbers(runs)), runs
    assert scratch_databases(database) == []
    assert all(state.messages is None for state in queue_states(settings))
    assert ledger.count(database, "reviews") == 0


def numbers(figures: object) -> list[float]:
    """Every number in a JSON document, but CPU time that was too short to be counted."""
    if isinstance(figures, bool):
        return []
    if isinstance(figures, dict):
        return [
            one for name, value in figures.items() if not name.startswith("cpu_us") for one in numbers(value)
        ]
    if isinstance(figures, list):
        return [one for value in figures for one in numbers(value)]
    return [float(str(figures))]


def test_a_benchmark_keeps_away_from_an_otzyv_at_work(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    with started("ingest", settings=settings, log=tmp_path / "ingest.log"):
        wait_until(lambda: consumers(settings) == 1, "ingest")
        refused = run("bench", "pipeline", EXAMPLES, settings=settings)
        assert consumers(settings) == 1
    assert refused.returncode == 2
    assert "expected a virtual host without queues of Otzyv, found reviews.incoming" in refused.stderr
    assert scratch_databases(database) == []


def consumers(settings: Settings) -> int:
    with Connection(settings.amqp_url) as connection:
        return counted(connection, topology.queue(topology.INCOMING))[1]


def test_a_benchmark_that_is_told_to_end_cleans_up(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    log = tmp_path / "bench.log"
    with started("bench", "pipeline", str(EXAMPLES), settings=settings, log=log) as bench:
        wait_until(lambda: consumers(settings) == 1, "its ingest")
        bench.send_signal(signal.SIGTERM)
        assert bench.wait(PATIENCE_S) == 128 + signal.SIGTERM
    assert scratch_databases(database) == []
    assert all(state.messages is None for state in queue_states(settings))


@pytest.mark.parametrize("marks", ["1000", "3000,20000", "0,60000", "3000,x", "60000,3000", ""])
def test_marks_that_cannot_be_measured_are_refused(marks: str, settings: Settings) -> None:
    refused = run("bench", "scale", EXAMPLES, "--marks", marks, settings=settings)
    assert (refused.returncode, "--marks: expected whole numbers" in refused.stderr) == (2, True)


def test_a_place_that_cannot_be_written_to_is_refused_before_anything_is_measured(
    settings: Settings, tmp_path: Path
) -> None:
    for place in (tmp_path / "missing" / "figures.json", tmp_path):
        refused = run("bench", "store", EXAMPLES, "--json", place, settings=settings)
        assert refused.returncode == 2
        assert f"--json {place}: expected a file in a folder" in refused.stderr.replace("\n", "")
