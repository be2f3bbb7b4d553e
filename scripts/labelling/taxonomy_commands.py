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
from scripts.language.language import counted, grouped, translated
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
        told = counted(
            "and {number} more warning; --all shows it",
            "and {number} more warnings; --all shows them",
            len(hidden),
        )
        err.print(told)
    if errors := sum(problem.severity == "error" for problem in problems):
        told = translated("{number} to mend before {file} can be used", number=grouped(errors), file=file)
        err.print(told, soft_wrap=True)
        raise typer.Exit(2)
    loaded = Taxonomy.load(file)
    words = sum(len(category.keywords) + len(category.phrases) for category in loaded.categories)
    told = translated(
        "{file} is fine: {name}, version {version}, {categories}, {words}",
        file=file,
        name=loaded.name,
        version=loaded.version,
        categories=counted("{number} category", "{number} categories", len(loaded.categories)),
        words=counted("{number} keyword or phrase", "{number} keywords and phrases", words),
    )
    out.print(told, soft_wrap=True)
