"""Turns what pydantic says about a file into problems that a person can mend: line, expected, found."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from typing import Any, Literal

from pydantic import ValidationError

from shared.taxonomy.source import FieldPath, Problem, YamlSource, dotted

Fault = tuple[FieldPath, str, str]
"""Where, what is wrong, what to do."""

_ENTRY = 4
"""How deep an entry of a list of words lies: categories, 0, keywords, 0."""
_EXPECTED = {
    "string_type": "text",
    "bool_type": "true or false",
    "float_type": "a number",
    "tuple_type": "a list",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
    "string_too_short": "text that is not empty",
    "too_short": "at least one entry",
    "string_pattern_mismatch": "a slug: a small Latin letter, then small letters, digits or _",
    "greater_than": "a weight above 0",
    "less_than": "a weight below 1",
}
_ADVICE = {
    "string_type": "Put the value in quotes",
    "tuple_type": "Write [one, two] or one '- entry' per line",
    "string_pattern_mismatch": "For example home_appliances",
    "greater_than": "Weights lie between 0 and 1, for example 0.9",
    "less_than": "Weights lie between 0 and 1, for example 0.9",
}


def complaints(
    error: ValidationError, source: YamlSource, fields_at: Callable[[FieldPath], tuple[str, ...]]
) -> Iterator[Problem]:
    """One problem per thing that pydantic refused, each with its line in the file."""
    for detail in error.errors(include_url=False):
        place: FieldPath = detail["loc"]
        context: dict[str, Any] = detail.get("ctx", {})
        if detail["type"] == "too_short" and detail["input"]:
            continue  # The list has entries; what is wrong with them is told for each.
        if detail["type"] == "faults":
            yield from (located(source, fault) for fault in context["faults"])
        else:
            yield located(source, _fault(place, detail["type"], detail["msg"], detail["input"], fields_at))


def _fault(
    place: FieldPath, kind: str, message: str, found: Any, fields_at: Callable[[FieldPath], tuple[str, ...]]
) -> Fault:
    if kind == "extra_forbidden":
        fields = fields_at(place[:-1])
        near = difflib.get_close_matches(str(place[-1]), fields, n=1)
        advice = f"Did you mean {near[0]!r}?" if near else f"Known fields: {', '.join(fields)}"
        return place, f"expected a known field, found {place[-1]!r}", advice
    if kind == "missing":
        return place, f"expected the field {place[-1]!r}, found nothing", f"Add '{place[-1]}: ...' here"
    if kind == "model_type" and len(place) == _ENTRY:
        return place, f"expected text or a mapping, found {_shown(found)}", "Put the value in quotes"
    expected = _EXPECTED.get(kind, message)
    return place, f"expected {expected}, found {_shown(found)}", _ADVICE.get(kind, "")


def _shown(found: Any) -> str:
    if isinstance(found, tuple | list):
        return f"a list of {len(found)}"
    if isinstance(found, dict):
        return "a mapping"
    return "nothing" if found is None else repr(found)[:80]


def located(source: YamlSource, fault: Fault, severity: Literal["error", "warning"] = "error") -> Problem:
    """A fault with its line and column in the file."""
    place, message, advice = fault
    return Problem(*source.locate(place), dotted(place), message, advice, severity)
