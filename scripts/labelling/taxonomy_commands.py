"""`otzyv taxonomy check`: what is wrong with a taxonomy file, where, and what to write instead.

It waits for no database and no stage to load.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scripts.command.console import err, out, remark
from shared.taxonomy import Taxonomy, check

WARNINGS_SHOWN = 10

commands = typer.Typer()
taxonomy = typer.Typer(help="Taxonomy files.", no_args_is_help=True)
commands.add_typer(taxonomy, name="taxonomy")


@taxonomy.command("check")
def taxonomy_check(
    file: Annotated[Path, typer.Argument(help="Taxonomy file in YAML.")],
    show_all: Annotated[bool, typer.Option("--all", help="Show every warning.")] = False,
) -> None:
    """Say what is wrong with a taxonomy: where, why, and what to write instead."""
    problems = check(file)
    warnings = [problem for problem in problems if problem.severity == "warning"]
    hidden = () if show_all else warnings[WARNINGS_SHOWN:]
    for problem in problems:
        if problem not in hidden:
            colour = "red" if problem.severity == "error" else "yellow"
            remark(problem.severity, f"{file}:{problem.line}:{problem.column}: {problem}", colour)
    if hidden:
        err.print(f"and {len(hidden)} more warnings; --all shows them")
    if errors := sum(problem.severity == "error" for problem in problems):
        err.print(f"{errors} to mend before {file} can be used")
        raise typer.Exit(2)
    loaded = Taxonomy.load(file)
    words = sum(len(category.keywords) + len(category.phrases) for category in loaded.categories)
    out.print(
        f"{file} is fine: {loaded.name}, version {loaded.version}, {len(loaded.categories)} categories, "
        f"{words} keywords and phrases",
        soft_wrap=True,
    )
