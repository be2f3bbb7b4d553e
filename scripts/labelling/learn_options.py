"""What `otzyv taxonomy learn` asks for, declared once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from scripts.command.options import Store
from scripts.files.options import TableOptions


@dataclass(frozen=True)
class LearnOptions(TableOptions):
    """Which labels teach, what has to hold, and what becomes of it."""

    labels: Annotated[
        Path | None,
        typer.Option(help="File of labels: columns id or text, category. (default: labels in the database)"),
    ] = None
    reviews: Annotated[
        Path | None,
        typer.Option(help="File with the reviews' texts. (default: reviews.csv beside the labels)"),
    ] = None
    without: Annotated[
        Path | None, typer.Option(help="Gold set, columns id or text: its reviews teach nothing.")
    ] = None
    precision: Annotated[
        float, typer.Option(help="Share of a category's new labels that must be right on unseen reviews.")
    ] = 0.9
    floor: Annotated[
        float, typer.Option(help="Least lower bound of each proposal's own precision on unseen reviews.")
    ] = 0.05
    take: Annotated[
        str | None, typer.Option(help="Numbers of the proposals to take, such as 1,4-9. (default: all)")
    ] = None
    leave: Annotated[str | None, typer.Option(help="Numbers of the proposals to leave.")] = None
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the taxonomy with what is taken here.")
    ] = None
    diff: Annotated[Path | None, typer.Option(help="Write the difference here, as patch takes it.")] = None
    store: Store = None
