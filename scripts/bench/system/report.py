"""Benchmarks of the whole system as tables and JSON: what was measured in each turn, medians, and ratios per turn."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Generic

import msgspec
from rich.console import RenderableType

from scripts.bench import store
from scripts.bench.report import RUNS, texts_of
from scripts.bench.system import arrival, latency, pipeline, scale
from scripts.bench.system.scratch import own_database, scratch
from scripts.bench.turns import TurnT, taken
from scripts.command.console import out
from scripts.files.input_file import InputFile
from shared.settings import Settings


class Bench(msgspec.Struct, Generic[TurnT], frozen=True):
    """A benchmark as a value: `run` gives the figures of one of `turns` after another, `shown` is what they come to.

    It works on `services` of its own, with a folder for logs.
    """

    run: Callable[[Settings, list[str], Path], Iterable[TurnT]]
    turns: int
    shown: Callable[[list[TurnT]], Iterable[RenderableType]]
    services: Callable[[Settings], AbstractContextManager[Settings]] = scratch

    def measure(self, settings: Settings, file: InputFile, column: str, json_path: Path | None) -> None:
        """Take the turns with the texts of a file, show what came out, and write it where that is asked for."""
        texts = texts_of(file, column)
        with self.services(settings) as own, tempfile.TemporaryDirectory() as folder:
            turns = taken(self.run(own, texts, Path(folder)), self.turns)
        for part in self.shown(turns):
            out.print(part)
        out.print(
            f"{len(os.sched_getaffinity(0))} cores for all, servers on this machine included; load average now "
            f"{os.getloadavg()[0]:.1f}"
        )
        if json_path is not None:
            figures = {"runs": msgspec.to_builtins(turns)}
            json_path.write_text(json.dumps(figures, indent=2), encoding="utf-8")


def of_pipeline(sizes: tuple[int, int], turns: int) -> Bench[pipeline.PipelineTurn]:
    """`otzyv bench pipeline`; `sizes` are the reviews of a turn for Otzyv and for the naive way."""
    return Bench(partial(pipeline.run, sizes=sizes, turns=turns), turns, pipeline.shown)


def of_latency(seconds: float, rate: float, backlog: int, turns: int) -> Bench[latency.LatencyTurn]:
    """`otzyv bench latency`."""
    run = partial(latency.run, seconds=seconds, rate=rate, backlog=backlog, turns=turns)
    return Bench(run, turns, partial(latency.shown, rate=rate, backlog=backlog))


def of_ingest(sizes: tuple[int, int], turns: int) -> Bench[arrival.ArrivalTurn]:
    """`otzyv bench ingest`; `sizes` are the reviews of a turn for Otzyv and for the naive way."""
    return Bench(partial(arrival.run, sizes=sizes, turns=turns), turns, arrival.shown)


def of_store(seconds: float) -> Bench[dict[str, float]]:
    """`otzyv bench store`, for so long in all."""
    run = partial(store.run, seconds=seconds / RUNS, turns=RUNS)
    return Bench(run, RUNS, store.shown, own_database)


def of_scale(marks: Sequence[int]) -> Bench[scale.ScaleTurn]:
    """`otzyv bench scale`, which measures at so many stored reviews."""
    return Bench(partial(scale.run, marks=marks), len(marks), scale.shown)
