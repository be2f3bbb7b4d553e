"""What becomes of the figures of two builds: those of any revision are read, and ratios are within the turns."""

from __future__ import annotations

import json

import pytest
from rich.console import Console

from scripts.bench.system.against import AgainstTurn, compared, latencies, pipelines, ratios, scales
from scripts.bench.system.build_run import flat, read
from scripts.bench.system.pipeline import PLAIN, PipelineWork
from shared.errors import ConfigurationError

OLD = {
    "otzyv": 1_000.0, "naive": 50.0, "bare": 4_000.0,
    "cpu_us": {"producer": 4.0, "ingest": 30.0, "stage": 40.0, "store": 50.0},
}  # fmt: skip
"""As `bench pipeline` wrote it before it could leave out others, and before WAL was measured."""
NEW = {
    "otzyv": 1_500.0, "cpu_us": {"producer": 4.0, "stage": 60.0, "store": 30.0}, "pages_are_whole": True,
    "bytes": {"wal": 1_100.0, "tables": 800.0},
}  # fmt: skip
"""As a build writes it whose worker does what ingest did."""


def text(*turns: AgainstTurn, title: str = "") -> str:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(compared(turns, "8c565cfb", title))
    return " ".join(capture.get().split())


def test_the_numbers_of_a_turn_are_found_by_their_paths_with_the_sum_of_cpu_time() -> None:
    assert flat(NEW) == {
        "otzyv": 1_500.0,
        "cpu_us.producer": 4.0, "cpu_us.stage": 60.0, "cpu_us.store": 30.0, "cpu_us.all": 94.0,
        "bytes.wal": 1_100.0, "bytes.tables": 800.0,
    }  # fmt: skip


def test_figures_that_only_one_build_has_are_told_without_a_ratio() -> None:
    turn = AgainstTurn.of(NEW, OLD)
    assert turn.ratio == {
        "otzyv": 1.5, "cpu_us.producer": 1.0, "cpu_us.stage": 1.5, "cpu_us.store": 0.6,
        "cpu_us.all": pytest.approx(94 / 124),
    }  # fmt: skip
    told = text(turn)
    assert told.startswith(
        "this build 8c565cfb this / that reviews/s 1,500 1,000 1.50 producer, µs 4.0 4.0 1.00"
    )
    assert "ingest, µs — 30.0" in told
    assert "PostgreSQL, µs 30.0 50.0 0.60" in told
    assert "all, µs 94.0 124.0 0.76 WAL of a review, bytes 1,100 —" in told
    assert "4,000" not in told


def test_the_ratio_is_the_median_of_the_ratios_within_the_turns() -> None:
    turns = [
        AgainstTurn.of({"otzyv": ours}, {"otzyv": theirs})
        for ours, theirs in ((100.0, 100.0), (60.0, 50.0), (10.0, 20.0))
    ]
    found = ratios(turns)["otzyv"]
    assert (found.median, found.lowest, found.highest) == (1.0, 0.5, 1.2)
    assert "reviews/s 60 50 1.00 0.50 to 1.20" in text(*turns)


def test_what_took_no_time_has_no_ratio() -> None:
    turn = AgainstTurn.of({"otzyv": 1.0, "cpu_us": {"store": 1.0}}, {"otzyv": 1.0, "cpu_us": {"store": 0.0}})
    assert set(turn.ratio) == {"otzyv"}


def test_two_builds_with_nothing_in_common_are_told() -> None:
    with pytest.raises(
        ConfigurationError, match="expected figures that both builds have, found otzyv here and naive"
    ):
        AgainstTurn.of({"otzyv": 1.0}, {"naive": 1.0})


def test_waiting_is_told_beside_that_of_the_other_build() -> None:
    turns = [
        {when: {"p50": p50, "p95": 2 * p50, "reviews": 9} for when in ("alone", "backlog")}
        for p50 in (10.0, 20.0)
    ]
    told = text(AgainstTurn.of(*turns))
    assert (
        "alone, p50, ms 10 20 0.50 alone, p95, ms 20 40 0.50 while a backlog waits, p50, ms 10 20 0.50"
        in told
    )


def test_the_cost_at_a_mark_is_told_under_the_mark() -> None:
    cost = {"producer": 1.0, "store": 2.0}
    noted = {
        "stored": 3_000, "reviews_per_second": 9.0, "cpu_us": cost, "cpu_us_since": cost, "memory": {"worker": 2**21}
    }  # fmt: skip
    told = text(AgainstTurn.of(noted, noted), title="3,000 stored before")
    assert told.startswith("3,000 stored before this build 8c565cfb this / that reviews/s 9 9 1.00")
    assert (
        "all, µs 3.0 3.0 1.00 all since the first review, µs 3.0 3.0 1.00 a process of the worker, MiB 2 2"
        in told
    )


@pytest.mark.parametrize(
    "document", [b"", b"[]", b"{}", b'{"runs": {}}', b'{"runs": []}', b'{"runs": [1]}', b'{"runs": [{}, {}]}']
)
def test_what_is_no_turn_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(document)


def test_the_one_turn_of_a_document_is_read() -> None:
    assert read(json.dumps({"runs": [OLD]}).encode()) == OLD


def test_each_turn_is_a_run_of_one_turn_and_each_mark_a_run_of_its_own() -> None:
    assert pipelines(5_000, 2, PLAIN).turns == [{"--reviews": 5_000, "--turns": 1}] * 2
    whole = PipelineWork(student=True, predicted="linear", stored_first=True)
    assert pipelines(5_000, 1, whole).turns[0] == {
        "--reviews": 5_000,
        "--turns": 1,
        "--student": True,
        "--predictions": "linear",
        "--stored-first": True,
    }
    assert latencies(2.0, 100.0, 10_000, 3).turns[2]["--turns"] == 1
    assert scales([3_000, 53_000]).turns == [{"--marks": 3_000}, {"--marks": 53_000}]
