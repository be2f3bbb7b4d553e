"""Places between two steps of a delivery at which tests let a process die as if it were killed.

Nothing happens unless TEST_OTZYV_CRASH_AT names the place. Not a setting: no deployment has a use for it.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Final, Literal

VARIABLE: Final = "TEST_OTZYV_CRASH_AT"
"""`place` or `place=file`: with a file, only while it exists, and it is removed first: one crash for each file.

A file that says `group` takes along the processes that were started together with this one: a worker's parent too.
"""

CrashPoint = Literal[
    "ingest.stored",  # committed, first tasks not sent
    "ingest.sent",  # first tasks sent, messages not acknowledged
    "stage.committed",  # labels committed, the unsure not sent on
    "stage.sent",  # the unsure sent on, message not acknowledged
    "predictions.committed",  # predictions committed, message not acknowledged
]

_place, _, _file = os.environ.get(VARIABLE, "").partition("=")


def at(place: CrashPoint) -> None:
    """Die here by SIGKILL if the test asked for it."""
    if place != _place:
        return
    whom = ""
    if _file:
        try:
            whom = Path(_file).read_text()
            Path(_file).unlink()
        except FileNotFoundError:
            return
    if whom == "group":
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
