"""Figures of the house: how hard the code makes it for a stranger. `make house` prints them and where they come from.

Each figure may only fall: .ci/house.json holds what it was last, and a test compares.
"""

from __future__ import annotations

import ast
import io
import json
import keyword
import sys
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("scripts", "workers", "shared")
LIMITS = ROOT / ".ci" / "house.json"
LONG_FUNCTION = 40
LONG_FILE = 400
ALIKE_LINES = 6
DENSITY = ", in 10,000 lines"
MOST_PLACES = 8
"""What stands in more places than that is the form of the language, not something written twice."""
MIGRATIONS = "shared/store/migrations/versions/"
"""Their form is Alembic's, and a released one never changes."""
Function = ast.FunctionDef | ast.AsyncFunctionDef
Places = list[str]
"""Where a figure comes from, one entry for each that is counted."""


def trees() -> dict[Path, ast.Module]:
    """Every Python file of the project, parsed."""
    paths = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def figures(found: dict[Path, ast.Module]) -> dict[str, Places]:
    """Each figure with the places that make it up."""
    return {
        "lines": [line for path in found for line in path.read_text(encoding="utf-8").splitlines()],
        "functions over 40 lines": list(_long_functions(found)),
        "files over 400 lines": list(_long_files(found)),
        "imports inside functions": list(_inner_imports(found)),
        "type names defined in several files": list(_shared_names(found)),
        f"private functions named once{DENSITY}": list(_called_once(found)),
        "files in the largest folder": _largest_folder(found),
        f"pairs of files alike in six lines{DENSITY}": list(_alike(found)),
    }


def counts(found: dict[str, Places]) -> dict[str, int]:
    """The figures as numbers. What every feature adds a little of counts by how much code there is, rounded up."""
    lines = len(found["lines"])
    return {
        name: -(-len(places) * 10_000 // lines) if name.endswith(DENSITY) else len(places)
        for name, places in found.items()
    }


def _functions(tree: ast.Module) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def _at(path: Path, node: ast.stmt, what: str = "") -> str:
    return f"{path.relative_to(ROOT)}:{node.lineno} {what}".rstrip()


def _length(node: Function) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _long_functions(found: dict[Path, ast.Module]) -> Iterator[str]:
    for path, tree in found.items():
        for function in _functions(tree):
            if _length(function) > LONG_FUNCTION:
                yield _at(path, function, f"{function.name}, {_length(function)} lines")


def _long_files(found: dict[Path, ast.Module]) -> Iterator[str]:
    for path in found:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > LONG_FILE:
            yield f"{path.relative_to(ROOT)}, {lines} lines"


def _inner_imports(found: dict[Path, ast.Module]) -> Iterator[str]:
    for path, tree in found.items():
        inner = {
            _at(path, node)
            for function in _functions(tree)
            for node in ast.walk(function)
            if isinstance(node, ast.Import | ast.ImportFrom)
        }
        yield from sorted(inner)


def _type_names(tree: ast.Module) -> Iterator[str]:
    """Classes at any depth, and aliases on the level of the module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.name
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name, value = node.targets[0].id, node.value
            typed = isinstance(value, ast.Subscript) or (
                isinstance(value, ast.Call) and ast.unparse(value.func) in ("TypeVar", "NewType")
            )
            if typed and name.strip("_")[:1].isupper() and not name.isupper():
                yield name


def _shared_names(found: dict[Path, ast.Module]) -> Iterator[str]:
    where: dict[str, set[str]] = defaultdict(set)
    for path, tree in found.items():
        for name in _type_names(tree):
            where[name].add(path.relative_to(ROOT).as_posix())
    return (
        f"{name}: {', '.join(sorted(places))}" for name, places in sorted(where.items()) if len(places) > 1
    )


def _called_once(found: dict[Path, ast.Module]) -> Iterator[str]:
    """Private functions and methods that their file names only once besides defining them."""
    for path, tree in found.items():
        named = Counter(
            node.id if isinstance(node, ast.Name) else node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Name | ast.Attribute)
        )
        for function in _functions(tree):
            private = function.name.startswith("_") and not function.name.startswith("__")
            if private and named[function.name] == 1:
                yield _at(path, function, function.name)


def _largest_folder(found: dict[Path, ast.Module]) -> Places:
    folders: dict[Path, Places] = defaultdict(list)
    for path in found:
        if path.name != "__init__.py":
            folders[path.parent].append(path.relative_to(ROOT).as_posix())
    return max(folders.values(), key=len)


def _shapes(path: Path, tree: ast.Module) -> list[tuple[int, str]]:
    """Lines of code with their numbers, every name, number and string replaced; no docstrings, imports or brackets."""
    left_out: set[int] = set()
    for node in ast.walk(tree):
        text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if text or isinstance(node, ast.Import | ast.ImportFrom):
            left_out |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines: dict[int, list[str]] = defaultdict(list)
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        if token.start[0] not in left_out and token.type != tokenize.COMMENT and token.string.strip():
            lines[token.start[0]].append(_shape(token))
    return [(number, " ".join(line)) for number, line in sorted(lines.items()) if any(map(str.isalnum, line))]


def _shape(token: tokenize.TokenInfo) -> str:
    if token.type == tokenize.NAME and not keyword.iskeyword(token.string):
        return "n"
    return {tokenize.NUMBER: "0", tokenize.STRING: "s"}.get(token.type, token.string)


def _alike(found: dict[Path, ast.Module]) -> Iterator[str]:
    """Pairs of files that share six or more lines of the same shape, with the first such place in each."""
    places: dict[tuple[str, ...], list[tuple[str, int]]] = defaultdict(list)
    for path, tree in found.items():
        if MIGRATIONS in path.as_posix():
            continue
        lines, name = _shapes(path, tree), path.relative_to(ROOT).as_posix()
        for start in range(len(lines) - ALIKE_LINES + 1):
            window = lines[start : start + ALIKE_LINES]
            places[tuple(line for _, line in window)].append((name, window[0][0]))
    pairs: dict[tuple[str, str], str] = {}
    for same in places.values():
        if len(same) <= MOST_PLACES:
            for (one, line), (other, twin) in combinations(same, 2):
                if one != other or twin - line >= ALIKE_LINES:
                    pairs.setdefault((one, other), f"{one}:{line} ~ {other}:{twin}")
    yield from pairs.values()


def limits() -> dict[str, int]:
    """The figures as they were last."""
    numbers: dict[str, int] = json.loads(LIMITS.read_text(encoding="utf-8"))
    return numbers


def main() -> None:
    """Print the figures; with the beginning of a figure's name as the argument, its places too; `write` keeps them."""
    found = figures(trees())
    wanted = " ".join(sys.argv[1:])
    if wanted == "write":
        LIMITS.write_text(json.dumps(counts(found), indent=2) + "\n", encoding="utf-8")
    numbers = counts(found)
    for name, places in found.items():
        print(f"{numbers[name]:6}  {name} (limit {limits()[name]})")
        if wanted and name.startswith(wanted) and name != "lines":
            print("\n".join(f"        {place}" for place in places))


if __name__ == "__main__":
    main()
