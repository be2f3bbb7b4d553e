"""Every setting of Otzyv: one frozen, range-checked object read from the environment (`OTZYV_*`).

Lives here: names, units, ranges, defaults and what each is for. Not here: anything derived from them.
docs/settings.md shows the same table; a test keeps the two together.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as MalformedValue

from shared.errors import SettingsError

_SEE = "\nSee docs/settings.md for ranges and defaults."

StageName = Literal["keywords", "zero_shot", "similarity", "llm"]
STAGE_NAMES: tuple[StageName, ...] = ("keywords", "zero_shot", "similarity", "llm")


def _stage_list(value: str) -> str:
    names = [name.strip() for name in value.split(",") if name.strip()]
    unknown = [name for name in names if name not in STAGE_NAMES]
    if unknown or not names or len(set(names)) != len(names):
        raise ValueError(f"expected different stages out of {', '.join(STAGE_NAMES)}; found {value!r}")
    return ",".join(names)


class Settings(BaseSettings):
    """What a process is told about its surroundings. Raised as SettingsError when a value is out of range."""

    model_config = SettingsConfigDict(env_prefix="OTZYV_", env_ignore_empty=True, extra="ignore", frozen=True)

    amqp_url: str = Field(
        "amqp://guest:guest@127.0.0.1:5672//", description="RabbitMQ, with the virtual host at the end."
    )
    database_url: str = Field(
        "postgresql://postgres@127.0.0.1:5432/otzyv", description="PostgreSQL, as a libpq URL."
    )
    taxonomy: Path | None = Field(
        None, description="Taxonomy file in YAML. Empty: the nine categories that ship with Otzyv."
    )
    cascade_stages: Annotated[str, AfterValidator(_stage_list)] = Field(
        "keywords",
        description="Stages in use, in order, separated by commas. In this version: keywords. Reviews of which "
        "the last stage is unsure become `needs_review`.",
    )
    thresholds: dict[StageName, Annotated[float, Field(ge=0, le=1)]] = Field(
        {},
        description="Confidence from which a stage's verdict is kept, as JSON: "
        '`{"keywords": 0.9}`. A stage not named uses its own default.',
    )
    batch_rows: int = Field(
        500, ge=1, le=500, description="Reviews in one task, and in one message that `enqueue` sends."
    )
    linger_ms: int = Field(
        50, ge=0, le=60_000, description="How long ingest gathers messages before it stores a short batch."
    )
    ingest_prefetch_messages: int = Field(
        200, ge=1, le=10_000, description="Messages that ingest may hold unacknowledged; bounds its memory."
    )
    max_text_chars: int = Field(
        20_000, ge=100, le=1_000_000, description="Longest review text accepted; a longer one is rejected."
    )
    max_message_bytes: int = Field(
        16_777_216, ge=1_000, le=134_217_728, description="Largest incoming message accepted, in bytes."
    )
    worker_processes: int = Field(
        0, ge=0, le=512, description="Processes of one CPU worker. 0: one per core this process may use."
    )
    task_soft_limit_s: int = Field(
        120, ge=1, le=1_500, description="Seconds after which a task is stopped and goes to the dead letters."
    )
    task_attempts: int = Field(
        10, ge=1, le=100, description="Tries of a task on errors that may pass, with growing pauses."
    )
    sweep_after_s: int = Field(
        900,
        ge=10,
        le=604_800,
        description="Seconds a review may wait in an empty queue before it is sent again.",
    )
    connect_timeout_s: int = Field(
        5, ge=1, le=120, description="Seconds to wait for a connection to RabbitMQ or PostgreSQL."
    )
    statement_timeout_s: int = Field(
        60, ge=1, le=3_600, description="Seconds after which PostgreSQL gives up on one statement."
    )
    database_connections: int = Field(
        4, ge=1, le=100, description="Most PostgreSQL connections that one process opens."
    )
    log_format: Literal["console", "json"] = Field(
        "console", description="Log lines for people (`console`) or for machines (`json`)."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe log lines shown."
    )
    flower_port: int = Field(5555, ge=1, le=65_535, description="Port on which `otzyv flower` listens.")
    flower_address: str = Field("127.0.0.1", description="Address on which `otzyv flower` listens.")
    flower_basic_auth: str = Field(
        "", description="`user:password` for Flower, which refuses to start without."
    )

    @property
    def stages(self) -> tuple[StageName, ...]:
        """`cascade_stages` as names, in order."""
        chosen = self.cascade_stages.split(",")
        return tuple(sorted((name for name in STAGE_NAMES if name in chosen), key=chosen.index))


@cache
def settings() -> Settings:
    """The process's settings, read once. Raises SettingsError that names the variable and the range."""
    return load()


def load(**overrides: object) -> Settings:
    """Settings from the environment, with `overrides` on top."""
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        lines = [f"{_place(item['loc'])}: {item['msg']}; found {item['input']!r}" for item in error.errors()]
        raise SettingsError("\n".join(lines) + _SEE) from error
    except MalformedValue as error:
        # Only `thresholds` is read as JSON.
        found = os.environ.get("OTZYV_THRESHOLDS")
        raise SettingsError(
            f'OTZYV_THRESHOLDS: expected a JSON object such as {{"keywords": 0.9}}; found {found!r}{_SEE}'
        ) from error


def _place(location: tuple[int | str, ...]) -> str:
    """The variable, and where in its value: `OTZYV_THRESHOLDS (keywords)`."""
    variable, *rest = map(str, location)
    inner = [part for part in rest if part != "[key]"]
    return f"OTZYV_{variable.upper()}" + (f" ({'.'.join(inner)})" if inner else "")
