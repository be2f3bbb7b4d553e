"""The encoding of a text file, found by its bytes: UTF-8, UTF-16 or cp1251; or checked where a person has named one."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from shared.errors import InputFileError

CHUNK: Final = 1 << 20
MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CYRILLIC: Final = re.compile(r"[А-Яа-яЁё]")
_WORDS: Final = re.compile(r"[А-Яа-яЁё]{2,}")
_OF_MACINTOSH: Final = re.compile(r"[а-яё]Я")
_SERBIAN: Final = re.compile(r"[ЂЃѓЉЊЌЋЏђљњќћџ]")
"""Where the Macintosh has Russian capitals."""
_CAPITALS: Final = re.compile(r"[А-Ю]")
_TYPOGRAPHY: Final = dict.fromkeys(map(ord, "«»„“”‘’–—…•№°±\xa0\xad€™"))


def encoding_of(path: Path, opened: Callable[[], io.BufferedIOBase], named: str | None) -> str:
    """The encoding that is named, or the one found. Raises InputFileError where the file is certainly of another."""
    with opened() as handle:
        start = chunk = handle.read(CHUNK)
        while chunk.isascii() and (more := handle.read(CHUNK)):
            chunk = more
    marked = next((name for mark, name in MARKS if start.startswith(mark)), None)
    sure = marked or utf_16_without_mark(start) or ("utf-8" if is_utf_8(chunk) else None)
    if named is not None:
        if marked is not None and _family(marked) == _family(named):
            return marked  # Python leaves the mark in the text where the order of bytes is named
        if sure is None or chunk.isascii() or _family(sure) == _family(named):
            return named
        raise InputFileError(f"{path}: expected text in {named}, found {_family(sure)}; leave out --encoding")
    if sure is None and not is_russian(chunk.decode("cp1251", "replace")):
        raise InputFileError(
            f"{path}{first_bad_line(opened, 'utf-8')}: expected text in utf-8, utf-16 or cp1251, found bytes that are "
            "none of these; mend that line, or name the file's encoding with --encoding, for example koi8-r or "
            "mac-cyrillic, or cp1251 where words are few"
        )
    return sure or "cp1251"


def python_name(name: str) -> str:
    """Python's own name of an encoding of text. Raises InputFileError."""
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=name)  # knows which codecs are of text
        known = codecs.lookup(name).name
    except (LookupError, ValueError) as error:
        raise InputFileError(
            f"--encoding: expected an encoding of text that Python knows, such as cp1251, found {name!r}"
        ) from error
    return "utf-8-sig" if known == "utf-8" else known


def first_bad_line(opened: Callable[[], io.BufferedIOBase], encoding: str) -> str:
    """Where decoding fails, for people; encodings in which a line end is more than one byte have no lines."""
    if encoding.startswith(("utf-16", "utf-32")):
        return ""
    with opened() as handle:
        for number, line in enumerate(handle, 1):
            try:
                line.decode(encoding)
            except UnicodeError:
                return f", line {number}"
    return ""


def _family(encoding: str) -> str:
    """`utf-16` of utf-16-le, utf_16_le and utf-16."""
    return "-".join(re.split(r"[-_]", encoding)[:2])


def utf_16_without_mark(start: bytes) -> str | None:
    """Every other byte of Russian text in UTF-16 is that of a block: 0 of ASCII, 4 of Cyrillic."""
    for name, high in (("utf-16-le", start[1::2]), ("utf-16-be", start[::2])):
        if high and b"\0" in high and high.count(0) + high.count(4) > 0.9 * len(high):
            return name
    return None


def is_utf_8(chunk: bytes) -> bool:
    """Whether it is, though a character may be cut at its ends, and one in five be damaged: that is told later."""
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(chunk)
    other = len(text) - sum(map(str.isascii, text)) if not text.isascii() else 0
    return 5 * (text.count("\ufffd") - chunk.count("\ufffd".encode())) <= other


def is_russian(text: str) -> bool:
    """Whether it reads as Russian words, mostly in small letters: another encoding gives capitals or other signs.

    That of the Macintosh, of which Excel there has a CSV of its own, has only the small letters in common, without я.
    """
    if len(_OF_MACINTOSH.findall(text)) > text.count("я"):
        return False
    if _SERBIAN.search(text) and not _CAPITALS.search(text):
        return False
    other = sum(not char.isascii() for char in text.translate(_TYPOGRAPHY))
    letters = len(_CYRILLIC.findall(text))
    small = sum(map(str.islower, _CYRILLIC.findall(text)))
    in_words = sum(map(len, _WORDS.findall(text)))
    return letters >= 0.7 * other and small >= 0.5 * letters and in_words >= 0.7 * letters
