"""Messages that do not speak the wire contract, read by a mapping of their fields.

Beside them, what keeps the contract is read by it: messages as `otzyv enqueue` sends them, and reviews that the mapping
cannot read and that have just the contract's fields. So a mapping shuts nobody out who was let in before.
"""

from __future__ import annotations

import codecs
import json
from typing import Any, Final

import msgspec

from shared.errors import InvalidReview
from shared.reviews import paths, wire
from shared.reviews.field_mapping import FieldMapping
from shared.reviews.mapped_review import name_of, review_of
from shared.reviews.review import TOO_DEEP, check_name
from shared.reviews.wire import UNREADABLE, Message, Rejected
from shared.text.nesting import is_too_deep

MAX_REVIEWS: Final = 5_000
"""In one message: who writes them did not know our contract. More would not fit into one transaction."""
_REQUIRED: Final = frozenset(("source", "id", "text"))


def decode(body: bytes, mapping: FieldMapping, *, max_text_chars: int) -> Message:
    """The reviews of one incoming message.

    Raises InvalidReview when the message as a whole cannot be read; a bad review, alone or among good ones, is in
    `rejected`, as a message of its own that can be read anew.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    if is_too_deep(body):
        raise InvalidReview(f"message: {TOO_DEEP}")
    whole, is_strict = parsed(body)
    if keeps_contract(whole):
        return wire.decode(body, max_text_chars=max_text_chars)
    items = whole if isinstance(whole, list) else paths.at(whole, mapping.reviews)
    items = items if isinstance(items, list) else [whole]
    if not 1 <= len(items) <= MAX_REVIEWS:
        raise InvalidReview(f"reviews: expected 1 to {MAX_REVIEWS} reviews in a message, found {len(items)}")
    found = Message([], [])
    for item in items:
        try:
            read = item if is_strict else msgspec.json.decode(json.dumps(item))
            found.reviews.append(review_of(read, whole, mapping, max_text_chars))
        except (InvalidReview, *UNREADABLE) as error:
            alone = body if item is whole else _encoded(item, is_strict)
            kept = by_contract(item, alone, max_text_chars)
            if kept is None:
                alone = body if item is whole else _encoded(around(whole, item, mapping), is_strict)
                kept = Message([], [_rejected(error, alone, item, whole, mapping)])
            found.reviews.extend(kept.reviews)
            found.rejected.extend(kept.rejected)
    return found


def parsed(body: bytes) -> tuple[Any, bool]:
    """The JSON of a message, and whether it is strict: Python's own reader takes NaN and halves of surrogate pairs.

    With that only the reviews at fault are refused, not the whole message.
    """
    try:
        return msgspec.json.decode(body), True
    except UNREADABLE as error:
        try:
            return json.loads(body.decode()), False
        except (ValueError, RecursionError):
            fault = wire.json_fault(error, body)
            raise InvalidReview(f"message: expected JSON in UTF-8; found: {fault}") from error


def keeps_contract(whole: Any) -> bool:
    """Whether it is a message of the contract: of a batch, or whose reviews have no other fields than those."""
    if not isinstance(whole, dict) or not {"version", "reviews"} <= whole.keys() <= wire.MESSAGE_FIELDS:
        return False
    reviews = whole["reviews"] if isinstance(whole["reviews"], list) else [None]
    own = (isinstance(item, dict) and item.keys() <= wire.REVIEW_FIELDS for item in reviews)
    return "batch" in whole or all(own)


def by_contract(item: Any, payload: bytes, max_text_chars: int) -> Message | None:
    """A review as the contract reads it; None for one that does not have just its fields, or cannot be read at all."""
    if not isinstance(item, dict) or not _REQUIRED <= item.keys() <= wire.REVIEW_FIELDS:
        return None
    try:
        return wire.decode(payload, max_text_chars=max_text_chars)
    except InvalidReview:
        return None


def around(whole: Any, item: Any, mapping: FieldMapping) -> Any:
    """The message with one of its reviews only: what is around it stays."""
    return [item] if isinstance(whole, list) else paths.replaced(whole, mapping.reviews, [item])


def _encoded(value: Any, is_strict: bool) -> bytes:
    return msgspec.json.encode(value) if is_strict else json.dumps(value).encode()


def _rejected(error: Exception, payload: bytes, item: Any, whole: Any, mapping: FieldMapping) -> Rejected:
    """What was refused, with as much of its name as can be read all the same."""
    names: list[str | None] = []
    for field, place in (("source", mapping.source), ("id", mapping.id)):
        try:
            name = name_of(field, place, item, whole)
            check_name(field, name)
            names.append(name)
        except InvalidReview:
            names.append(None)
    known = isinstance(error, InvalidReview)
    reason = str(error) if known else f"review: expected JSON; found: {wire.json_fault(error, payload)}"
    return Rejected(f"{reason}; read by the mapping of {mapping.name}", payload, *names)
