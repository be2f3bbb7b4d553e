"""This build beside that of another revision: each measured by its own benchmark, by turns, on the same servers."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import msgspec
from rich.table import Table

from scripts.bench.options import BenchOptions
from scripts.bench.system import pipeline, report
from scripts.bench.system.build_run import BuildRun, Noted, flat
from scripts.bench.system.builds import build_of, commit_of, this_build
from scripts.bench.system.scratch import scratch
from scripts.bench.system.sizes import BYTES, WHOLE_PAGES, checkpoint
from scripts.bench.turns import taken
from scripts.command.console import out
from scripts.command.ending import ended_by_signals
from scripts.pages.tables import table
from shared.errors import ConfigurationError
from shared.runtime import runtime
from shared.settings import Settings

RATES = ("otzyv", "reviews_per_second")
TIMES = {
    "alone.p50": "alone, p50",
    "alone.p95": "alone, p95",
    "backlog.p50": "while a backlog waits, p50",
    "backlog.p95": "while a backlog waits, p95",
}
MEMORY = {"memory.ingest": "ingest", "memory.worker": "a process of the worker"}
Flat = Mapping[str, float]
Form = Callable[[float], str]
"""How a figure is written."""


@dataclass(frozen=True)
class BenchPlan:
    """A benchmark, and the options of each of its turns: of all builds, and of those that know an option, one at most.

    `titles` are what the turns are told under, each in a table of its own; without any they are taken together.
    """

    command: str
    turns: Sequence[Mapping[str, object]]
    where_known: Sequence[Sequence[str]] = ()
    titles: Sequence[str] = ()


def pipelines(reviews: int, turns: int, work: pipeline.PipelineWork) -> BenchPlan:
    """`otzyv bench pipeline`: what cannot leave out the others gets few reviews for the slowest of them."""
    options: dict[str, object] = {"--reviews": reviews, "--turns": 1}
    if work.student:
        options["--student"] = True
    if work.predicted:
        options["--predictions"] = work.predicted
    if work.stored_first:
        options["--stored-first"] = True
    return BenchPlan("pipeline", [options] * turns, [("--alone",), ("--naive-reviews", "100")])


def latencies(seconds: float, rate: float, backlog: int, turns: int) -> BenchPlan:
    """`otzyv bench latency`."""
    options = {"--seconds": seconds, "--rate": rate, "--backlog": backlog, "--turns": 1}
    return BenchPlan("latency", [options] * turns)


def scales(marks: Sequence[int]) -> BenchPlan:
    """`otzyv bench scale`, each mark from an empty database, so that both builds come to it in the same minutes."""
    turns = [{"--marks": mark} for mark in marks]
    return BenchPlan("scale", turns, titles=[f"{mark:,} stored before" for mark in marks])


class AgainstTurn(msgspec.Struct, frozen=True):
    """What both builds noted, and for each figure that both have how large ours is beside theirs."""

    this: Noted
    that: Noted
    ratio: dict[str, float]

    @classmethod
    def of(cls, this: Noted, that: Noted) -> AgainstTurn:
        """What two turns come to. Raises ConfigurationError where they have nothing in common."""
        ours, theirs = flat(this), flat(that)
        ratio = {name: value / theirs[name] for name, value in ours.items() if theirs.get(name)}
        if not ratio:
            raise ConfigurationError(
                f"--against: expected figures that both builds have, found {', '.join(ours)} here and "
                f"{', '.join(theirs) or 'none'} there; name a later revision"
            )
        return cls(this, that, ratio)


class Ratio(msgspec.Struct, frozen=True):
    """The ratios of some turns."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, found: Sequence[float]) -> Ratio:
        """What those of the turns come to."""
        return cls(median(found), min(found), max(found))


def measure(given: BenchOptions, settings: Settings, revision: str, plan: BenchPlan) -> None:
    """Measure this build and that of a revision by turns, show what came out, and write it where that is asked for."""
    texts = given.texts()
    # What would refuse the first turn does so before anything is built.
    commit_of(revision)
    with ended_by_signals(), tempfile.TemporaryDirectory() as folder:
        with scratch(settings):
            pass
        that = build_of(revision)
        file = Path(folder) / "texts.jsonl"
        file.write_bytes(b"".join(msgspec.json.encode({"text": text}) + b"\n" for text in texts))
        builds = [BuildRun(build, plan.command, settings, Path(folder)) for build in (this_build(), that)]
        for one in builds:
            one.require(*plan.turns[0])
        runs = taken(_by_turns(builds, plan, file), len(plan.turns) * len(builds), "run")
    turns = [AgainstTurn.of(*pair) for pair in zip(runs[::2], runs[1::2], strict=True)]
    for title, some in zip(plan.titles, turns, strict=True) if plan.titles else (("", None),):
        out.print(compared(turns if some is None else [some], that.name, title))
    if any(run.get("pages_are_whole") for run in runs):
        out.print(WHOLE_PAGES)
    report.tell_machine()
    given.write(
        {
            "against": {"revision": revision, "commit": that.commit},
            "runs": msgspec.to_builtins(turns),
            "ratios": msgspec.to_builtins(ratios(turns)),
        }
    )


def _by_turns(builds: Sequence[BuildRun], plan: BenchPlan, texts: Path) -> Iterator[Noted]:
    """One run after the other, ours first, each on a server that has just written everything out."""
    for turn in plan.turns:
        # A flag is an option without a value.
        words = [str(word) for option in turn.items() for word in option if word is not True]
        for one in builds:
            with closing(runtime.open_database(one.settings, "otzyv bench")) as server:
                checkpoint(server)
            more = next((option for option in plan.where_known if option[0] in one.options), ())
            yield one.measured(str(texts), *words, *more)


def ratios(turns: Sequence[AgainstTurn]) -> dict[str, Ratio]:
    """Of each figure that both builds have in every turn."""
    names = [name for name in turns[0].ratio if all(name in turn.ratio for turn in turns)]
    return {name: Ratio.of([turn.ratio[name] for turn in turns]) for name in names}


def compared(turns: Sequence[AgainstTurn], that: str, title: str = "") -> Table:
    """Medians of both builds, and the ratios within the turns: a busy machine slows both sides of each."""
    ours, theirs = [flat(turn.this) for turn in turns], [flat(turn.that) for turn in turns]
    found = ratios(turns)
    heads = [title, "this build", that, "this / that", "lowest to highest"]
    rows = []
    for name, (words, form) in _told([*ours, *theirs]).items():
        ratio = found.get(name)
        told = (f"{ratio.median:.2f}", f"{ratio.lowest:.2f} to {ratio.highest:.2f}") if ratio else ("", "")
        rows.append([words, _middle(ours, name, form), _middle(theirs, name, form), *told])
    if len(turns) == 1:
        heads, rows = heads[:-1], [row[:-1] for row in rows]
    return table(heads, rows, pad_edge=True)


def _middle(found: Sequence[Flat], name: str, form: Form) -> str:
    """The median of a figure, or a dash where a build has none."""
    values = [one[name] for one in found if name in one]
    return form(median(values)) if values else "—"


def _told(found: Sequence[Flat]) -> dict[str, tuple[str, Form]]:
    """The figures that some turn has and that are told, with their words and how they are written."""
    names = {name: None for one in found for name in one}
    parts = {name.removeprefix("cpu_us."): None for name in names if name.startswith("cpu_us.")}
    # A part that only the other build has stands between those of this one and their sum.
    parts = {part: None for part in (*pipeline.PARTS, *sorted(parts, key="all".__eq__)) if part in parts}
    costs = {f"cpu_us.{part}": pipeline.PARTS.get(part, part) for part in parts}
    words: dict[str, tuple[str, Form]] = dict.fromkeys(RATES, ("reviews/s", "{:,.0f}".format))
    words |= {name: (f"{told}, µs", "{:,.1f}".format) for name, told in costs.items()}
    words |= {"cpu_us_since.all": ("all since the first review, µs", "{:,.1f}".format)}
    words |= {f"bytes.{key}": (told, "{:,.0f}".format) for key, told in BYTES.items()}
    words |= {name: (f"{told}, ms", "{:,.0f}".format) for name, told in TIMES.items()}
    words |= {name: (f"{told}, MiB", _mib) for name, told in MEMORY.items()}
    return {name: told for name, told in words.items() if name in names}


def _mib(value: float) -> str:
    return f"{value / 2**20:,.0f}"
