"""RabbitMQ's alarms for memory and disk: while one lasts, it takes no messages, and reads nothing where one came."""

from __future__ import annotations

from typing import Final

ALARMS: Final = ("memory", "disk")
"""RabbitMQ has two. It names them in the reason that it gives: `low on memory`, `low on disk`, or both."""

OTHER: Final = "other"
"""A reason that names neither."""


def alarms_in(text: str) -> list[str]:
    """The alarms that RabbitMQ's reason names, or a sentence about it."""
    return [alarm for alarm in ALARMS if alarm in text]


def sentence(reason: str) -> str:
    """What a person has to know of it."""
    named = " and ".join(alarms_in(reason))
    return (
        f"RabbitMQ has blocked publishing: {f'{named} alarm' if named else reason}; sending goes on by itself once it "
        "ends: let workers catch up, or give the server more (`rabbitmq-diagnostics alarms` shows what)"
    )
