"""`otzyv taxonomy`: what its command is called and asks for. It waits for no database and no stage to load."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scripts.labelling.taxonomy import check

commands = typer.Typer()
taxonomy = typer.Typer(help="Taxonomy files.", no_args_is_help=True)
commands.add_typer(taxonomy, name="taxonomy")


@taxonomy.command("check")
def taxonomy_check(
    file: Annotated[Path, typer.Argument(help="Taxonomy file in YAML.")],
    show_all: Annotated[bool, typer.Option("--all", help="Show every warning.")] = False,
) -> None:
    """Say what is wrong with a taxonomy: where, why, and what to write instead."""
    if not check(file, show_all=show_all):
        raise typer.Exit(2)
