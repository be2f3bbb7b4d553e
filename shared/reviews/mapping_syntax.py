"""How a mapping is written, and what is said of one that is written otherwise. Each reader raises ValueError."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, timedelta, timezone, tzinfo
from typing import Any, Final, TypeVar, get_args
from zoneinfo import ZoneInfo

import msgspec

from shared.reviews.field_mapping import Place, Unmapped
from shared.reviews.review import check_name

T = TypeVar("T")

_OFFSET: Final = re.compile(r"([+-])([01][0-9]):([0-5][0-9])")
_PLACES: Final = (
    'a path such as "author.id", or {"message": PATH} for a field of the message around the reviews'
)


def optional(given: dict[str, Any], field: str, read: Callable[[str, object], T]) -> T | None:
    """A field that may be missing."""
    return read(field, given[field]) if field in given else None


def place(field: str, given: object) -> Place:
    """A path in a review, or in the message around it."""
    if isinstance(given, dict) and given.keys() == {"message"}:
        return Place(path(field, given["message"]), in_message=True)
    if isinstance(given, str):
        return Place(path(field, given))
    raise ValueError(f"{field}: expected {_PLACES}; found {described(given)}")


def path(field: str, given: object) -> str:
    """Names with dots between them."""
    if isinstance(given, str) and all(name.strip() for name in given.split(".")):
        if given == given.strip():
            return given
        raise ValueError(f"{field}: expected a path without spaces around it, found {described(given)}")
    raise ValueError(f'{field}: expected a path such as "author.id", found {described(given)}')


def places(field: str, given: object) -> list[Place]:
    """One place, or several different ones."""
    found = [place(field, one) for one in (given if isinstance(given, list) else [given])]
    if not found or len(set(found)) < len(found):
        raise ValueError(f"{field}: expected one or more different paths, found {described(given)}")
    return found


def source(given: object) -> Place:
    """A place, or a name for all reviews."""
    if not isinstance(given, dict) or given.keys() == {"message"}:
        return place("source", given)
    if given.keys() == {"const"} and isinstance(given["const"], str):
        check_name("source", given["const"])
        return Place(const=given["const"])
    raise ValueError(f'source: expected {_PLACES}, or {{"const": "shop"}} for all; found {described(given)}')


def zone(field: str, given: object) -> tzinfo:
    """A zone by its name or its offset."""
    if isinstance(given, str):
        if offset := _OFFSET.fullmatch(given):
            size = timedelta(hours=int(offset[2]), minutes=int(offset[3]))
            return timezone(-size if offset[1] == "-" else size)
        try:
            return UTC if given == "UTC" else ZoneInfo(given)
        except (ValueError, OSError, KeyError):  # of a name that is none, or leads out of the folder of zones
            pass
    raise ValueError(
        f'{field}: expected a zone such as "Europe/Moscow", or an offset such as "+03:00"; found {described(given)}'
    )


def meta(given: object) -> dict[str, Place]:
    """Places by the names under which they are kept: their paths, or others."""
    if isinstance(given, dict):
        return {name: place(f"meta, {name}", one) for name, one in given.items()}
    if isinstance(given, list):
        return {one.path: one for one in (places("meta", given) if given else ())}
    raise ValueError(
        f"meta: expected paths in a list, or an object of names with their paths; found {described(given)}"
    )


def unmapped(given: object) -> Unmapped:
    """What becomes of the other fields."""
    choices: tuple[Unmapped, ...] = get_args(Unmapped)
    for choice in choices:
        if given == choice:
            return choice
    raise ValueError(f'unmapped: expected "ignore" or "meta", found {described(given)}')


def described(value: object) -> str:
    """A value of a mapping, short, for a sentence about it."""
    text = "nothing" if value is None else msgspec.json.encode(value).decode()
    return text if len(text) <= 80 else f"{text[:79]}…"
