"""The map of the house: every room, what lives in it, and its doors. docs/map.md is what `make map` prints."""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("scripts", "workers", "shared")
"""From the top down: each imports only those behind it."""
HEAD = """# The map

Printed by `make map`, and kept current by a test. Every folder with code is a room: its first sentence says what lives
there, and what does not. Then come its files. **A file in bold is a door**: other rooms import it; the others are the
room's own affair. Imports go from top to bottom of this page, `scripts` → `workers` → `shared`, and inside of each by
the layers in `pyproject.toml`. Words are explained in [vocabulary.md](vocabulary.md), choices in
[decisions](decisions/README.md). The tests of a room stand in the folder of the same name in `tests/quick`,
`tests/local`, `tests/models`, `tests/store` and `tests/services`.
"""


@dataclass(frozen=True)
class Module:
    """A Python file: its dotted name, the first paragraph of its docstring, and every dotted name that it imports."""

    name: str
    path: Path
    about: str
    imports: frozenset[str]

    @property
    def sentence(self) -> str:
        """The first sentence of its docstring."""
        first, stop, _ = self.about.partition(". ")
        return first + "." if stop else self.about

    @property
    def room(self) -> str:
        """The folder that it lies in, from the project's root."""
        return self.path.parent.relative_to(ROOT).as_posix()


def modules() -> list[Module]:
    """Every module of the project but its migrations, which are history."""
    paths = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    return [_read(path) for path in paths if "versions" not in path.parts]


def _read(path: Path) -> Module:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    about = (ast.get_docstring(tree) or "").split("\n\n")[0]
    return Module(name, path, " ".join(about.split()), frozenset(_imported(tree)))


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def doors(found: list[Module]) -> set[str]:
    """Names of the modules that another room imports."""
    rooms = {module.name: module.room for module in found}
    return {
        name for module in found for name in module.imports if name in rooms and rooms[name] != module.room
    }


def page(found: list[Module]) -> str:
    """The map as Markdown."""
    open_ = doors(found)
    rooms: dict[str, list[Module]] = defaultdict(list)
    for module in found:
        rooms[module.room].append(module)
    lines = [HEAD]
    for room, inside in rooms.items():
        about = [module.about for module in inside if module.path.name == "__init__.py"]
        lines += [f"{'##' if '/' in room else '#'} {room}", "", *about, ""]
        for module in inside:
            if module.path.name != "__init__.py":
                name = f"[{module.path.name}](../{module.path.relative_to(ROOT).as_posix()})"
                lines.append(f"* {f'**{name}**' if module.name in open_ else name}: {module.sentence}")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    sys.stdout.write(page(modules()))
