"""Help in the language of the people who read it: ours, and the words that Typer adds.

Commands say what they ask for in English, where they are declared; here is the only place that knows of others.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperCommand

from scripts.language import language
from scripts.language.language import translated
from shared.errors import ConfigurationError

OPTION: Final = "--language"
USAGE: Final = "Usage: "
WORDS: Final = {
    "DEFAULT_STRING": "[default: {}]",
    "REQUIRED_LONG_STRING": "[required]",
    "ERRORS_PANEL_TITLE": "Error",
    "RICH_HELP": "Try [blue]'{command_path} {help_option}'[/] for help.",
} | {f"{panel.upper()}_PANEL_TITLE": panel for panel in ("Arguments", "Options", "Commands")}
"""Names in `typer.rich_utils`, which has read their translations before ours could be known."""


class Context(typer.Context):
    """The context of a command, whose formatter is made whenever help or an error of usage is shown."""

    def make_formatter(self) -> Any:
        """Typer's words change just before they are needed: their module is slow to load."""
        module = import_module("typer.rich_utils")
        for name, word in WORDS.items():
            setattr(module, name, translated(word))
        for param in self.command.params:
            space_choices(param)
        formatter: Any = super().make_formatter()
        formatter.write_usage = partial(formatter.write_usage, prefix=translated(USAGE))
        return formatter


def space_choices(param: Any) -> None:
    """`<auto | always | none>`: a column that is too narrow for all of them breaks between words."""
    shown = param.display_type_rich
    param.display_type_rich = lambda ctx: (
        " | ".join((shown(ctx) or "").replace(" | ", "|").split("|")) or None
    )


def sentence(text: str) -> str:
    """A help text as it stands in the catalogue: line breaks within a paragraph are none."""
    return "\n\n".join(" ".join(part.split()) for part in inspect.cleandoc(text).split("\n\n"))


def spoken(command: TyperCommand | Any) -> Any:
    """The command itself, with its help and that of its options and subcommands in the language in use."""
    command.context_class = Context
    if language.current() != language.ENGLISH:
        _translate(command)
    for below in getattr(command, "commands", {}).values():
        spoken(below)
    return command


def _translate(command: TyperCommand | Any) -> None:
    for of_command in ("options_metavar", "subcommand_metavar"):
        if getattr(command, of_command, None):
            setattr(command, of_command, translated(getattr(command, of_command)))
    for one in (command, command.get_help_option(typer.Context(command)), *command.params):
        if getattr(one, "help", None):
            one.help = translated(sentence(one.help))


def language_taken(arguments: Sequence[str]) -> tuple[str | None, list[str]]:
    """What `--language` says, wherever it stands, and the other arguments. Raises ConfigurationError."""
    rest = list(arguments)
    asked = None
    own = rest[: rest.index("--")] if "--" in rest else rest
    for at in reversed(range(len(own))):
        name, equals, value = own[at].partition("=")
        if name == OPTION and (equals or own[at + 1 : at + 2]):
            value = value if equals else own[at + 1]
            if value not in language.LANGUAGES:
                raise ConfigurationError(
                    f"{OPTION}: expected {' or '.join(language.LANGUAGES)}, found {value!r}; leave it out "
                    f"to have what {language.VARIABLE} or the locale says"
                )
            asked = asked or value
            del rest[at : at + (1 if equals else 2)]
    return asked, rest
