"""All mappings of a set-up, as `OTZYV_MAPPINGS` gives them: a file, or JSON itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from shared.errors import InvalidReview, SettingsError
from shared.reviews import mapping_syntax as syntax
from shared.reviews.field_mapping import FieldMapping
from shared.text.nesting import is_too_deep

_EXPECTED = (
    'expected a JSON object of queues and streams with their mappings, such as {"shop.reviews": {"id": "externalId", '
    '"text": "text", "source": {"const": "shop"}}}'
)


def load(given: str) -> dict[str, FieldMapping]:
    """The mappings by the name of their queue or stream; none where nothing is given.

    Raises SettingsError that says what is wrong with which of them.
    """
    if not given:
        return {}
    if given.lstrip().startswith("{"):
        where, text = "OTZYV_MAPPINGS", given
    else:
        where = f"OTZYV_MAPPINGS: {Path(given).absolute()}"
        try:
            text = Path(given).read_text(encoding="utf-8-sig")
        except (OSError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) else "other bytes"
            raise SettingsError(f"{where}: expected a file in UTF-8, found: {said}") from error

    def different(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        """Of two fields with one name, one would be left out without a word."""
        names = [name for name, _ in pairs]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"the name {twice[0]!r} twice in one object")
        return dict(pairs)

    try:
        if is_too_deep(text.encode()):
            raise ValueError("too many objects in each other")  # noqa: TRY301
        found = json.loads(text, object_pairs_hook=different)
    except ValueError as error:
        raise SettingsError(f"{where}: {_EXPECTED}; found: {error}") from error
    if not isinstance(found, dict) or not found:
        raise SettingsError(f"{where}: {_EXPECTED}; found {'no mapping' if found == {} else 'no object'}")
    if "id" in found and "text" in found:
        raise SettingsError(
            f"{where}: {_EXPECTED}; found one mapping without the name of its queue or stream"
        )
    return {name: parse(name, one) for name, one in found.items()}


def parse(name: str, given: object) -> FieldMapping:
    """The mapping of a queue or stream from its JSON. Raises SettingsError with the field that is wrong."""
    try:
        if not name or name != name.strip():
            raise ValueError("expected the name of a queue or stream without spaces around it")  # noqa: TRY301
        fields = _fields(given)
        return FieldMapping(
            name,
            id=syntax.place("id", fields["id"]),
            text=tuple(syntax.places("text", fields["text"])),
            source=syntax.source(fields["source"]),
            created_at=syntax.optional(fields, "created_at", syntax.place),
            zone=syntax.optional(fields, "zone", syntax.zone),
            meta=syntax.meta(fields.get("meta", [])),
            unmapped=syntax.unmapped(fields.get("unmapped", "ignore")),
            reviews=syntax.path("reviews", fields.get("reviews", "reviews")),
        )
    except (ValueError, InvalidReview) as error:
        raise SettingsError(
            f"OTZYV_MAPPINGS, {name or repr(name)}: {error}; see docs/producers.md"
        ) from error


def _fields(given: object) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise ValueError(  # noqa: TRY004  not a fault of ours
            f"expected an object with id, text and source, found {syntax.described(given)}"
        )
    known = FieldMapping.__struct_fields__[1:]
    if wrong := next((field for field in given if field not in known), None):
        raise ValueError(f"expected the fields {', '.join(known)}; found {wrong!r}")
    if missing := [field for field in ("id", "text", "source") if field not in given]:
        raise ValueError(
            f"expected id, text and source, found no {' and no '.join(missing)}; where all reviews have the same "
            'source, {"const": "shop"} is one'
        )
    if "zone" in given and "created_at" not in given:
        raise ValueError("zone: expected created_at beside it, found none; map it, or leave the zone out")
    return given
