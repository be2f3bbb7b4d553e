"""Whether a student learns more from answers asked for by worth than from as many at random, on recorded answers.

    python -m tests.benchmarks.asking_order ../shared/data [--seeds 5] [--plot asking.svg]

Two cases. *rest*: waiting are the reviews outside gold that keywords and similarity leave at their default thresholds,
and the student learns from the labels of these two as well. *all*: every review outside gold waits and the student
begins with nothing. Answers come by rounds, between which the student (`linear`) is trained anew, and are those of
`llm_labels.csv`. Measured on `gold.csv`, which it never learns from: weighted F1 of the student alone, and of the chain
with all of its answers kept; the share that is right of those that the stages before pass on; and how many labels of
the chain, the surest first, are right in 95 of 100 cases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import fmean, pstdev
from typing import Annotated, Final

import msgspec
import numpy as np
import typer
from rich.console import Console
from rich.progress import track

from scripts.files.gold_file import read_gold
from scripts.pages.tables import table
from shared.cascade.rule import StageRule
from shared.cascade.stage import Verdict, verdicts
from shared.classifiers.linear import LinearClassifier, encoder
from shared.compute.arrays import Int64s
from shared.encoders.encoder import Vectors
from shared.quality import asking, chains
from shared.quality.evaluation import score
from shared.reviews.labelled_text import Row
from shared.settings import load
from shared.taxonomy import Taxonomy, default_taxonomy
from shared.training.arguments import arguments
from shared.training.data import counts, prepared
from shared.training.linear import train_linear
from tests.benchmarks.asking_plot import drawn
from tests.support.row_files import read_rows
from tests.support.stage_contract import built

ROUND: Final = 250
STOPS: Final = (500, 1_000, 1_500, 2_000)
BEFORE: Final = ("keywords", "similarity")
PRECISION: Final = 0.95
FIGURES: Final = {
    "student": "student F1",
    "chain": "chain F1",
    "rest": "right on rest",
    "coverage": f"coverage at {PRECISION}",
}
ORDERS: Final = ("random", "worth")

Figures = dict[str, float]


class Given(msgspec.Struct, frozen=True):
    """Reviews with the category that is true for them, or recorded, and what the stages before the student say."""

    texts: list[str]
    categories: list[str]
    before: dict[str, list[Verdict | None]]


class Case(msgspec.Struct, frozen=True):
    """Who waits, with the recorded answers and word vectors, and the rows that are known from the beginning."""

    taxonomy: Taxonomy
    gold: Given
    rules: dict[str, StageRule]
    known: list[Row]
    waiting: list[Row]
    vectors: Vectors


def cases(folder: Path) -> dict[str, Case]:
    """Both cases, from the reference data."""
    taxonomy = default_taxonomy()
    stages = {name: built(name, taxonomy, load(), None, 0) for name in BEFORE}
    rules = {name: StageRule(stage.default_threshold) for name, stage in stages.items()}

    def given(texts: list[str], categories: list[str]) -> Given:
        return Given(texts, categories, {name: verdicts(stage, texts) for name, stage in stages.items()})

    rows = read_gold(folder / "gold.csv", None, taxonomy)
    gold = given([row.text for row in rows], [row.category for row in rows])
    hidden = {row.id for row in rows}
    texts = {row["id"]: row["text"] for row in read_rows(folder / "reviews.csv")}
    answers = [row for row in read_rows(folder / "llm_labels.csv") if row["id"] not in hidden]
    pool = given(
        [texts[row["id"]] for row in answers], [taxonomy.category(row["category"]).slug for row in answers]
    )
    recorded = [
        Row(*both, number) for number, both in enumerate(zip(pool.texts, pool.categories, strict=True), 1)
    ]
    kept = chains.run(BEFORE, pool.before, rules, pool.categories).kept
    labelled = [
        Row(row.text, label, row.review_id) for row, label in zip(recorded, kept, strict=True) if label
    ]
    rest = [row for row, label in zip(recorded, kept, strict=True) if not label]

    def case(known: list[Row], waiting: list[Row]) -> Case:
        vectors = encoder().embed([row.text for row in waiting], "query")
        return Case(taxonomy, gold, rules, known, waiting, vectors)

    return {"rest": case(labelled, rest), "all": case([], recorded)}


def student(case: Case, asked: Sequence[int]) -> LinearClassifier | None:
    """The student that has learnt what is known and what has been answered; None before there is anything."""
    rows = [case.waiting[at] for at in asked] + case.known
    if not rows:
        return None
    chosen = arguments(architecture="linear")
    return train_linear(chosen, prepared(rows, case.gold.texts, case.taxonomy, chosen))


def next_asked(
    case: Case, model: LinearClassifier | None, asked: Sequence[int], wanted: int, seed: int, by: str
) -> list[int]:
    """The next reviews that are asked about, as positions among those who waited in the beginning."""
    left: Int64s = np.setdiff1d(np.arange(len(case.waiting)), np.array(asked, np.int64))
    if by == "random":
        picked: list[int] = (
            np.random.default_rng(seed).choice(left, min(wanted, len(left)), replace=False).tolist()
        )
        return picked
    guesses: list[str | None] = [None] * len(left)
    sure = np.full(len(left), np.nan)
    if model is not None:
        shares = model.predict([case.waiting[at].text for at in left]).probabilities
        guesses = [model.labels[int(at)] for at in shares.argmax(axis=1)]
        sure = shares.max(axis=1).astype(np.float64)
    labels = dict.fromkeys(case.taxonomy.slugs, 0)
    labels |= counts([*case.known, *(case.waiting[at] for at in asked)])
    chosen = asking.choose(asking.Pool(guesses, sure, case.vectors[left]), wanted, labels, seed=seed)
    found: list[int] = left[chosen.order].tolist()
    return found


def measured(case: Case, model: LinearClassifier) -> Figures:
    """What a student is worth on gold, alone and behind the other stages, where every answer of it is kept."""
    gold = case.gold
    shares = model.predict(gold.texts).probabilities
    said = [Verdict(model.labels[int(row.argmax())], float(row.max())) for row in shares]
    chain = chains.run(
        (*BEFORE, "student"),
        {**gold.before, "student": said},
        {**case.rules, "student": StageRule(0.0)},
        gold.categories,
    )
    last = chain.stages[-1]
    sure = np.full(len(said), 2.0)  # what the stages before keep comes first
    sure[last.seen] = [said[at].confidence for at in last.seen]
    right = np.array([label == truth for label, truth in zip(chain.labels, gold.categories, strict=True)])
    order = np.argsort(-sure, kind="stable")
    precise = np.flatnonzero(np.cumsum(right[order]) >= PRECISION * np.arange(1, len(order) + 1))
    return {
        "student": score(gold.categories, [one.category for one in said]).weighted_f1,
        "chain": chain.final.weighted_f1,
        "rest": last.right / len(last.seen),
        "coverage": float(precise.max(initial=-1) + 1) / len(order),
    }


def asked_in_rounds(case: Case, by: str, seed: int, step: int) -> Iterator[tuple[int, Figures]]:
    """How many answers there are, and what the student is worth then, after each round."""
    asked: list[int] = []
    most = max(stop for stop in STOPS if stop <= len(case.waiting))
    model = student(case, asked)
    if model is not None:
        yield 0, measured(case, model)
    while len(asked) < most:
        wanted = min(step, most - len(asked))
        asked += next_asked(case, model, asked, wanted, 1_000 * seed + len(asked), by)
        model = student(case, asked)
        assert model is not None
        yield len(asked), measured(case, model)


Curve = dict[int, list[Figures]]
"""By how many answers: the figures of each seed."""


def curve(case: Case, by: str, seeds: int, step: int, tell: Callable[[str], object]) -> Curve:
    """All rounds with every seed."""
    found: Curve = {}
    for seed in range(seeds):
        for answers, figures in asked_in_rounds(case, by, seed, step):
            found.setdefault(answers, []).append(figures)
        tell(f"{by}, seed {seed}: student F1 {figures['student']:.4f} after {answers:,}")
    return found


def lines(found: dict[str, Curve]) -> Iterator[tuple[str, ...]]:
    """The table's rows: mean and standard deviation over the seeds, random beside worth."""
    for answers in (0, *STOPS):
        for by, one in found.items():
            if answers in one:
                seeds = {name: [each[name] for each in one[answers]] for name in FIGURES}
                told = (f"{fmean(values):.4f} ± {pstdev(values):.4f}" for values in seeds.values())
                yield f"{answers:,}", by, *told


def main(
    folder: Annotated[Path, typer.Argument(help="With gold.csv, reviews.csv and llm_labels.csv.")],
    seeds: int = 5,
    step: Annotated[int, typer.Option(help="Answers of a round.")] = ROUND,
    case: Annotated[str, typer.Option(help="rest, all, or both with a comma.")] = "rest,all",
    plot: Annotated[Path | None, typer.Option(help="An SVG file for the curves.")] = None,
) -> None:
    """Print a table for each case."""
    console, panels = Console(), {}
    made = cases(folder)
    for name in track(case.split(","), console=Console(stderr=True), description="cases"):
        one = made[name]
        found = {by: curve(one, by, seeds, step, Console(stderr=True).print) for by in ORDERS}
        title = f"{name}: {len(one.waiting):,} wait, {len(one.known):,} are known, {seeds} seeds, rounds of {step}"
        console.print(table(("answers", "order", *FIGURES.values()), lines(found), left=2, title=title))
        panels[title] = found
    if plot is not None:
        plot.write_text(drawn(panels, "student", FIGURES["student"]), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
