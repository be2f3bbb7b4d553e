"""The day's tokens for language models, shared by all workers. Implements `shared.stages.llm.stage.Budget`."""

from __future__ import annotations

from datetime import UTC, datetime

from psycopg2.extensions import cursor as Cursor

from shared.store.postgres.database import Database
from shared.store.postgres.fetched import first_value


class DailyTokens:
    """At most `limit` tokens from midnight to midnight (UTC), over all who use this database; 0 is no limit.

    Tokens are reserved before a question is sent and corrected once its answer is there, for the day on which they
    were reserved. What a killed process had reserved counts as spent: it may have been.
    """

    def __init__(self, database: Database, limit: int) -> None:
        self._database = database
        self.limit = limit
        self._day = today()

    def take(self, tokens: int) -> bool:
        """Reserve tokens, unless the day's limit would be passed."""
        self._day = today()
        with self._database.transaction() as cursor:
            cursor.execute("INSERT INTO llm_usage (day) VALUES (%s) ON CONFLICT DO NOTHING", (self._day,))
            cursor.execute(
                "UPDATE llm_usage SET tokens = tokens + %s WHERE day = %s AND (%s = 0 OR tokens + %s <= %s)",
                (tokens, self._day, self.limit, tokens, self.limit),
            )
            return cursor.rowcount == 1

    def correct(self, taken: int, spent: int) -> None:
        """Replace what was reserved by what was spent."""
        with self._database.transaction() as cursor:
            cursor.execute(
                "UPDATE llm_usage SET tokens = greatest(0, tokens + %s) WHERE day = %s",
                (spent - taken, self._day),
            )


def today() -> str:
    """The day in UTC, which a budget is for."""
    return datetime.now(UTC).date().isoformat()


def spent_today(cursor: Cursor) -> int:
    """Tokens that are spent or reserved today."""
    cursor.execute("SELECT tokens FROM llm_usage WHERE day = %s", (today(),))
    return first_value(cursor, int) or 0
