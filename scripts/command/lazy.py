"""Commands that are known by name and one line, each loaded with its module when it is called.

So `otzyv --help` waits for no command's work, and a worker holds in memory what workers need and nothing else.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer.main
from typer.core import TyperCommand

from scripts.command.help import spoken


class LazyCommand(TyperCommand):
    """A command or a group of them, in the Typer named `commands` of a module."""

    def __init__(self, name: str, module: str, line: str) -> None:
        super().__init__(name, help=line)
        self.module = module

    def loaded(self) -> Any:
        """The command itself: of Typer's own class, which depends on its version."""
        return spoken(typer.main.get_group(import_module(self.module).commands).commands[str(self.name)])

    def make_context(self, *arguments: Any, **more: Any) -> Any:
        """From here on, for its help and its completion too, the command itself is at work."""
        return self.loaded().make_context(*arguments, **more)
