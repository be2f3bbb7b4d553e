"""`otzyv taxonomy draft`: what this command asks for. It loads scikit-learn, which its sisters do without."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scripts.command.options import takes
from scripts.files.options import FileOptions
from scripts.labelling import drafting
from shared.taxonomy.drafting.proposal import LEAST_TEXTS, MOST_WANTED

commands = typer.Typer()


@commands.callback()
def group() -> None:
    """Keeps the command a part of a group, alone as it is."""


@commands.command()
@takes(FileOptions)
def draft(
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the taxonomy goes: a YAML file to edit.")],
    categories: Annotated[
        int | None,
        typer.Option(min=2, max=MOST_WANTED, help="How many categories. (default: as many as are unlike)"),
    ] = None,
    sample: Annotated[
        int, typer.Option(min=LEAST_TEXTS, max=100_000, help="Reviews that are read.")
    ] = 20_000,
    seed: Annotated[int, typer.Option(help="For the same sample again.")] = 0,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is there, whatever was edited.")
    ] = False,
    given: FileOptions,
) -> None:
    """Propose categories and their words from reviews that nobody has labelled, as a taxonomy to edit."""
    drafting.draft_file(given.rows(), out, categories, sample, seed, overwrite=overwrite)
