"""What is loaded when it is used: commands that are known by name and one line, and the modules that do their work.

So `otzyv --help` waits for no command's work, and a worker holds in memory what workers need and nothing else.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

import typer.main
from typer.core import TyperCommand


class LazyCommand(TyperCommand):
    """A command or a group of them, in the Typer named `commands` of a module."""

    def __init__(self, name: str, module: str, line: str) -> None:
        super().__init__(name, help=line)
        self.module = module

    def loaded(self) -> Any:
        """The command itself: of Typer's own class, which depends on its version."""
        return typer.main.get_group(import_module(self.module).commands).commands[str(self.name)]

    def make_context(self, *arguments: Any, **more: Any) -> Any:
        """From here on, for its help and its completion too, the command itself is at work."""
        return self.loaded().make_context(*arguments, **more)


class _LazyModule(ModuleType):
    """Loads when something of its own is asked for, not what Python says of a module: torch asks all for `__file__`."""

    def __getattr__(self, name: str) -> Any:
        spec = self.__spec__
        if name.startswith("__") or spec is None or spec.loader is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        self.__class__ = ModuleType  # type: ignore[assignment]
        spec.loader.exec_module(self)
        return getattr(self, name)


class _LazyLoader(Loader):
    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None  # noqa: S101  for mypy
        module.__spec__.loader = module.__loader__ = self._loader
        module.__class__ = _LazyModule


class _LazyFinder:
    """Finds modules as Python does, and lets each load when something in it is first asked for."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _LazyLoader(spec.loader)
        return spec


@contextmanager
def lazily() -> Iterator[None]:
    """Modules that are imported for the first time in this context load when something in them is first used."""
    sys.meta_path.insert(0, _LazyFinder)
    try:
        yield
    finally:
        sys.meta_path.remove(_LazyFinder)
