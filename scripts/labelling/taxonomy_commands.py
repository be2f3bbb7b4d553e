"""`otzyv taxonomy`: what its commands are called and ask for, and `check`: what is wrong with a file, and where.

It waits for no database and no stage to load: a sister that needs more is a row in `SISTERS`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from scripts.command.console import err, out, remark
from scripts.command.lazy import LazyCommand
from shared.taxonomy import Taxonomy, check

WARNINGS_SHOWN = 10
SISTERS = {
    "learn": (
        "learn_commands",
        "Propose words, phrases, exclusions and weights out of labels, and show what they would change.",
    ),
    "draft": (
        "drafting_commands",
        "Propose categories and their words from reviews that nobody has labelled, as a taxonomy to edit.",
    ),
}
"""Commands that take long to load: name, module of this room, and the line of help as it stands there too."""


class TaxonomyCommands(TyperGroup):
    """The commands of this module and their sisters."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, (module, line) in SISTERS.items():
            self.add_command(LazyCommand(name, f"scripts.labelling.{module}", line))


commands = typer.Typer()
taxonomy = typer.Typer(cls=TaxonomyCommands, help="Taxonomy files.", no_args_is_help=True)
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
