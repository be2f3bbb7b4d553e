"""Why a server refuses a request, in its own words and without anything of the review; and whether it is too long.

Known forms of a body: `{"error": {"message", "type", "code"}}` (OpenAI, llama.cpp, newer vLLM, Ollama),
`{"object": "error", "message", "type"}` (older vLLM, SGLang), `{"error": "text"}` (Ollama, llama.cpp's router),
`{"detail": "text"}` and `{"detail": [{"loc", "msg", "input"}]}` (FastAPI: `transformers serve`, proxies), plain text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

MOST_CHARS: Final = 200
"""Of a reason that are repeated."""
HIDDEN: Final = "…"

_TOO_LONG: Final = re.compile(
    r"exceed_context_size|context_length_exceeded|maximum context|context[ _](?:length|size|window)"
    r"|longer than the (?:model|maximum)|prompt is too long|too many (?:input )?tokens|max_(?:model_len|seq_len)",
    re.IGNORECASE,
)
_WORD: Final = re.compile(r"\w+")
_HARMLESS: Final = re.compile(r"[a-z_]{1,3}", re.IGNORECASE)
"""Words so short that they tell nothing of a review although they may be in it."""


class Reason(msgspec.Struct, frozen=True):
    """What a server said; empty where it said nothing that can be repeated."""

    text: str
    too_long: bool


def reason(body: bytes, sent: Sequence[str]) -> Reason:
    """The reason in the body of a refusal. Words that are in what was sent, reviews and key, are hidden."""
    said = " ".join(_said(body).split())
    known = " ".join(sent).casefold()

    def hidden(word: re.Match[str]) -> str:
        return word[0] if _HARMLESS.fullmatch(word[0]) or word[0].casefold() not in known else HIDDEN

    shown = "".join(mark if mark.isprintable() else " " for mark in _WORD.sub(hidden, said[: 2 * MOST_CHARS]))
    shown = re.sub(rf"{HIDDEN}(?:\W*{HIDDEN})+", HIDDEN, shown)
    return Reason(shown[:MOST_CHARS].strip().rstrip("."), bool(_TOO_LONG.search(said)))


def _said(body: bytes) -> str:
    """The message with its type and code, from wherever this server keeps them."""
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        text = body[: 4 * MOST_CHARS].decode(errors="replace")
        return "" if "<" in text else text
    if not isinstance(found, dict):
        return ""
    found = found.get("error") or found.get("detail") or found
    if isinstance(found, list):
        # What was put in stands in `input`, and is left alone.
        return "; ".join(f"{one.get('loc')}: {one.get('msg')}" for one in found if isinstance(one, dict))
    if isinstance(found, dict):
        return ", ".join(str(found[name]) for name in ("message", "type", "code") if found.get(name))
    return str(found)
