"""Which options the messages of a command can name: the strings of all code that it can reach, read and not run.

Reached is what a function names: functions, constants and classes, of its module or imported, and of a class the
methods that any reached code names. That is more than what runs, and never less, but for names made at run time.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z]")
_OTHER_COMMAND = re.compile(r"`[^`]*`")


class Place(NamedTuple):
    """A definition: a function, a method as Class.name, a class or a constant of a module."""

    module: str
    name: str


class _Module:
    """The definitions of a module and what it has imported, wherever in it that stands."""

    def __init__(self, name: str) -> None:
        path = ROOT.joinpath(*name.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        self.defined: dict[str, ast.AST] = {}
        self.imported: dict[str, Place] = {}
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in tree.body:
            self._define(node)
        for node in ast.walk(tree):  # type: ignore[assignment]
            if isinstance(node, ast.ImportFrom) and node.module:
                for one in node.names:
                    self.imported[one.asname or one.name] = Place(node.module, one.name)

    def _define(self, node: ast.stmt) -> None:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            self.defined[node.name] = node
        for part in node.body if isinstance(node, ast.ClassDef) else ():
            if isinstance(part, ast.FunctionDef):
                self.defined[f"{node.name}.{part.name}"] = part  # type: ignore[attr-defined]
        for target in node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]:
            if isinstance(target, ast.Name):
                self.defined[target.id] = node


@cache
def _module(name: str) -> _Module | None:
    path = ROOT.joinpath(*name.split("."))
    known = name.split(".")[0] in ("scripts", "workers", "shared")
    return _Module(name) if known and (path.is_dir() or path.with_suffix(".py").is_file()) else None


def _found(module: str, name: str) -> Place | None:
    """Where a name of a module is defined, through packages that hand it on."""
    here = _module(module)
    if here is None or name in here.defined:
        return None if here is None else Place(module, name)
    if name in here.imported:
        origin = here.imported[name]
        return _found(*origin)
    return None


def _named(module: str, node: ast.AST) -> Iterator[Place]:
    """The definitions that code names: bare, or as attributes of imported modules."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and (place := _found(module, part.id)):
            yield place
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
            origin = getattr(_module(module), "imported", {}).get(part.value.id)
            if origin and (place := _found(f"{origin.module}.{origin.name}", part.attr)):
                yield place


def reached(module: str, name: str) -> dict[Place, ast.AST]:
    """All code that a function can reach, itself included."""
    found: dict[Place, ast.AST] = {}
    attributes: set[str] = set()
    waiting, methods = [Place(module, name)], dict[Place, ast.AST]()
    while waiting:
        place = waiting.pop()
        here = _module(place.module)
        if here is None or place in found or place.name not in here.defined:
            continue
        node = found[place] = here.defined[place.name]
        if isinstance(node, ast.ClassDef):
            prefix = f"{place.name}."
            methods |= {Place(place.module, n): d for n, d in here.defined.items() if n.startswith(prefix)}
            parts: list[ast.AST] = [part for part in node.body if not isinstance(part, ast.FunctionDef)]
            outside = [*parts, *node.bases]
        else:
            outside = [node]
        for part in outside:
            waiting += _named(place.module, part)
            attributes |= {one.attr for one in ast.walk(part) if isinstance(one, ast.Attribute)}
        waiting += [one for one in methods if _is_called(one.name.split(".")[1], attributes)]
    return found


def _is_called(method: str, attributes: set[str]) -> bool:
    return method in attributes or (method.startswith("__") and method.endswith("__"))


def options_named(module: str, name: str) -> dict[str, set[str]]:
    """The options in messages that a function can give, each with the places where they stand.

    What stands in backticks belongs to another command.
    """
    options: dict[str, set[str]] = {}
    for place, node in reached(module, name).items():
        if isinstance(node, ast.ClassDef):
            continue
        for text in _texts(node):
            for option in _OPTION.findall(_OTHER_COMMAND.sub("", text)):
                options.setdefault(option, set()).add(".".join(place))
    return options


def _texts(node: ast.AST) -> Iterator[str]:
    """The strings in a body, an f-string as one, without docstring, decorators and parameters."""
    body = node.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) else [node]
    for statement in body:
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue
        inside = set[int]()
        for part in ast.walk(statement):
            if isinstance(part, ast.JoinedStr):
                inside |= {id(one) for one in ast.walk(part)}
                yield "".join(str(one.value) if isinstance(one, ast.Constant) else "…" for one in part.values)
            elif isinstance(part, ast.Constant) and isinstance(part.value, str) and id(part) not in inside:
                yield part.value
