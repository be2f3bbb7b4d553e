"""What `otzyv evaluate` and `otzyv calibrate` ask for, declared once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from scripts.command.options import Store
from scripts.files.options import TableOptions
from shared.errors import ConfigurationError

ReviewsFile = Annotated[
    Path | None, typer.Option(help="File with the gold reviews' texts. (default: reviews.csv beside gold)")
]


@dataclass(frozen=True)
class EvaluateOptions(TableOptions):
    """Which gold, what is judged against it, and where the findings go."""

    gold: Annotated[
        Path, typer.Option(help="Gold set: columns id or text, category, and optionally ambiguous.")
    ]
    stage: Annotated[str | None, typer.Option(help="Evaluate this stage alone.")] = None
    chain: Annotated[
        str | None, typer.Option(help="Stages in order. (default: those of OTZYV_CASCADE_STAGES)")
    ] = None
    labels: Annotated[
        Path | None, typer.Option(help="Score the labels in this file instead: columns id or text, category.")
    ] = None
    reviews: ReviewsFile = None
    report: Annotated[
        Path | None, typer.Option(help="Write an HTML page, or the confusion matrix alone as .svg.")
    ] = None
    curve: Annotated[
        Path | None,
        typer.Option(
            help="Draw, as .svg, what reaches the last stage against F1 on gold, by what the one before it keeps."
        ),
    ] = None
    calibrated: Annotated[
        bool, typer.Option("--calibrated", help="With the thresholds that `otzyv calibrate` has stored.")
    ] = False
    store: Store = None


@dataclass(frozen=True)
class CalibrateOptions(TableOptions):
    """Which gold, what has to hold, and what becomes of it."""

    gold: Annotated[
        Path | None, typer.Option(help="Gold set, as for evaluate. (default: the gold in the database)")
    ] = None
    target_precision: Annotated[float, typer.Option(help="Share of kept labels that must be right.")] = 0.95
    certainty: Annotated[float, typer.Option(help="How sure to be of that.")] = 0.95
    by: Annotated[
        Literal["chain", "stage"],
        typer.Option(help="Certify what all stages release together, or each stage by itself."),
    ] = "chain"
    category_floor: Annotated[
        float | None,
        typer.Option(help="Least precision of each category; 0 for none. With --by chain. (default: 0.8)"),
    ] = None
    stage_floor: Annotated[
        float | None,
        typer.Option(help="Least precision of each stage; 0 for none. With --by chain. (default: 0.8)"),
    ] = None
    per_category: Annotated[
        bool,
        typer.Option(
            "--per-category", help="With --by stage: certify categories with enough gold on their own."
        ),
    ] = False
    allow_uncertified: Annotated[
        bool,
        typer.Option(
            "--allow-uncertified", help="With --by stage: leave stages that fail their present threshold."
        ),
    ] = False
    plot: Annotated[Path | None, typer.Option(help="Draw precision against coverage: .html or .svg.")] = None
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Store nothing.")] = False
    reviews: ReviewsFile = None
    store: Store = None

    def check(self) -> None:
        """Raises ConfigurationError for values out of range, and for options that do not go together."""
        for option, value in (("--target-precision", self.target_precision), ("--certainty", self.certainty)):
            if not 0 < value < 1:
                raise ConfigurationError(f"{option}: expected a number between 0 and 1, found {value:g}")
        floors = (("--category-floor", self.category_floor), ("--stage-floor", self.stage_floor))
        for option, floor in floors:
            if floor is not None and not 0 <= floor < 1:
                raise ConfigurationError(f"{option}: expected a number from 0 to below 1, found {floor:g}")
        of_stages = [("--per-category", self.per_category), ("--allow-uncertified", self.allow_uncertified)]
        of_chains = [(option, floor is not None) for option, floor in floors]
        other, wrong = ("stage", of_stages) if self.by == "chain" else ("chain", of_chains)
        for option, given in wrong:
            if given:
                raise ConfigurationError(
                    f"{option}: expected with --by {other}, found --by {self.by}; choose one"
                )
