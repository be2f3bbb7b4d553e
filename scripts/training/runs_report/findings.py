"""What training runs come to on gold: one entry for each architecture, compared with the baseline. Pure.

Where runs and gold come from is the caller's; what is drawn of it is in `terminal` and `html`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import isfinite
from statistics import fmean, stdev

import msgspec
import numpy as np

from shared.quality.bootstrap import GoldAnswers, Interval, differences, intervals
from shared.quality.comparison import CERTAINTY, Word, shared_certainty, too_little, word
from shared.quality.confusion import Confusion, confusion
from shared.quality.evaluation import Score, score
from shared.taxonomy import Taxonomy

Curves = dict[str, list[tuple[float, float]]]
"""By name of the figure: (epoch, value), in the order of training."""


class RunResult(msgspec.Struct, frozen=True):
    """One run that succeeded, and what its model says about each gold review; None is no answer.

    `seconds` is how long it trained, `reviews_per_s` how fast the model is on a CPU, `bytes` how large. `curves` holds
    some of loss, held_out_loss, held_out_weighted_f1 and held_out_macro_f1.
    """

    run: int
    model: int | None
    architecture: str
    seed: int
    seconds: float
    reviews_per_s: float | None
    bytes: int | None
    answers: GoldAnswers
    curves: Curves = {}
    notes: tuple[str, ...] = ()
    train_rows: int = 0


class Gold(msgspec.Struct, frozen=True):
    """The gold reviews in the order of all answers: slugs, whether careful readers would differ, and who checked."""

    truth: tuple[str, ...]
    ambiguous: tuple[bool, ...]
    sources: tuple[str, ...]


class RunLine(msgspec.Struct, frozen=True):
    """One run in the list of all of them."""

    run: int
    model: int | None
    architecture: str
    seed: int
    weighted_f1: float
    macro_f1: float
    seconds: float
    train_rows: int


class Entry(msgspec.Struct, frozen=True):
    """One architecture over its seeds, or the champion, which has no cost here.

    `spread` and `macro_spread` are standard deviations over seeds (n - 1), None with one seed. `categories` are mean
    F1 by slug, of those in gold; `groups` mean weighted F1 of gold by source and of what is not ambiguous. `matrix`
    sums the seeds. `difference` is the paired difference of weighted F1 to the baseline, at a certainty that all such
    comparisons share; `word` what it says, `doubt` why nothing can be said. All three are None for the baseline.
    """

    name: str
    seeds: int
    champion: bool
    weighted: Interval
    spread: float | None
    macro: Interval
    macro_spread: float | None
    categories: dict[str, float]
    groups: dict[str, float]
    not_ambiguous: float | None
    matrix: Confusion
    seconds: float | None = None
    reviews_per_s: float | None = None
    megabytes: float | None = None
    difference: Interval | None = None
    word: Word | None = None
    doubt: str | None = None
    curves: dict[int, Curves] = {}
    notes: tuple[str, ...] = ()


class Leaderboard(msgspec.Struct, frozen=True):
    """The entries by weighted F1, the best first. `baseline` is None where it was not trained.

    `titles` names every category that occurs by slug, `counts` says how often it is in gold; both in the taxonomy's
    order. `comparisons` is by how many the risk of a wrong word is shared.
    """

    entries: tuple[Entry, ...]
    runs: tuple[RunLine, ...]
    gold: int
    baseline: str | None
    certainty: float
    comparisons: int
    titles: dict[str, str]
    counts: dict[str, int]

    @property
    def best(self) -> Entry:
        """The entry with the highest weighted F1."""
        return self.entries[0]

    @property
    def words(self) -> dict[str, list[str]]:
        """The names of the entries by what their comparison with the baseline says."""
        said = ("better", "worse", "unclear")
        return {word: [entry.name for entry in self.entries if entry.word == word] for word in said}


class _Lists(msgspec.Struct, frozen=True):
    """An entry before it is measured: its name, its runs, and a list of answers for each."""

    name: str
    runs: tuple[RunResult, ...]
    answers: tuple[GoldAnswers, ...]


def build(
    results: Sequence[RunResult],
    gold: Gold,
    taxonomy: Taxonomy,
    baseline: str = "linear",
    champion: tuple[int, Sequence[str | None]] | None = None,
    certainty: float = CERTAINTY,
) -> Leaderboard:
    """Measure every architecture on gold, and compare it with the baseline.

    `champion` is the number of the model that serves, and its answers. Every run of an architecture counts as a seed
    of its own. Raises ValueError without runs or gold, and for answers that are not one for each gold review.
    """
    _check(results, gold, champion)
    groups: dict[str, list[RunResult]] = {}
    for run in sorted(results, key=lambda run: (run.seed, run.run)):
        groups.setdefault(run.architecture, []).append(run)
    lists = [_Lists(name, tuple(runs), tuple(run.answers for run in runs)) for name, runs in groups.items()]
    if champion is not None:
        lists.append(_Lists(f"champion (model {champion[0]})", (), (tuple(champion[1]),)))
    base = next((one for one in lists if one.name == baseline and one.runs), None)
    comparisons = max(1, len(lists) - 1) if base else 1
    shared = shared_certainty(certainty, comparisons)
    titles, counts = _titles(gold.truth, lists, taxonomy), Counter(gold.truth)
    entries = [
        _compared(_entry(one, gold, list(titles), certainty), one, base, gold, shared) for one in lists
    ]
    return Leaderboard(
        entries=tuple(sorted(entries, key=lambda one: (-one.weighted.estimate, one.name))),
        runs=tuple(_line(run, gold) for run in sorted(results, key=lambda run: run.run)),
        gold=len(gold.truth),
        baseline=base.name if base else None,
        certainty=certainty,
        comparisons=comparisons,
        titles=titles,
        counts={name: counts[name] for name in titles},
    )


def _check(
    results: Sequence[RunResult], gold: Gold, champion: tuple[int, Sequence[str | None]] | None
) -> None:
    n = len(gold.truth)
    if not results or not n:
        raise ValueError(f"leaderboard: expected runs and gold reviews, found {len(results)} and {n}")
    lengths = {f"run {run.run}": len(run.answers) for run in results}
    lengths |= {"ambiguous": len(gold.ambiguous), "sources": len(gold.sources)}
    if champion is not None:
        lengths["champion"] = len(champion[1])
    wrong = [f"{name} has {length}" for name, length in lengths.items() if length != n]
    if wrong:
        raise ValueError(
            f"leaderboard: expected one entry for each of {n} gold reviews, found that {wrong[0]}"
        )


def _titles(truth: Iterable[str], lists: Iterable[_Lists], taxonomy: Taxonomy) -> dict[str, str]:
    """The categories of the taxonomy, then others that gold or answers still name."""
    found = {*truth, *(name for one in lists for answers in one.answers for name in answers if name)}
    titles = {category.slug: category.title for category in taxonomy.categories}
    return titles | {name: name for name in sorted(found - titles.keys())}


def _entry(one: _Lists, gold: Gold, names: Sequence[str], certainty: float) -> Entry:
    scores = [score(gold.truth, answers) for answers in one.answers]
    found = intervals(gold.truth, one.answers, certainty=certainty)
    clear = [at for at, ambiguous in enumerate(gold.ambiguous) if not ambiguous]
    matrices = [confusion(gold.truth, answers, names) for answers in one.answers]
    summed = np.sum([matrix.counts for matrix in matrices], axis=0)
    return Entry(
        name=one.name,
        seeds=len(one.answers),
        champion=not one.runs,
        weighted=found.weighted,
        spread=_spread([each.weighted_f1 for each in scores]),
        macro=found.macro,
        macro_spread=_spread([each.macro_f1 for each in scores]),
        categories=_categories(scores, names),
        groups={
            source: _mean_f1(one, gold, [at for at, name in enumerate(gold.sources) if name == source])
            for source in sorted(set(gold.sources))
        },
        not_ambiguous=_mean_f1(one, gold, clear) if clear else None,
        matrix=msgspec.structs.replace(matrices[0], counts=tuple(map(tuple, summed.tolist()))),
        seconds=_mean([run.seconds for run in one.runs]),
        reviews_per_s=_mean([run.reviews_per_s for run in one.runs]),
        megabytes=_mean([None if run.bytes is None else run.bytes / 1e6 for run in one.runs]),
        curves={run.run: _finite(run.curves) for run in one.runs},
        notes=tuple(dict.fromkeys(note for run in one.runs for note in run.notes)),
    )


def _compared(entry: Entry, one: _Lists, base: _Lists | None, gold: Gold, certainty: float) -> Entry:
    """The entry with what the paired bootstrap says of it and the baseline."""
    if base is None or one is base:
        return entry
    difference = differences(gold.truth, base.answers, one.answers, certainty=certainty).weighted
    doubt = too_little(gold.truth, base.answers, one.answers)
    found: Word = "unclear" if doubt else word(difference)
    return msgspec.structs.replace(entry, difference=difference, word=found, doubt=doubt)


def _mean_f1(one: _Lists, gold: Gold, rows: Sequence[int]) -> float:
    truth = [gold.truth[at] for at in rows]
    return fmean(score(truth, [answers[at] for at in rows]).weighted_f1 for answers in one.answers)


def _categories(scores: Sequence[Score], names: Sequence[str]) -> dict[str, float]:
    found = {
        name: [row.f1 for each in scores for row in each.categories if row.category == name and row.gold]
        for name in names
    }
    return {name: fmean(values) for name, values in found.items() if values}


def _finite(curves: Curves) -> Curves:
    """The curves without the points of a training that left the numbers."""
    kept = {name: [point for point in points if all(map(isfinite, point))] for name, points in curves.items()}
    return {name: points for name, points in kept.items() if points}


def _mean(values: Sequence[float | None]) -> float | None:
    """The mean of what was measured; None where nothing was."""
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _spread(values: Sequence[float]) -> float | None:
    return stdev(values) if len(values) > 1 else None


def _line(run: RunResult, gold: Gold) -> RunLine:
    f1 = score(gold.truth, run.answers)
    costs = (run.seconds, run.train_rows)
    return RunLine(run.run, run.model, run.architecture, run.seed, f1.weighted_f1, f1.macro_f1, *costs)
