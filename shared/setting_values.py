"""Values of settings that are more than a number: which are allowed, and what is said of others."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, SecretStr

Fraction = Annotated[float, Field(ge=0, le=1)]

StageName = Literal["keywords", "zero_shot", "similarity", "llm"]
ArchitectureName = Literal["linear", "lstm", "mlp", "full", "bert_lstm", "lora"]
ARCHITECTURE_NAMES: tuple[ArchitectureName, ...] = ("linear", "lstm", "mlp", "full", "bert_lstm", "lora")
STAGE_NAMES: tuple[StageName, ...] = ("keywords", "zero_shot", "similarity", "llm")


def stage_list(value: str) -> str:
    """Stages in order. Raises ValueError."""
    names = [name.strip() for name in value.split(",") if name.strip()]
    unknown = [name for name in names if name not in STAGE_NAMES]
    if unknown or not names or len(set(names)) != len(names):
        raise ValueError(f"expected different stages out of {', '.join(STAGE_NAMES)}; found {value!r}")
    return ",".join(names)


def threshold_name(value: str) -> str:
    """What a threshold is for. Raises ValueError."""
    if value.partition("/")[0] not in STAGE_NAMES:
        names = ", ".join(STAGE_NAMES)
        raise ValueError(f"expected a stage out of {names}, or stage/category; found {value!r}")
    return value


def architectures(value: str) -> str:
    """Architectures in order. Raises ValueError."""
    names = [name.strip() for name in value.split(",") if name.strip()]
    if set(names) - set(ARCHITECTURE_NAMES) or len(set(names)) != len(names):
        raise ValueError(
            f"expected different architectures out of {', '.join(ARCHITECTURE_NAMES)}; found {value!r}"
        )
    return ",".join(names)


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
