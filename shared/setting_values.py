"""Values of settings that are more than a number: which are allowed, and what is said of others."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Annotated

from pydantic import Field, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from shared.catalogue import ARCHITECTURES, STAGES

Fraction = Annotated[float, Field(ge=0, le=1)]


def names_in(value: str) -> tuple[str, ...]:
    """The names in a list that is separated by commas, in order."""
    return tuple(name.strip() for name in value.split(",") if name.strip())


def _different(value: str, what: str, known: Collection[str], least: int = 0) -> str:
    names = names_in(value)
    if set(names) - set(known) or len(set(names)) != len(names) or len(names) < least:
        raise ValueError(f"expected different {what} out of {', '.join(known)}; found {value!r}")
    return ",".join(names)


def stage_list(value: str) -> str:
    """Stages in order, one at least. Raises ValueError."""
    return _different(value, "stages", STAGES, least=1)


def threshold_name(value: str) -> str:
    """What a threshold is for. Raises ValueError."""
    if value.partition("/")[0] not in STAGES:
        names = ", ".join(STAGES)
        raise ValueError(f"expected a stage out of {names}, or stage/category; found {value!r}")
    return value


def architectures(value: str) -> str:
    """Architectures in order, or none. Raises ValueError."""
    return _different(value, "architectures", ARCHITECTURES)


_CRON_FIELD = re.compile(r"(\*|\d+(-\d+)?)(/\d+)?(,(\*|\d+(-\d+)?)(/\d+)?)*")


def crontab(value: str) -> str:
    """When something is done again and again; empty for never. Raises ValueError."""
    fields = value.split()
    if fields and (len(fields) != 5 or not all(_CRON_FIELD.fullmatch(field) for field in fields)):
        raise ValueError(
            "expected five crontab fields of numbers (minute, hour, day of month, month, day of week), such as "
            f"'0 3 * * 1'; found {value!r}"
        )
    return " ".join(fields)


def login(password: SecretStr) -> SecretStr:
    """A password, or nothing. Raises ValueError."""
    if 0 < len(password.get_secret_value()) < 8:
        raise ValueError("expected a password of 8 or more characters, found a shorter one")
    return password


_EXPECTED = {
    "bool_parsing": "expected true or false",
    "int_parsing": "expected a whole number",
    "float_parsing": "expected a number",
}


def complaint(item: ErrorDetails, fields: Mapping[str, FieldInfo]) -> str:
    """The variable, and where in its value (`OTZYV_THRESHOLDS (keywords)`), with what was expected and found.

    That is our own sentence, the range of a number with both ends, or pydantic's words.
    """
    name, *inner = (str(part) for part in item["loc"] if part != "[key]")
    place = f"OTZYV_{name.upper()}" + (f" ({'.'.join(inner)})" if inner else "")
    own = item.get("ctx", {}).get("error")
    if isinstance(own, ValueError):
        return f"{place}: {own}"
    words = _EXPECTED.get(item["type"], item["msg"])
    if item["type"] in ("greater_than_equal", "less_than_equal"):
        metadata = fields[name].metadata
        ends = [getattr(one, end) for end in ("ge", "le") for one in metadata if hasattr(one, end)]
        words = f"expected {ends[0]:,} to {ends[1]:,}" if len(ends) == 2 else words
    return f"{place}: {words}; found {found(item['input'], fields[name])}"


def found(value: object, field: FieldInfo) -> str:
    """A value in a message about it: not that of a secret one."""
    return repr(value) if field.repr else "something else"
