"""A review: what makes a text and its names acceptable. The contract by which it comes is in `wire`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from datetime import UTC, datetime
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
    if created_at is not None:
        # PostgreSQL knows no offset of 16 hours or more.
        try:
            created_at = created_at.astimezone(UTC) if created_at.tzinfo else created_at.replace(tzinfo=UTC)
        except OverflowError as error:
            raise InvalidReview(
                f"created_at: expected a moment in the years 1 to 9999 of UTC, found {created_at.isoformat()}"
            ) from error
    return Review(source, external_id, text, created_at, None if meta is None else _meta_text(meta))


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


def _meta_text(meta: dict[str, Any]) -> str:
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
