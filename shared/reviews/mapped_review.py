"""One review out of a producer's JSON, by a mapping: its fields found, and turned into those of the wire contract."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from shared.errors import InvalidReview
from shared.reviews import moments, paths
from shared.reviews.field_mapping import FieldMapping, Place
from shared.reviews.review import Review, joined, make

_EXACT: Final = 2**53
"""From here on a floating-point number is not every integer: different ids would look the same."""
_FORM_CHARS: Final = 40
_LOCAL_ISO: Final = re.compile(r"[0-9]{4}-?[0-9]{2}")


def review_of(item: Any, whole: object, mapping: FieldMapping, max_text_chars: int) -> Review:
    """The review in an item of a message. Raises InvalidReview that says where what was expected."""
    if not isinstance(item, dict):
        raise InvalidReview(f"review: expected an object, found {kind(item)}")
    found = {name: place.value(item, whole) for name, place in mapping.meta.items()}
    meta = paths.without(item, mapping.paths) if mapping.unmapped == "meta" else {}
    meta.update((name, value) for name, value in found.items() if value is not None)
    return make(
        name_of("source", mapping.source, item, whole),
        name_of("id", mapping.id, item, whole),
        text_of(item, whole, mapping.text),
        created_at=created_at_of(item, whole, mapping),
        meta=meta or None,
        max_text_chars=max_text_chars,
    )


def name_of(field: str, place: Place, item: object, whole: object) -> str:
    """A source or id: text, or a whole number, which JSON may write as 12.0."""
    value = place.value(item, whole)
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        value = int(value)
    if type(value) is int:
        return str(value)
    raise _unexpected(field, "text or a whole number", [place], value)


def text_of(item: object, whole: object, places: tuple[Place, ...]) -> str:
    """The parts of a text that are there and not empty, one at least there."""
    parts = [(place, place.value(item, whole)) for place in places]
    if all(value is None for _, value in parts):
        raise _unexpected("text", "text", places, None)
    for place, value in parts:
        if value is not None and not isinstance(value, str):
            raise _unexpected("text", "text", [place], value)
    return joined(value for _, value in parts if value is not None)


def created_at_of(item: object, whole: object, mapping: FieldMapping) -> datetime | None:
    """When; None where the message does not say. A local time is in the mapping's zone, by ISO 8601 else in UTC."""
    place = mapping.created_at
    value = None if place is None else place.value(item, whole)
    if place is None or value is None or value == "":
        return None
    moment = moments.of_json(value)
    if moment is None:
        expected = "a time by RFC 3339, as 28.11.2026 10:16, or a Unix time in seconds or milliseconds"
        raise _unexpected("created_at", expected, [place], value)
    if moment.tzinfo is None and mapping.zone is None and not _LOCAL_ISO.match(str(value)):
        raise InvalidReview(
            f"created_at: expected a time with its offset from UTC at {place}, found one without; name its zone in the "
            f'mapping of {mapping.name}, such as "zone": "Europe/Moscow"'
        )
    return moment if moment.tzinfo else moment.replace(tzinfo=mapping.zone or UTC)


def _unexpected(field: str, expected: str, places: Iterable[Place], found: object) -> InvalidReview:
    at = " or ".join(map(str, places))
    return InvalidReview(f"{field}: expected {expected} at {at}, found {kind(found)}")


def kind(value: object) -> str:
    """What a value is, without what it says: reasons are read by people who may not read reviews."""
    if isinstance(value, str):
        form = re.sub(r"[^\W\d_]", "a", re.sub(r"\d", "9", value[:_FORM_CHARS]))
        return f"text of the form {form!r}"
    if isinstance(value, bool) or value is None:
        return "nothing" if value is None else "true or false"
    if isinstance(value, (int, float)):
        return f"the number {value}"
    return "an array" if isinstance(value, list) else "an object"
