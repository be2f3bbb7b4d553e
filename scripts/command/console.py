"""The terminal: where it is, how an error is told."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import Any, Final

import typer
from rich.console import Console
from rich.text import Text

from scripts.language.language import counted, grouped, translated

YES: Final = ("y", "yes", "д", "да")

# Names of files and columns are printed as they are, never read as markup.
out = Console(highlight=False, markup=False)
err = Console(stderr=True, highlight=False, markup=False)


def never_fail_to_print() -> None:
    """Let standard output escape what its encoding lacks, as standard error does.

    In KOI8-R there is no dash and in Latin-1 no Cyrillic letter: printing would end a command after its work.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def tell(error: Exception) -> None:
    """One error, for a person."""
    remark("error", str(error), "bold red")


def remark(word: str, text: str, style: str = "yellow") -> None:
    """A line on standard error that begins with a coloured word."""
    err.print(Text.assemble((word, style), ": ", text), soft_wrap=True)


def require_yes(question: str) -> None:
    """Ask a person, who may answer in either language. Raises typer.Exit where the answer is not yes, which is told."""
    asked = f"{question} [{translated('y/N')}]"
    if typer.prompt(asked, default="", show_default=False, err=True).strip().lower() not in YES:
        remark(translated("note"), translated("nothing is changed"))
        raise typer.Exit(1)


def left_out(one: str, many: str, number: int, /, **values: Any) -> None:
    """Tell of so many things that are left out, by what `counted` takes."""
    remark(translated("left out"), counted(one, many, number, **values))


def tell_unanswered(stage: str, errors: Sequence[Exception], texts: int) -> None:
    """About how many of so many texts a stage gave no answer, and why the first."""
    told = translated(
        "{stage}: {number} of {all} reviews; first: {error}",
        stage=stage,
        number=grouped(len(errors)),
        all=grouped(texts),
        error=errors[0],
    )
    remark(translated("no answer"), told)
