"""What benchmarks of the whole system make of their turns."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from rich.console import Console, RenderableType

from scripts.bench.options import BenchOptions
from scripts.bench.system import latency, pipeline, scale
from scripts.bench.system.latency import Latency, LatencyTurn
from scripts.bench.system.pipeline import PARTS, PipelineTurn
from scripts.bench.system.report import measure
from scripts.bench.system.scale import ScaleTurn
from scripts.bench.system.sizes import ReviewBytes
from shared.settings import load

TURNS = [
    PipelineTurn(rate, dict.fromkeys(PARTS, cost), took, naive=100.0, loop=2_000.0, loops=4_000.0)
    for rate, cost, took in (
        (1_000.0, 10.0, ReviewBytes(1_100.0, 800.0)),
        (3_000.0, 20.0, ReviewBytes(1_200.0, 900.0)),
    )
]


def text(parts: Iterable[RenderableType]) -> str:
    console = Console(width=120)
    with console.capture() as capture:
        for part in parts:
            console.print(part)
    return " ".join(capture.get().split())


def test_ours_is_compared_with_each_way_in_the_same_turn() -> None:
    told = text(pipeline.shown(TURNS))
    assert "all guarantees 2,000 1,000 to 3,000 one Celery task" in told
    assert "100 100 to 100 20.00 x as fast" in told
    assert "PostgreSQL 15.0 all 75.0" in told
    assert "WAL of a review, bytes 1,150 tables and indexes of a review, bytes 850" in told
    assert "whole pages" not in told


def test_ours_alone_is_told_without_the_others_and_whole_pages_in_wal_are_told() -> None:
    turn = PipelineTurn(
        1_000.0, dict.fromkeys(PARTS, 10.0), ReviewBytes(1_100.0, 800.0), pages_are_whole=True
    )
    told = text(pipeline.shown([turn]))
    assert "one Celery task" not in told
    assert "WAL has whole pages in it: a checkpoint came meanwhile" in told


def test_waiting_behind_a_backlog_is_told_as_a_ratio() -> None:
    turn = LatencyTurn(Latency(10.0, 20.0, 500), Latency(15.0, 50.0, 400))
    told = text(latency.shown([turn], rate=100, backlog=10_000))
    assert "alone 10 20 500 while a backlog of 10,000 waits 15 50 400 2.50 x as long" in told


def test_costs_at_each_mark_are_told_beside_those_at_the_first() -> None:
    cost = dict.fromkeys(PARTS, 1.0)
    memory = {"ingest": 2**20, "worker": 2**21}
    told = text(
        scale.shown(
            [
                ScaleTurn(1_000, 10.0, cost, cost, memory),
                ScaleTurn(50_000, 5.0, cost | {"store": 2.0}, cost, memory),
            ]
        )
    )
    assert "stored before 1,000 50,000 reviews/s 10 5" in told
    assert (
        "all, µs of CPU a review 5.0 6.0 of the first 1.00 1.20 the same beside the worker's 1.00 1.20"
        in told
    )


def test_a_bench_gets_the_texts_of_a_file_and_its_turns_become_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, figures = tmp_path / "reviews.jsonl", tmp_path / "figures.json"
    file.write_text('{"text": "туфли"}\n{"text": "куртка"}\n', encoding="utf-8")
    given: list[list[str]] = []

    def run(_settings: object, texts: list[str], folder: Path) -> Iterator[PipelineTurn]:
        assert folder.is_dir()
        given.append(texts)
        yield from TURNS

    measure(BenchOptions(file, json=figures), load(), run, 2, pipeline.shown, nullcontext)
    assert given == [["туфли", "куртка"]]
    assert [turn["otzyv"] for turn in json.loads(figures.read_text())["runs"]] == [1_000.0, 3_000.0]
    assert "cores for all, servers on this machine included" in " ".join(capsys.readouterr().out.split())
