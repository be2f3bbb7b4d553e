"""Benchmarks of the whole system as tables and JSON: what was measured in each turn, medians, and ratios per turn."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from rich.table import Table

from scripts.bench import store
from scripts.bench.report import RUNS, rates, texts_of
from scripts.bench.system import arrival, latency, pipeline, scale
from scripts.bench.system.scratch import own_database, scratch
from scripts.command.console import err, out
from scripts.files.input_file import InputFile
from shared.settings import Settings

PIPELINE = {
    "otzyv": "Otzyv: keywords and labels, all guarantees",
    "naive": "one Celery task and one INSERT a review, late acknowledgement",
    "loop": "the keyword stage in a bare loop and COPY, one process",
    "loops": "the same, a process a core: the ceiling",
}
ARRIVAL = {
    "otzyv": "otzyv ingest, 250 reviews a message",
    "naive": "one review a message, one INSERT and one acknowledgement each",
}
STORE = {
    "ours": "Otzyv: names looked up, then COPY",
    "values": "execute_values for reviews, and for their places in line",
    "batch": "execute_batch",
    "rows": "a statement a row",
    "copy": "COPY into a table without an index: the ceiling",
}
PARTS = {
    "producer": "producer",
    "broker": "RabbitMQ",
    "ingest": "ingest",
    "stage": "worker",
    "store": "PostgreSQL",
}

Measurement = dict[str, Any]


def run_pipeline(
    settings: Settings,
    file: InputFile,
    column: str,
    sizes: tuple[int, int],
    turns: int,
    json_path: Path | None,
) -> None:
    """`otzyv bench pipeline`; `sizes` are the reviews of a turn for Otzyv and for the naive way."""
    runs = _measured(
        settings,
        file,
        column,
        turns,
        lambda own, texts, folder: pipeline.run(own, texts, folder, *sizes, turns),
    )
    out.print(rates(PIPELINE, runs, "otzyv"))
    table = Table("CPU time of a review", "microseconds, median", box=None)
    table.columns[1].justify = "right"
    costs = {part: median(run["cpu_us"][part] for run in runs) for part in PARTS}
    for part, name in PARTS.items():
        table.add_row(name, f"{costs[part]:.1f}")
    table.add_row("all", f"{sum(costs.values()):.1f}")
    out.print(table)
    _tell_machine()
    _write(json_path, {"runs": runs})


def run_latency(
    settings: Settings,
    file: InputFile,
    column: str,
    seconds: float,
    rate: float,
    backlog: int,
    turns: int,
    json_path: Path | None,
) -> None:
    """`otzyv bench latency`."""

    def way(own: Settings, texts: list[str], folder: Path) -> Iterable[Measurement]:
        return latency.run(own, texts, folder, seconds, rate, backlog, turns)

    runs = _measured(settings, file, column, turns, way)
    table = Table("from publish to label, milliseconds", "p50", "p95", "reviews", "p95 is", box=None)
    for column_ in table.columns[1:]:
        column_.justify = "right"
    for name, words in (("alone", "alone"), ("backlog", f"while a backlog of {backlog:,} waits")):
        p50, p95 = (median(run[name][which] for run in runs) for which in ("p50", "p95"))
        ratio = median(run[name]["p95"] / run["alone"]["p95"] for run in runs)
        count = sum(int(run[name]["reviews"]) for run in runs)
        told = "" if name == "alone" else f"{ratio:.2f} x as long"
        table.add_row(words, f"{p50:,.0f}", f"{p95:,.0f}", f"{count:,}", told)
    out.print(table)
    out.print(f"single-review messages, {rate:g} a second; medians of {turns} turns")
    _tell_machine()
    _write(json_path, {"runs": runs})


def run_ingest(
    settings: Settings,
    file: InputFile,
    column: str,
    sizes: tuple[int, int],
    turns: int,
    json_path: Path | None,
) -> None:
    """`otzyv bench ingest`; `sizes` are the reviews of a turn for Otzyv and for the naive way."""
    runs = _measured(
        settings,
        file,
        column,
        turns,
        lambda own, texts, folder: arrival.run(own, texts, folder, *sizes, turns),
    )
    out.print(rates(ARRIVAL, runs, "otzyv"))
    _tell_machine()
    _write(json_path, {"runs": runs})


def run_store(
    settings: Settings, file: InputFile, column: str, seconds: float, json_path: Path | None
) -> None:
    """`otzyv bench store`."""
    texts = texts_of(file, column)
    with own_database(settings) as own:
        runs = _told(store.run(own, texts, seconds / RUNS, RUNS), RUNS)
    out.print(rates(STORE, runs, "ours"))
    _tell_machine()
    _write(json_path, {"runs": runs})


def run_scale(
    settings: Settings, file: InputFile, column: str, marks: Sequence[int], json_path: Path | None
) -> None:
    """`otzyv bench scale`."""
    runs = _measured(
        settings, file, column, len(marks), lambda own, texts, folder: scale.run(own, texts, folder, marks)
    )
    table = Table("stored before", *(f"{run['stored']:,}" for run in runs), box=None)
    for column_ in table.columns[1:]:
        column_.justify = "right"
    table.add_row("reviews/s", *(f"{run['reviews_per_second']:,.0f}" for run in runs))
    for part, words in PARTS.items():
        table.add_row(f"{words}, µs", *(f"{run['cpu_us'][part]:.1f}" for run in runs))
    _add_totals(table, "all, µs of CPU a review", [run["cpu_us"] for run in runs])
    _add_totals(table, "all since the measurement before", [run["cpu_us_since"] for run in runs])
    for process, words in (("ingest", "ingest, MiB"), ("worker", "a process of the worker, MiB")):
        table.add_row(words, *(f"{run['memory'][process] / 2**20:.0f}" for run in runs))
    out.print(table)
    _tell_machine()
    _write(json_path, {"runs": runs})


def _add_totals(table: Table, words: str, costs: Sequence[Mapping[str, float]]) -> None:
    """What a review cost in all at each mark, and how much that is of what it cost at the first."""
    totals = [sum(cost.values()) for cost in costs]
    table.add_row(words, *(f"{total:.1f}" for total in totals))
    table.add_row("  of the first", *(f"{total / totals[0]:.2f}" for total in totals))
    # What a worker does has nothing to do with what is stored: where it changes, the machine's speed did.
    by_worker = [total / cost["stage"] for total, cost in zip(totals, costs, strict=True)]
    table.add_row("  the same beside the worker's", *(f"{total / by_worker[0]:.2f}" for total in by_worker))


BenchRun = Callable[[Settings, list[str], Path], Iterable[Measurement]]


def _measured(
    settings: Settings, file: InputFile, column: str, turns: int, way: BenchRun
) -> list[Measurement]:
    """The turns of a benchmark on services of its own, with a folder for logs."""
    texts = texts_of(file, column)
    with scratch(settings) as own, tempfile.TemporaryDirectory() as folder:
        return _told(way(own, texts, Path(folder)), turns)


def _told(turns: Iterable[Measurement], count: int) -> list[Measurement]:
    """Every turn's figures, with a line on the terminal that says which turn it is."""
    found = []
    with err.status(f"measuring, turn 1 of {count}") as status:
        for run in turns:
            found.append(run)
            status.update(f"measuring, turn {min(len(found) + 1, count)} of {count}")
    return found


def _tell_machine() -> None:
    load = os.getloadavg()[0]
    out.print(
        f"{len(os.sched_getaffinity(0))} cores for all, servers on this machine included; load average now {load:.1f}"
    )


def _write(path: Path | None, figures: Mapping[str, object]) -> None:
    if path is not None:
        path.write_text(json.dumps(figures, indent=2), encoding="utf-8")
