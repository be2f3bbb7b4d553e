"""The language of a command, English or Russian, and what it is asked for: sentences, counted things, numbers.

Help, summaries and reports are in it. JSON, logs, metrics, error messages and files are not: programs read them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from gettext import NullTranslations
from pathlib import Path
from typing import Any, Final, Literal

from scripts.language.catalogue import translations

ENGLISH: Final = "en"
RUSSIAN: Final = "ru"
LANGUAGES: Final = (ENGLISH, RUSSIAN)
THIN: Final = "\N{NARROW NO-BREAK SPACE}"
VARIABLE: Final = "OTZYV_LANGUAGE"
_LOCALES: Final = ("LC_ALL", "LC_MESSAGES", "LANG")
_spoken: dict[str, str] = {"language": ENGLISH}


def use(language: str) -> None:
    """From here on, people are told things in this one of LANGUAGES."""
    _spoken["language"] = language


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Another language while this lasts."""
    before = current()
    use(language)
    try:
        yield
    finally:
        use(before)


def current() -> str:
    """The one in use."""
    return _spoken["language"]


def of(environment: Mapping[str, str]) -> str:
    """What an environment asks for: OTZYV_LANGUAGE, else the locale as gettext reads it, else English.

    LANGUAGE, a list, goes before the other variables, but not where they say "C".
    """
    asked = environment.get(VARIABLE, "")
    locale = next((environment[name] for name in _LOCALES if environment.get(name)), "C")
    spoken = [] if locale.split(".")[0] in ("C", "POSIX") else environment.get("LANGUAGE", "").split(":")
    names = (name.partition(".")[0].partition("_")[0] for name in [asked, *spoken, locale])
    return next((name for name in names if name in LANGUAGES), ENGLISH)


def translated(sentence: str, /, **values: Any) -> str:
    """A sentence in the language in use, with its `{names}` filled from the values, if there are any.

    Fractions are written as the language writes them, in as many digits as they need.
    """
    said = catalogue(current()).gettext(sentence) if sentence else ""
    return said.format(**{name: _told(value) for name, value in values.items()}) if values else said


def counted(one: str, many: str, number: int, /, **values: Any) -> str:
    """The same for a sentence that counts something: its form depends on the number.

    The number is put in where it says `{number}`.
    """
    said = catalogue(current()).ngettext(one, many, number)
    return said.format(number=grouped(number), **{name: _told(value) for name, value in values.items()})


def _told(value: Any) -> Any:
    return written(f"{value:g}") if isinstance(value, float) else value


class Sentence:
    """A sentence that is said when it is shown, in the language of that moment. Its values may be sentences too."""

    def __init__(self, text: str, /, **values: Any) -> None:
        self.text = text
        self.values = values

    def __str__(self) -> str:
        """What `translated` gives."""
        return translated(self.text, **self.values)

    @property
    def english(self) -> str:
        """For programs."""
        with speaking(ENGLISH):
            return str(self)


def grouped(number: int) -> str:
    """8297 as `8 297`, with a narrow no-break space, in both languages."""
    return f"{number:,}".replace(",", THIN)


def decimal(number: float, digits: int, sign: Literal["-", "+"] = "-") -> str:
    """0.9786 with three digits as `0.979`, in Russian `0,979`; with the sign `+` also where it is above zero."""
    return written(f"{number:{sign}.{digits}f}")


def written(number: str) -> str:
    """Digits with the decimal mark of the language."""
    return number.replace(".", ",") if current() == RUSSIAN else number


def in_percent(number: str) -> str:
    """Digits with the sign: `56%`, in Russian `56 %`."""
    return f"{number}{THIN if current() == RUSSIAN else ''}%"


@cache
def catalogue(language: str) -> NullTranslations:
    """The translations into a language: none into English, in which sentences stand in code."""
    if language == ENGLISH:
        return NullTranslations()
    return translations(Path(__file__).with_name(f"{language}.po").read_text(encoding="utf-8"))
