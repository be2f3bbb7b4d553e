"""The Russian catalogue: read as gettext reads it, whole, and with the same names in every translation."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from scripts.language import catalogue as catalogues
from scripts.language.catalogue import entries, translations

RUSSIAN = Path(catalogues.__file__).with_name("ru.po").read_text(encoding="utf-8")
ENTRIES = entries(RUSSIAN)[1:]
# What programs read, and what is put in: fields, options, settings, commands in backticks, columns, markup.
KEPT = re.compile(
    r"\{\w*\}|%\(\w+\)s|%%|(?<![\w-])--[a-z][\w-]*|\bOTZYV_[A-Z_]+\b|`[^`]+`|\[/?blue\]|</?\w+[^>]*>|\n\n"
)

SAMPLE = r"""
msgid ""
msgstr ""
"Content-Type: text/plain; charset=UTF-8\n"
"Plural-Forms: nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2);\n"

#: somewhere.py:1
#, python-brace-format
msgid ""
"one \"long\" "
"sentence\n"
msgstr ""
"одна «длинная» "
"фраза\n"

msgctxt "of a book"
msgid "page"
msgstr "страница"

#, fuzzy
msgid "perhaps"
msgstr "вряд ли"

#~ msgid "gone"
#~ msgstr "ушло"

msgid "{n} day"
msgid_plural "{n} days"
msgstr[0] "{n} день"
msgstr[1] "{n} дня"
msgstr[2] "{n} дней"
"""


def test_a_file_as_translators_write_it_is_read_as_gettext_reads_it():
    russian = translations(SAMPLE)
    assert russian.gettext('one "long" sentence\n') == "одна «длинная» фраза\n"
    assert russian.pgettext("of a book", "page") == "страница"
    assert russian.gettext("page") == "page"
    assert russian.gettext("perhaps") == "perhaps"
    assert russian.gettext("gone") == "gone"
    assert [russian.ngettext("{n} day", "{n} days", n) for n in (1, 2, 5)] == [
        "{n} день",
        "{n} дня",
        "{n} дней",
    ]


def test_no_sentence_is_in_the_catalogue_twice_or_waits_for_its_translation():
    keys = Counter((entry.get("msgctxt"), entry["msgid"]) for entry in ENTRIES)
    assert [key for key, times in keys.items() if times > 1] == []
    blocks = RUSSIAN.count("\nmsgid ")
    assert blocks == len(ENTRIES) + 1, "an entry is fuzzy, or two are not parted by a blank line"
    assert [entry["msgid"] for entry in ENTRIES if not all(forms(entry))] == []


def forms(entry: dict[str, str]) -> list[str]:
    return [text for name, text in entry.items() if name.startswith("msgstr")]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["msgid"][:50])
def test_a_translation_keeps_what_is_put_in_and_what_programs_read(entry):
    kept = Counter(KEPT.findall(entry.get("msgid_plural", entry["msgid"])))
    for form in forms(entry):
        assert Counter(KEPT.findall(form)) == kept


@pytest.mark.parametrize(
    "entry", [entry for entry in ENTRIES if "msgid_plural" in entry], ids=lambda entry: entry["msgid"][:50]
)
def test_what_is_counted_has_the_three_forms_of_russian(entry):
    assert [name for name in entry if name.startswith("msgstr")] == ["msgstr[0]", "msgstr[1]", "msgstr[2]"]
    assert len(set(forms(entry))) >= 2
