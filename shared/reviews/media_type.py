"""What a message says it is: its media type, its charset and its encoding, as producers write them."""

from __future__ import annotations

import codecs
import re

from shared.errors import InvalidReview

_JSON = re.compile(r"(?:application|text)/json|application/octet-stream|application/[^\s/;]+\+json")
_PARAMETER = re.compile(r';\s*([^\s=;"]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))')
_COMPRESSIONS = frozenset(
    {"gzip", "x-gzip", "deflate", "compress", "x-compress", "br", "zstd", "bzip2", "lzma"}
)
_MOST_CHARS = 200
_SHOWN_CHARS = 100


def check(content_type: object, content_encoding: object) -> None:
    """Raises InvalidReview where they say that a body is no JSON, no UTF-8, or compressed.

    A media type is compared without case, and may have parameters (RFC 9110, 8.3). AMQP's content encoding names what
    HTTP's does, or, with some clients, the charset; one that is neither says nothing.
    """
    named = str(content_type or "").strip()
    if named and (len(named) > _MOST_CHARS or not _JSON.fullmatch(named.partition(";")[0].strip().lower())):
        raise InvalidReview(
            f"message: expected content type application/json, found {named[:_SHOWN_CHARS]!r}; text/json, "
            "application/…+json and none are taken too"
        )
    for name, quoted, plain in _PARAMETER.findall(named):
        charset = re.sub(r"\\(.)", r"\1", quoted) or plain
        if name.lower() == "charset" and _codec(charset) != "utf-8":
            raise InvalidReview(f"message: expected the charset utf-8, found {charset!r}; send JSON as UTF-8")
    encoding = str(content_encoding or "").strip().lower()[:_SHOWN_CHARS]
    if encoding in _COMPRESSIONS:
        raise InvalidReview(
            f"message: expected an uncompressed body, found the content encoding {encoding!r}; send JSON as it is"
        )
    if _codec(encoding).startswith(("utf-16", "utf-32", "cp125", "koi8")):
        raise InvalidReview(
            f"message: expected a body in UTF-8, found the content encoding {encoding!r}; send JSON as UTF-8"
        )


def _codec(charset: str) -> str:
    """One name for all the names of a charset; every text in ASCII is one in UTF-8."""
    try:
        name = codecs.lookup(charset.strip()).name
    except (LookupError, ValueError):
        return charset
    return "utf-8" if name in ("ascii", "utf-8-sig") else name
