"""A YAML text and where each of its values stands.

Reads YAML without losing line numbers. Knows nothing of taxonomies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import yaml

FieldPath = tuple[str | int, ...]
"""The way to a value from the top: keys of mappings and indexes of lists."""

MAX_NODES = 500_000
"""A file with more values than this, aliases counted each time, is refused."""
MAX_DEPTH = 40

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something to mend in a file. `line` and `column` count from 1; `path` is the field's own name."""

    line: int
    column: int
    path: str
    message: str
    suggestion: str
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return f"{where}{self.message}. {self.suggestion}" if self.suggestion else where + self.message


@dataclass(frozen=True, slots=True)
class YamlSource:
    """What a YAML text says, where each value stands, and what was wrong with it as YAML."""

    data: Any
    marks: dict[FieldPath, tuple[int, int]]
    problems: tuple[Problem, ...]

    def locate(self, place: FieldPath) -> tuple[int, int]:
        """Line and column of the value at `place`, or of its nearest parent in the file."""
        for end in range(len(place), -1, -1):
            if place[:end] in self.marks:
                return self.marks[place[:end]]
        return 1, 1


def dotted(place: FieldPath) -> str:
    """`("categories", 2, "slug")` as a person would write it: `categories[2].slug`."""
    text = ""
    for step in place:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def read(text: str) -> YamlSource:
    """Reads one YAML document. Never raises on bad input: the problems are in the answer."""
    walk, data = _Walk(), None
    try:
        root = yaml.compose(text, Loader=_Loader)
        if root is None:
            message = "expected a mapping with name and categories, found an empty file"
            walk.problems.append(Problem(1, 1, "", message, ""))
        else:
            data = walk.value(root, ())
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        found = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
        message = f"expected valid YAML, found: {found}"
        advice = "Check indents, quotes and colons here"
        walk.problems.append(Problem(*(_place(mark) if mark else (1, 1)), "", message, advice))
    return YamlSource(data, walk.marks, tuple(walk.problems))


def _place(mark: Any) -> tuple[int, int]:
    return mark.line + 1, mark.column + 1


class _Walk:
    """Builds plain data from nodes, noting where each value stands and which keys come twice."""

    def __init__(self) -> None:
        self.marks: dict[FieldPath, tuple[int, int]] = {}
        self.problems: list[Problem] = []
        self._scalars: Any = _Loader("")
        self._nodes = 0

    def value(self, node: yaml.Node, place: FieldPath) -> Any:
        self._nodes += 1
        mark = node.start_mark
        if self._nodes > MAX_NODES or len(place) > MAX_DEPTH:
            raise yaml.MarkedYAMLError(
                problem="too many or too deep values (an alias in a loop?)", problem_mark=mark
            )
        self.marks[place] = _place(mark)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(child, (*place, index)) for index, child in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        try:
            return self._scalars.construct_object(node)
        except ValueError as error:
            raise yaml.MarkedYAMLError(problem=str(error), problem_mark=mark) from error

    def _mapping(self, node: yaml.MappingNode, place: FieldPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, child in node.value:
            key = str(key_node.value)
            at = _place(key_node.start_mark)
            if key in found:
                message = f"expected each key once, found {key!r} again"
                self.problems.append(
                    Problem(*at, dotted((*place, key)), message, "Merge the two or delete one")
                )
            found[key] = self.value(child, (*place, key))
            if not isinstance(child, yaml.ScalarNode):
                self.marks[(*place, key)] = at
        return found
