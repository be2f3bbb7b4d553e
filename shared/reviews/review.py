"""A review: what makes a text and its names acceptable. The contract by which it comes is in `wire`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import msgspec

from shared.errors import InvalidReview
from shared.text.nesting import MAX_DEPTH, is_too_deep

MAX_NAME_CHARS = 200
MAX_META_BYTES = 16_384

# White space, and the marks that show nothing by themselves: joiners, directions, soft hyphen, byte order mark.
_VISIBLE = re.compile(r"[^\s\x00-\x1f\x7f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_NUL_IN_JSON = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class Review(msgspec.Struct, frozen=True, gc=False):
    """One customer text. `(source, id)` names it for ever; `text` holds no NUL and is never blank."""

    source: str
    id: str
    text: str
    created_at: datetime | None = None
    meta: str | None = None  # JSON text of an object

    @property
    def text_sha(self) -> str:
        """SHA-256 of the UTF-8 text, in hex."""
        return text_sha(self.text)


TOO_DEEP = f"expected at most {MAX_DEPTH} objects and arrays in each other, found more"


def clean(text: str) -> str:
    """The text as it is stored: without NUL characters, which PostgreSQL cannot hold."""
    return text.replace("\x00", "") if "\x00" in text else text


def joined(parts: Iterable[str]) -> str:
    """The parts of a text that are not empty, each in lines of its own."""
    return "\n".join(part for part in parts if part.strip())


def text_sha(text: str) -> str:
    """SHA-256 of the UTF-8 text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def make(
    source: str,
    external_id: str | int,
    text: str,
    *,
    created_at: datetime | None = None,
    meta: dict[str, Any] | None = None,
    max_text_chars: int,
) -> Review:
    """A review that is safe to store; NUL characters are dropped from its text, a moment without a zone is in UTC.

    Raises InvalidReview that says what was expected and what was found.
    """
    external_id = str(external_id)
    check_name("source", source)
    check_name("id", external_id)
    text = clean(text)
    if not _VISIBLE.search(text):
        raise InvalidReview("text: expected at least one visible character, found an empty text")
    if len(text) > max_text_chars:
        raise InvalidReview(
            f"text: expected at most {max_text_chars} characters, found {len(text)}; "
            "shorten it or raise OTZYV_MAX_TEXT_CHARS"
        )
    _check_unicode("text", text)
    return Review(
        source,
        external_id,
        text,
        None if created_at is None else in_utc(created_at),
        None if meta is None else meta_text(meta),
    )


def in_utc(moment: datetime) -> datetime:
    """A moment in UTC, as which one without a zone counts. Raises InvalidReview outside of its years 1 to 9999."""
    if moment.tzinfo is UTC:
        return moment
    # PostgreSQL knows no offset of 16 hours or more.
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError as error:
        raise InvalidReview(
            f"created_at: expected a moment in the years 1 to 9999 of UTC, found {moment.isoformat()}"
        ) from error


def are_plain(
    sources: Iterable[str], ids: Sequence[str], texts: Sequence[str], *, max_text_chars: int
) -> bool:
    """Whether reviews with these names and texts are safe to store as they are; all at once, since most are.

    `ids` and `texts` are what a decoder made of UTF-8, so that none has half of a surrogate pair.
    """
    try:
        for source in sources:
            check_name("source", source)
    except InvalidReview:
        return False
    return (
        min(map(len, ids)) >= 1
        and max(map(len, ids)) <= MAX_NAME_CHARS
        and not any(map(str.isspace, ids))
        and max(map(len, texts)) <= max_text_chars
        and "\x00" not in "".join(chain(ids, texts))
        and all(map(_VISIBLE.search, texts))
    )


def check_name(field: str, value: str) -> None:
    """Raises InvalidReview for a source or id that cannot be stored."""
    if not 1 <= len(value) <= MAX_NAME_CHARS:
        raise InvalidReview(f"{field}: expected 1 to {MAX_NAME_CHARS} characters, found {len(value)}")
    if value.isspace():
        raise InvalidReview(f"{field}: expected at least one visible character, found white space")
    if "\x00" in value:
        raise InvalidReview(f"{field}: expected no NUL character, found one")
    _check_unicode(field, value)


def _check_unicode(field: str, value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidReview(
            f"{field}: expected Unicode text, found a lone surrogate at {error.start}"
        ) from error


def meta_text(meta: dict[str, Any]) -> str:
    """An object as JSON. Raises InvalidReview where it cannot be stored."""
    try:
        encoded = msgspec.json.encode(meta)
    except RecursionError as error:
        raise InvalidReview(f"meta: {TOO_DEEP}") from error
    if is_too_deep(encoded):
        raise InvalidReview(f"meta: {TOO_DEEP}")
    if len(encoded) > MAX_META_BYTES:
        raise InvalidReview(f"meta: expected at most {MAX_META_BYTES} bytes of JSON, found {len(encoded)}")
    if _NUL_IN_JSON.search(encoded):
        raise InvalidReview("meta: expected no NUL character, found \\u0000; PostgreSQL cannot store it")
    return encoded.decode()
