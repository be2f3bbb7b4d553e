"""Who waits for what, since when, how often it was tried, and why it failed last: what else only a log would tell.

A wait that is not renewed long after its next try was due is over: its process is gone, or its message is in a queue.
"""

from __future__ import annotations

import os
import socket
from datetime import datetime
from typing import Final

import msgspec
import structlog
from psycopg2.extensions import cursor as Cursor

from shared.errors import DatabaseUnavailable
from shared.store.postgres.database import Database
from shared.store.postgres.fetched import all_of, first_value

LAPSE_S: Final = 900
"""Seconds after which a wait is over whose next try was due and has not come."""
FORGOTTEN_S: Final = 86_400

log = structlog.get_logger()


class Wait(msgspec.Struct, frozen=True):
    """Tries of one thing that fail for one reason: how many do, the most tries of one, since when, and one of them."""

    what: str
    reason: str
    count: int
    tries: int
    since: datetime
    who: str


def note(cursor: Cursor, key: str, who: str, what: str, reason: str, pause_s: float) -> None:
    """One more try has failed, and the next is due after a pause. `key` names what is tried again."""
    cursor.execute(
        """
        INSERT INTO waits (key, who, what, reason, tries, since, next_at)
        VALUES (%(key)s, %(who)s, %(what)s, %(reason)s, 1, now(), now() + make_interval(secs => %(pause)s))
        ON CONFLICT (key) DO UPDATE SET (who, what, reason, next_at, tries, since) = (
            SELECT EXCLUDED.who, EXCLUDED.what, EXCLUDED.reason, EXCLUDED.next_at,
                CASE WHEN lasts THEN waits.tries + 1 ELSE 1 END, CASE WHEN lasts THEN waits.since ELSE now() END
            FROM (SELECT waits.next_at > now() - make_interval(secs => %(lapse)s) AS lasts) known)
        """,
        {"key": key, "who": who, "what": what, "reason": reason, "pause": pause_s, "lapse": LAPSE_S},
    )


def over(cursor: Cursor, key: str) -> None:
    """It has succeeded, or is given up."""
    cursor.execute("DELETE FROM waits WHERE key = %s", (key,))


def listed(cursor: Cursor, begins: str = "") -> list[Wait]:
    """The waits of now whose `what` begins so, alike ones as one, the oldest first."""
    cursor.execute(
        """
        SELECT what, reason, count(*), max(tries), min(since), min(who) FROM waits
        WHERE starts_with(what, %s) AND next_at > now() - make_interval(secs => %s)
        GROUP BY what, reason ORDER BY min(since), what, reason
        """,
        (begins, LAPSE_S),
    )
    return all_of(cursor, Wait)


def oldest_s(cursor: Cursor) -> float:
    """For how many seconds the oldest wait has lasted; 0 where there is none."""
    cursor.execute(
        """
        SELECT extract(epoch FROM now() - min(since))::float8 FROM waits
        WHERE next_at > now() - make_interval(secs => %s)
        """,
        (LAPSE_S,),
    )
    return max(0.0, first_value(cursor, float) or 0.0)


def forget(cursor: Cursor) -> None:
    """Let go of waits that have been over for a day."""
    cursor.execute(
        "DELETE FROM waits WHERE next_at < now() - make_interval(secs => %s)", (LAPSE_S + FORGOTTEN_S,)
    )


def process() -> str:
    """This process, where it has no name of its own."""
    return f"process {os.getpid()} on {socket.gethostname()}"


class Waiting:
    """The waits of one loop. That one cannot be noted is logged, and never stands in its way."""

    def __init__(self, database: Database, what: str, who: str = "", key: str = "") -> None:
        self._database = database
        self._what = what
        self._who = who or process()
        self._key = key or f"{self._who}: {what}"
        self._lasts = False

    def again(self, reason: object, pause_s: float) -> None:
        """One more try has failed, and the next comes after so many seconds.

        What fails because the database is away is not noted: it could not be, and everybody is told of that otherwise.
        """
        if isinstance(reason, DatabaseUnavailable):
            return
        try:
            with self._database.transaction() as cursor:
                note(cursor, self._key, self._who, self._what, str(reason), pause_s)
            self._lasts = True
        except Exception as error:  # noqa: BLE001  the work itself must not get lost over it
            log.info("wait.not_noted", what=self._what, error=str(error))

    def over(self, *, certainly: bool = False) -> None:
        """It has succeeded, or is given up; `certainly` where another process may have noted the wait."""
        if not self._lasts and not certainly:
            return
        try:
            with self._database.transaction() as cursor:
                over(cursor, self._key)
            self._lasts = False
        except Exception as error:  # noqa: BLE001  neither
            log.info("wait.not_ended", what=self._what, error=str(error))
