"""What `otzyv calibrate` asks for, declared once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from scripts.command.options import Store

ReviewsFile = Annotated[
    Path | None, typer.Option(help="File with the gold reviews' texts. (default: reviews.csv beside gold)")
]


@dataclass(frozen=True)
class CalibrateOptions:
    """Which gold, what has to hold, and what becomes of it."""

    gold: Annotated[
        Path | None, typer.Option(help="Gold set, as for evaluate. (default: the gold in the database)")
    ] = None
    target_precision: Annotated[float, typer.Option(help="Share of kept labels that must be right.")] = 0.95
    certainty: Annotated[float, typer.Option(help="How sure to be of that.")] = 0.95
    per_category: Annotated[
        bool, typer.Option("--per-category", help="Certify categories with enough gold on their own.")
    ] = False
    allow_uncertified: Annotated[
        bool, typer.Option("--allow-uncertified", help="Leave stages that fail their present threshold.")
    ] = False
    plot: Annotated[Path | None, typer.Option(help="Draw precision against coverage: .html or .svg.")] = None
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Store nothing.")] = False
    reviews: ReviewsFile = None
    store: Store = None
