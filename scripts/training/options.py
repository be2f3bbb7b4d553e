"""What `otzyv train` asks for, declared once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from scripts.command.options import Store
from scripts.files.options import TableOptions
from shared.catalogue import ARCHITECTURES
from shared.training.arguments import Arguments


def _told(argument: str) -> str | None:
    """What `--set help` says of an argument, for those that have an option of their own."""
    return Arguments.model_fields[argument].description


@dataclass(frozen=True)
class TrainOptions(TableOptions):
    """Which runs, and who does them."""

    architectures: Annotated[
        list[str] | None,
        typer.Argument(help=f"{', '.join(ARCHITECTURES)}, or all. With --here, none: what is queued."),
    ] = None
    seeds: Annotated[
        int, typer.Option(min=1, max=100, help="Runs of each architecture, with seeds from --seed.")
    ] = 1
    seed: Annotated[int, typer.Option(min=0, help="The first seed.")] = 0
    base: Annotated[str | None, typer.Option(help=_told("base"))] = None
    random_weights: Annotated[bool, typer.Option("--random-weights", help=_told("random_weights"))] = False
    clean_labels: Annotated[bool, typer.Option("--clean-labels", help=_told("clean_labels"))] = False
    given: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any other argument, as name=value; `--set help` lists them."),
    ] = None
    auto_promote: Annotated[
        bool,
        typer.Option("--auto-promote", help="Let a model serve that is better than the champion on gold."),
    ] = False
    time_limit: Annotated[
        int | None, typer.Option(min=1, max=2_592_000, help="Seconds a run may take. (default: a day)")
    ] = None
    follow: Annotated[bool, typer.Option("--follow", help="Watch until the runs have ended.")] = False
    here: Annotated[
        bool, typer.Option("--here", help="Train in this terminal, without broker or worker.")
    ] = False
    store: Store = None
    gold: Annotated[
        Path | None,
        typer.Option(help="Take this gold set in first: columns id (or source and id) and category."),
    ] = None
