"""Structured log lines: an event name plus ids and counts. Review text is never logged.

Errors of libraries may quote what they could not read, so strings are masked all the same.
"""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from shared.settings import Settings
from shared.text.masking import mask_all


def configure(settings: Settings) -> None:
    """Send log lines to standard error, for people or for machines as the settings say."""
    steps: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    if settings.mask_logs:
        steps.append(masked)
    last: structlog.typing.Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*steps, last],
        wrapper_class=structlog.make_filtering_bound_logger(settings.log_level),
        # Line and line break in one write: processes that share a log would come between two of them.
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )


def masked(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor of structlog that masks personal data in all values, however deep. Objects become what they print."""
    for name, value in event.items():
        event[name] = mask_all(value if isinstance(value, _PLAIN) else str(value))
    return event


_PLAIN = (str, int, float, bool, dict, list, tuple, type(None))
