"""The wire contract by which reviews come in.

Lives here: what a message may look like, and which of its reviews are taken. Not here: what makes a review acceptable,
which is in `review`, brokers and tables.

A message is UTF-8 JSON, either one review or up to 500 of them:

    {"version": 1, "source": "shop", "id": "42", "text": "..."}
    {"version": 1, "reviews": [{"source": "shop", "id": "42", "text": "...",
                                "created_at": "2026-01-02T03:04:05Z", "meta": {"rating": 5}}]}
    [{"source": "shop", "id": "42", "text": "..."}]

A byte order mark before it is no part of it. One bad review does not spoil its neighbours: it is rejected with the
reason.
"""

from __future__ import annotations

import codecs
import json
import re
import uuid
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any

import msgspec

from shared.errors import InvalidReview
from shared.reviews.origin import Origin
from shared.reviews.review import (
    MAX_NAME_CHARS,
    TOO_DEEP,
    Review,
    are_plain,
    check_name,
    in_utc,
    make,
    meta_text,
)
from shared.text.masking import mask, mask_json
from shared.text.nesting import MAX_DEPTH, is_too_deep

WIRE_VERSION = 1
MAX_REVIEWS_PER_MESSAGE = 500
MAX_BATCH_NAME_CHARS = 500

_LONE_SURROGATE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)


class Rejected(msgspec.Struct, frozen=True):
    """A review, or a whole message, that breaks the contract: why, and the bytes as they came."""

    reason: str
    payload: bytes
    source: str | None = None
    id: str | None = None


class BatchPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which part of which batch a message is; `number` counts from 0, `last` marks the final part."""

    id: uuid.UUID
    number: Annotated[int, msgspec.Meta(ge=0, lt=2**31 - 1)]
    last: bool = False
    name: Annotated[str, msgspec.Meta(max_length=MAX_BATCH_NAME_CHARS, pattern=r"\A[^\0]*\Z")] = ""


class Message(msgspec.Struct, frozen=True):
    """What one incoming message holds; `arrived_at` is when it came to a process that works on several at once."""

    reviews: list[Review]
    rejected: list[Rejected]
    batch: BatchPart | None = None
    origin: Origin | None = None
    arrived_at: datetime | None = None


class _WireReview(msgspec.Struct, forbid_unknown_fields=True):
    source: str
    id: str | int
    text: str
    created_at: datetime | None = None
    meta: dict[str, Any] | None = None
    version: int = WIRE_VERSION


class _WireBatch(msgspec.Struct, forbid_unknown_fields=True):
    reviews: list[msgspec.Raw]
    version: int = WIRE_VERSION
    batch: BatchPart | None = None


class _OpenReview(_WireReview, forbid_unknown_fields=True):
    """One whose meta has not been read: how deep it is may be its sender's attack."""

    meta: msgspec.Raw | None = None  # type: ignore[assignment]


class _WireReviews(msgspec.Struct, forbid_unknown_fields=True):
    """A batch of which every review has the right fields."""

    reviews: list[_OpenReview]
    version: int = WIRE_VERSION
    batch: BatchPart | None = None


class _Shape(msgspec.Struct):
    reviews: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


REVIEW_FIELDS = frozenset(_WireReview.__struct_fields__)
MESSAGE_FIELDS = frozenset(_WireBatch.__struct_fields__)
_review_decoder = msgspec.json.Decoder(_WireReview)
_batch_decoder = msgspec.json.Decoder(_WireBatch)
_whole_decoder = msgspec.json.Decoder(_WireReviews)
_meta_decoder = msgspec.json.Decoder(dict[str, Any] | None)
_array_decoder = msgspec.json.Decoder(list[msgspec.Raw])
_shape_decoder = msgspec.json.Decoder(_Shape)

_HINTS = {
    "`$.created_at`": "; write times by RFC 3339, such as 2026-01-02T03:04:05Z; without a zone they count as UTC",
    " field `": "; OTZYV_MAPPINGS reads the fields of other producers",
}
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def masked(message: Message) -> Message:
    """The message without personal data: in texts, in meta, and in what was rejected with its reasons.

    `source` and `id` stay: a review that comes again is known by them.
    """
    reviews = [
        msgspec.structs.replace(
            review, text=mask(review.text), meta=None if review.meta is None else mask_json(review.meta)
        )
        for review in message.reviews
    ]
    rejected = []
    for item in message.rejected:
        encoding, errors = _encoding(item.payload)
        payload = mask_json(item.payload.decode(encoding, errors), names=False).encode(encoding, errors)
        rejected.append(msgspec.structs.replace(item, reason=mask(item.reason), payload=payload))
    return msgspec.structs.replace(message, reviews=reviews, rejected=rejected)


def _encoding(payload: bytes) -> tuple[str, str]:
    """How to read what was rejected, so that bytes that are no text stay as they came.

    UTF-16 begins with two characters of ASCII, as JSON does, or with its mark.
    """
    big = payload.startswith(codecs.BOM_UTF16_BE) or payload[0:3:2] == b"\0\0"
    little = payload.startswith(codecs.BOM_UTF16_LE) or payload[1:4:2] == b"\0\0"
    if big == little or len(payload) % 2:
        return "utf-8", "surrogateescape"
    return "utf-16-be" if big else "utf-16-le", "surrogatepass"


def decode(body: bytes, *, max_text_chars: int) -> Message:
    """The reviews of one incoming message.

    Raises InvalidReview when the message as a whole cannot be read; a bad review, alone or among good ones, is
    returned in `rejected` instead.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    whole = _decode_whole(body, max_text_chars)
    if whole is not None:
        return whole
    try:
        if body.lstrip().startswith(b"["):
            envelope = _WireBatch(_array_decoder.decode(body))
        elif _shape_decoder.decode(body).reviews is msgspec.UNSET:
            return _decode_single(body, max_text_chars)
        else:
            envelope = _batch_decoder.decode(body)
    except UNREADABLE as error:
        if is_too_deep(body):
            raise InvalidReview(f"message: {TOO_DEEP}") from error
        read_again = None if isinstance(error, msgspec.ValidationError) else _read_leniently(body)
        if read_again is None:
            fault = json_fault(error, body)
            raise InvalidReview(
                f'message: expected a review or {{"reviews": [...]}} in UTF-8 JSON; found: {fault}{_hint(fault)}'
            ) from error
        envelope = read_again
    _check_version(envelope.version)
    if not 1 <= len(envelope.reviews) <= MAX_REVIEWS_PER_MESSAGE:
        raise InvalidReview(
            f"reviews: expected 1 to {MAX_REVIEWS_PER_MESSAGE} reviews in a message, found {len(envelope.reviews)}"
        )
    reviews, rejected = _decode_each(map(bytes, envelope.reviews), max_text_chars)
    return Message(reviews, rejected, envelope.batch)


def _decode_whole(body: bytes, max_text_chars: int) -> Message | None:
    """A batch of which nothing is to be rejected, in a third of the time; None where each has to be looked at."""
    try:
        whole = _whole_decoder.decode(body)
    except UNREADABLE:
        return None
    rows = whole.reviews
    if whole.version != WIRE_VERSION or not 1 <= len(rows) <= MAX_REVIEWS_PER_MESSAGE:
        return None
    if any(row.version != WIRE_VERSION for row in rows):
        return None
    ids = [row.id if isinstance(row.id, str) else str(row.id) for row in rows]
    texts = [row.text for row in rows]
    if not are_plain({row.source for row in rows}, ids, texts, max_text_chars=max_text_chars):
        return None
    try:
        reviews = [
            Review(
                row.source,
                name,
                row.text,
                None if row.created_at is None else in_utc(row.created_at),
                None if row.meta is None else _meta_of(row.meta),
            )
            for row, name in zip(rows, ids, strict=True)
        ]
    except (InvalidReview, *UNREADABLE):
        return None
    return Message(reviews, [], whole.batch)


def _meta_of(given: msgspec.Raw) -> str | None:
    """Raises InvalidReview where it might be too deep, or cannot be stored."""
    found = bytes(given)
    if found.count(b"[") + found.count(b"{") >= MAX_DEPTH:
        raise InvalidReview(f"meta: {TOO_DEEP}")
    meta = _meta_decoder.decode(found)
    return None if meta is None else meta_text(meta)


def _decode_single(body: bytes, max_text_chars: int) -> Message:
    if is_too_deep(body):
        raise InvalidReview(f"message: {TOO_DEEP}")
    reviews, rejected = _decode_each([body], max_text_chars)
    if rejected and rejected[0].source is None and rejected[0].id is None:
        _review_decoder.decode(body)  # raises again: nothing says that it is meant as a review
    return Message(reviews, rejected)


def _read_leniently(body: bytes) -> _WireBatch | None:
    """The envelope of a message that strict JSON does not allow, so that only the reviews at fault are refused.

    Python's own reader takes NaN and halves of surrogate pairs, as Python's and JavaScript's writers do.
    """
    try:
        given = json.loads(body.decode())
        given = {"reviews": given} if isinstance(given, list) else given
        if not isinstance(given, dict) or not isinstance(given.get("reviews"), list):
            return None
        raws = [msgspec.Raw(json.dumps(review).encode()) for review in given["reviews"]]
        envelope = msgspec.convert({**given, "reviews": []}, _WireBatch)
    except (ValueError, RecursionError):
        return None
    return msgspec.structs.replace(envelope, reviews=raws)


def _check_version(version: int) -> None:
    if version != WIRE_VERSION:
        raise InvalidReview(f"version: expected {WIRE_VERSION}, found {version}; see docs/wire-contract.md")


def json_fault(error: Exception, data: bytes) -> str:
    """What is wrong with `data`, in the decoder's words or, where those mislead, in ours."""
    if isinstance(error, RecursionError):
        return f"nesting more than {MAX_DEPTH} levels deep"
    if isinstance(error, UnicodeDecodeError):
        return "bytes that are not UTF-8"
    if not isinstance(error, msgspec.ValidationError) and _LONE_SURROGATE.search(data):
        return "a lone surrogate (half of a \\ud83d\\ude00 pair)"
    return str(error)


def _hint(fault: str) -> str:
    return next((hint for sign, hint in _HINTS.items() if sign in fault), "")


def _decode_each(payloads: Iterable[bytes], max_text_chars: int) -> tuple[list[Review], list[Rejected]]:
    reviews: list[Review] = []
    rejected: list[Rejected] = []
    for payload in payloads:
        if is_too_deep(payload):
            rejected.append(Rejected(f"review: {TOO_DEEP}", payload))
            continue
        try:
            wire = _review_decoder.decode(payload)
        except UNREADABLE as error:
            rejected.append(_unreadable(error, payload))
            continue
        try:
            _check_version(wire.version)
            review = make(
                wire.source,
                wire.id,
                wire.text,
                created_at=wire.created_at,
                meta=wire.meta,
                max_text_chars=max_text_chars,
            )
            reviews.append(review)
        except InvalidReview as error:
            name = wire.source[:MAX_NAME_CHARS], str(wire.id)[:MAX_NAME_CHARS]
            rejected.append(Rejected(str(error), payload, *name))
    return reviews, rejected


def _unreadable(error: Exception, payload: bytes) -> Rejected:
    """A review that the decoder refuses, with as much of its name as can be read all the same."""
    fault = json_fault(error, payload)
    reason = f"review: expected the fields of the wire contract; found: {fault}{_hint(fault)}"
    try:
        given = json.loads(payload.decode())
    except (ValueError, RecursionError):
        given = None
    fields = given if isinstance(given, dict) else {}
    return Rejected(reason, payload, _name_in(fields, "source"), _name_in(fields, "id"))


def _name_in(fields: dict[str, Any], field: str) -> str | None:
    """The source or id among the fields of a review, if it could be stored."""
    value = fields.get(field)
    if field == "id" and type(value) is int:
        value = str(value)
    if isinstance(value, str):
        with suppress(InvalidReview):
            check_name(field, value)
            return value
    return None


def encode_reviews(reviews: Iterable[Review]) -> bytes:
    """Reviews that were accepted once, as a message of the wire contract."""
    return encode(
        msgspec.structs.asdict(review)
        | {"meta": None if review.meta is None else msgspec.Raw(review.meta.encode())}
        for review in reviews
    )


def encode(reviews: Iterable[dict[str, Any]], batch: BatchPart | None = None) -> bytes:
    """A message of the wire contract, for producers. `reviews` are objects with the contract's fields."""
    message: dict[str, Any] = {"version": WIRE_VERSION, "reviews": list(reviews)}
    if batch is not None:
        message["batch"] = batch
    return msgspec.json.encode(message)
