"""Benchmarks of the whole system as tables and JSON: what was measured in each turn, medians, and ratios per turn."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec
from rich.console import RenderableType

from scripts.bench.options import BenchOptions
from scripts.bench.system.scratch import scratch
from scripts.bench.turns import TurnT, taken
from scripts.command.console import out
from shared.settings import Settings


def measure(
    given: BenchOptions,
    settings: Settings,
    run: Callable[[Settings, list[str], Path], Iterable[TurnT]],
    turns: int,
    shown: Callable[[list[TurnT]], Iterable[RenderableType]],
    services: Callable[[Settings], AbstractContextManager[Settings]] = scratch,
) -> None:
    """Take the turns with the texts of a file, show what came out, and write it where that is asked for.

    `run` gives the figures of one of `turns` after another, on `services` of its own and with a folder for logs;
    `shown` is what they come to.
    """
    texts = given.texts()
    with services(settings) as own, tempfile.TemporaryDirectory() as folder:
        found = taken(run(own, texts, Path(folder)), turns)
    for part in shown(found):
        out.print(part)
    tell_machine()
    given.write({"runs": msgspec.to_builtins(found)})


def tell_machine() -> None:
    """How much there was for all."""
    out.print(
        f"{len(os.sched_getaffinity(0))} cores for all, servers on this machine included; load average now "
        f"{os.getloadavg()[0]:.1f}"
    )
