"""A catalogue of GNU gettext: a `.po` file as translators edit it, read when it is needed.

It is not compiled ahead: reading takes some milliseconds, only where the language is not English, and a compiled file
beside its source would be stale after the next pull.
"""

from __future__ import annotations

import json
import re
import struct
from gettext import GNUTranslations
from io import BytesIO
from typing import Final

_FIELD: Final = re.compile(
    r'^(msgctxt|msgid|msgid_plural|msgstr(?:\[\d\])?) ((?:"(?:[^"\\]|\\.)*"\s*)+)', re.MULTILINE
)
_BREAK: Final = re.compile(r'"\s*\n\s*"')
_MAGIC: Final = 0x950412DE


def entries(text: str) -> list[dict[str, str]]:
    """The entries of a `.po` file by their fields, the header first; what is marked as fuzzy is left out."""
    return [
        {name: json.loads(_BREAK.sub("", value)) for name, value in _FIELD.findall(block)}
        for block in re.split(r"\n\s*\n", text)
        if "\nmsgid " in f"\n{block}" and "#, fuzzy" not in block
    ]


def translations(text: str) -> GNUTranslations:
    """What gettext gives for the file's compiled form."""
    return GNUTranslations(BytesIO(_compiled(entries(text))))


def _compiled(found: list[dict[str, str]]) -> bytes:
    """Entries as a `.mo` file: https://www.gnu.org/software/gettext/manual/html_node/MO-Files.html."""
    pairs = sorted((_key(entry).encode(), _value(entry).encode()) for entry in found)
    head = [_MAGIC, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 0]
    places, texts = [], bytearray()
    for text in [key for key, _ in pairs] + [value for _, value in pairs]:
        places += [len(text), 28 + 16 * len(pairs) + len(texts)]
        texts += text + b"\0"
    return struct.pack(f"<{7 + len(places)}I", *head, *places) + texts


def _key(entry: dict[str, str]) -> str:
    plural = f"\0{entry['msgid_plural']}" if "msgid_plural" in entry else ""
    context = f"{entry['msgctxt']}\4" if "msgctxt" in entry else ""
    return f"{context}{entry['msgid']}{plural}"


def _value(entry: dict[str, str]) -> str:
    return "\0".join(value for name, value in entry.items() if name.startswith("msgstr"))
