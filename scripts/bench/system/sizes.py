"""How many bytes a stored and labelled review costs: of WAL, and of tables with their indexes."""

from __future__ import annotations

import msgspec
from psycopg2.errors import InsufficientPrivilege

from shared.store import Database

BYTES = {"wal": "WAL of a review, bytes", "tables": "tables and indexes of a review, bytes"}
WHOLE_PAGES = (
    "WAL has whole pages in it: a checkpoint came meanwhile, or none could be made before; that takes a superuser, or "
    "pg_checkpoint"
)
NOW = """
    SELECT (pg_current_wal_lsn() - '0/0')::bigint, (redo_lsn - '0/0')::bigint,
        (SELECT sum(pg_total_relation_size(oid)) FROM pg_class
            WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace)
    FROM pg_control_checkpoint()
"""


class ReviewBytes(msgspec.Struct, frozen=True):
    """Bytes of a review: of WAL, all that the server writes there meanwhile, and of the tables and their indexes."""

    wal: float
    tables: float


class Sizes:
    """What a database and its server's WAL have grown by since the last look.

    After a checkpoint the first change of each page is written to WAL with the whole page. So there is one before the
    first review, and pages that are new since then need none; `pages_are_whole` says that another came meanwhile, or
    that none could be made at first.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._is_clean = checkpoint(database)
        self._wal, self._redo, self._tables = self._now()
        self._first_redo = self._redo

    def grown(self, reviews: int) -> ReviewBytes:
        """By how much for each of so many reviews, since the last look."""
        wal, tables = self._wal, self._tables
        self._wal, self._redo, self._tables = self._now()
        return ReviewBytes((self._wal - wal) / reviews, (self._tables - tables) / reviews)

    def look(self) -> None:
        """Begin anew."""
        self.grown(1)

    @property
    def pages_are_whole(self) -> bool:
        """Whether WAL had pages that were there before, as they are after a checkpoint."""
        return not self._is_clean or self._redo != self._first_redo

    def _now(self) -> tuple[int, int, int]:
        with self._database.transaction() as cursor:
            cursor.execute(NOW)
            wal, redo, tables = cursor.fetchone() or (0, 0, 0)
        return int(wal), int(redo), int(tables)


def checkpoint(database: Database) -> bool:
    """Write everything out, so that the server begins each turn alike; False where this user may not."""
    with database.connection(patient=True) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        try:
            cursor.execute("CHECKPOINT")
        except InsufficientPrivilege:
            return False
    return True
