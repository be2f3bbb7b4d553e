"""Log lines of Celery, kombu and other libraries, in the same form as ours."""

from __future__ import annotations

import logging

import structlog
from celery.exceptions import Reject
from celery.signals import setup_logging

from shared.settings import Settings


class StructlogHandler(logging.Handler):
    """Hands records of Python's logging on to structlog, as it is configured at the moment."""

    def emit(self, record: logging.LogRecord) -> None:
        """One line, with the name of the logger that wrote it."""
        try:
            log = structlog.get_logger()
            error = record.exc_info[1] if record.exc_info else None
            # Raised `from None`: what happened has been told already, and how it came to that is of no use.
            told = isinstance(error, Reject) and error.__suppress_context__
            shown = None if told else record.exc_info or None
            log.log(record.levelno, record.getMessage(), logger=record.name, exc_info=shown)
        except Exception:  # noqa: BLE001  logging's own way: a line that cannot be written stops nothing
            self.handleError(record)


def install(settings: Settings) -> None:
    """From now on, also for what a Celery worker forks."""
    root = logging.getLogger()
    root.handlers = [StructlogHandler()]
    root.setLevel(settings.log_level.upper())
    logging.captureWarnings(capture=True)
    # Celery sets up logging of its own unless somebody listens to this.
    setup_logging.connect(lambda **_: None, weak=False)
