"""Paths into nested objects: names with dots between them. They lead through objects, not through arrays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def at(value: Any, path: str) -> Any:
    """What a path leads to, None where nothing is. A name that has dots itself goes first."""
    if not isinstance(value, Mapping):
        return None
    if path in value:
        return value[path]
    name, dot, rest = path.partition(".")
    return at(value.get(name), rest) if dot else None


def replaced(value: Mapping[str, Any], path: str, new: Any) -> dict[str, Any]:
    """A copy with something else where a path leads to."""
    name, dot, rest = path.partition(".")
    if path in value or not dot:
        return {**value, path: new}
    return {**value, name: replaced(value[name], rest, new)}


def without(value: Mapping[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """A copy without what these paths lead to, and without the objects that are left empty by that."""
    kept = dict(value)
    for path in paths:
        name, dot, rest = path.partition(".")
        if path in kept:
            del kept[path]
        elif dot and isinstance(kept.get(name), Mapping):
            kept[name] = without(kept[name], [rest])
            if not kept[name]:
                del kept[name]
    return kept
