"""Connections and transactions, and the one seam where driver errors become ours."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar, cast

import psycopg2
import psycopg2.errors
import structlog
from psycopg2.extensions import cursor as PlainCursor
from psycopg2.extensions import make_dsn, parse_dsn
from psycopg2.pool import PoolError, ThreadedConnectionPool

from shared.errors import ConfigurationError, DatabaseUnavailable, PoisonError, SchemaError
from shared.store.postgres import refusals
from shared.store.postgres.deadlines import Connection, Cursor, Deadlines
from shared.store.postgres.options import SessionOptions

log = structlog.get_logger()

_MIGRATE = "run `otzyv db upgrade`"

# The same statement with the same values would fail again. Limits are of too deep JSON or too long index entries.
_REFUSED = (
    psycopg2.DataError,
    psycopg2.IntegrityError,
    psycopg2.errors.ProgramLimitExceeded,
    psycopg2.errors.StatementTooComplex,
)
# Read-only is what a server says that has just become, or not yet ceased to be, a standby.
_PASSING = (
    psycopg2.OperationalError,
    psycopg2.InterfaceError,
    psycopg2.errors.ReadOnlySqlTransaction,
    PoolError,
)

# The second is of PostgreSQL 17.
_MAY_LAST = """
    SELECT set_config(name, '0', true) FROM pg_settings
    WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout')
"""


class Database:
    """A pool of PostgreSQL connections, opened on first use and anew in every forked child.

    Times are in seconds. With `by_keys`, for processes whose statements find rows by their keys, the server reads no
    table from end to end where an index serves: what it believes of the size of a line is old, and a line that had been
    seen empty was read whole for every batch. Raises DatabaseUnavailable, SchemaError, ConfigurationError or
    PoisonError in place of psycopg2's errors.
    """

    generation: ClassVar[int] = 0

    def __init__(
        self,
        url: str,
        *,
        connections: int = 4,
        connect_timeout_s: int = 5,
        statement_timeout_s: int = 60,
        application: str = "otzyv",
        by_keys: bool = False,
    ) -> None:
        given = _parsed(url)
        # Statements are many and short: what starting workers or a compiler costs never comes back.
        settings = (
            f"statement_timeout={statement_timeout_s}s timezone=UTC client_min_messages=warning "
            "max_parallel_workers_per_gather=0 jit=off"
        ) + (" enable_seqscan=off" if by_keys else "")
        self._options = SessionOptions(settings.split(), given.get("options", ""))
        self._dsn = _dsn(given, connect_timeout_s, statement_timeout_s, application, self._options)
        self._options_arrive: bool | None = None
        self._limit_s = statement_timeout_s + connect_timeout_s
        self._connections = connections
        self._pool: ThreadedConnectionPool | None = None
        self._deadlines = Deadlines(self._limit_s)
        self._pid = self._generation = 0

    @contextmanager
    def transaction(self, *, lasts: bool = True) -> Iterator[PlainCursor]:
        """A cursor in a transaction of its own: committed at the end, rolled back on any error.

        One that need not last, since what it leaves is of use only to a later one, waits for no disk when it commits:
        a server that dies within a second forgets it, and nothing that came after it was kept.
        """
        self._deadlines_here()
        try:
            if self._pool is None:
                # A connection must never be shared with the parent: a fork gets a pool of its own. psycopg2's pool
                # keeps as many idle connections as its lower bound, so 0 would keep none.
                self._pool = ThreadedConnectionPool(
                    1, self._connections, self._dsn, connection_factory=Connection, cursor_factory=Cursor
                )
            pool = self._pool
            connection = cast("Connection", pool.getconn())
            # What can be read from an idle connection is its end, or a notice as rare: the server has gone meanwhile.
            watch = select.poll()
            watch.register(connection.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
            if watch.poll(0):
                pool.putconn(connection, close=True)
                connection = cast("Connection", pool.getconn())
        except psycopg2.Error as error:
            raise translate(error) from error
        connection.deadlines = self._deadlines
        try:
            with connection, connection.cursor() as cursor:
                self._begin(cursor)
                if not lasts:
                    cursor.execute("SET LOCAL synchronous_commit = off")
                yield cursor
        except psycopg2.Error as error:
            raise self._as_ours(connection, error) from error
        finally:
            pool.putconn(connection, close=bool(connection.closed))

    @contextmanager
    def connection(self, *, patient: bool = False) -> Iterator[Connection]:
        """A connection outside the pool, for long sessions; a patient one waits for any answer as long as it takes."""
        try:
            connection = psycopg2.connect(self._dsn, connection_factory=Connection, cursor_factory=Cursor)
        except psycopg2.Error as error:
            raise translate(error) from error
        if not patient:
            connection.deadlines = self._deadlines_here()
        try:
            yield connection
        except psycopg2.Error as error:
            raise self._as_ours(connection, error) from error
        finally:
            connection.close()

    @contextmanager
    def lasting(self) -> Iterator[PlainCursor]:
        """A transaction of its own that lasts as long as the context, with every lock that it takes.

        Locks of a session would do where nothing is in between: of a pool in transaction mode a session is nobody's.
        The server sees no snapshot while nothing is asked, so that its clean-up is not held back, and is told not to
        end what stands idle.
        """
        with self.connection() as connection, connection.cursor() as cursor:
            self._begin(cursor)
            cursor.execute(_MAY_LAST)
            yield cursor

    def _begin(self, cursor: PlainCursor) -> None:
        """Settings of a transaction's own where those of the session were dropped; looked once, told once."""
        if self._options_arrive is None:
            self._options_arrive = self._options.have_arrived(cursor)
            if not self._options_arrive:
                log.warning(
                    "database.options_dropped", by="a pooler such as PgBouncer", instead="each transaction"
                )
        if not self._options_arrive:
            self._options.set_here(cursor)

    def _as_ours(self, connection: Connection, error: psycopg2.Error) -> Exception:
        if connection.was_cut:
            return DatabaseUnavailable(
                f"PostgreSQL did not finish: no answer within {self._limit_s} s; check that it runs, and that "
                "nothing between keeps its answers"
            )
        return translate(error)

    def ping(self) -> None:
        """Raises DatabaseUnavailable unless PostgreSQL answers."""
        with self.transaction() as cursor:
            cursor.execute("SELECT 1")

    def close(self) -> None:
        """Close every pooled connection; the next transaction opens new ones."""
        if self._pool is not None and self._pid == os.getpid():
            self._pool.closeall()
        self._pool = None

    def _deadlines_here(self) -> Deadlines:
        """The deadlines of this process: a fork copies no thread."""
        if self._pid != os.getpid():
            self._pool, self._deadlines, self._pid = None, Deadlines(self._limit_s), os.getpid()
        if self._generation != Database.generation:
            # What is still in use there stays so; the rest is closed with the pool.
            self._pool, self._generation = None, Database.generation
        return self._deadlines

    @classmethod
    def begin_anew(cls) -> None:
        """Let go of this process's pools: an exception from a signal may have left one with a lock that is held."""
        cls.generation += 1


def _parsed(url: str) -> dict[str, str]:
    try:
        return dict(parse_dsn(url))
    except psycopg2.ProgrammingError as error:
        raise ConfigurationError(
            f"OTZYV_DATABASE_URL: expected postgresql://user:password@host:port/database, found a URL that "
            f"libpq cannot read: {error}"
        ) from error


def _dsn(
    given: dict[str, str],
    connect_timeout_s: int,
    statement_timeout_s: int,
    application: str,
    options: SessionOptions,
) -> str:
    defaults = {
        "connect_timeout": str(connect_timeout_s),
        "application_name": application,
        "keepalives_idle": "30",
        "keepalives_interval": "10",
        "keepalives_count": "3",
        "tcp_user_timeout": str(1000 * statement_timeout_s),
    }
    # Rows that are copied in are UTF-8, whatever the environment says.
    return str(make_dsn(**{**defaults, **given, "options": options.text, "client_encoding": "UTF8"}))


def translate(error: psycopg2.Error) -> Exception:
    """The error of ours that says what a driver's error means for the caller; the driver's own where none does."""
    first_line = str(error).strip().split("\n", 1)[0]
    if isinstance(error, psycopg2.errors.InvalidCatalogName):
        return ConfigurationError(f"database: {first_line}; create it, or correct OTZYV_DATABASE_URL")
    if isinstance(error, psycopg2.errors.InvalidAuthorizationSpecification):
        return ConfigurationError(
            f"database: {first_line}; correct the user or password in OTZYV_DATABASE_URL"
        )
    if isinstance(error, psycopg2.errors.InsufficientPrivilege):
        return ConfigurationError(f"database: {first_line}; grant it to the user in OTZYV_DATABASE_URL")
    if isinstance(error, (psycopg2.errors.UndefinedTable, psycopg2.errors.UndefinedColumn)):
        return SchemaError(f"database: {first_line}; {_MIGRATE}")
    if isinstance(error, psycopg2.OperationalError) and (told := refusals.told(first_line)) is not None:
        return ConfigurationError(told)
    if isinstance(error, _REFUSED):
        return PoisonError(f"PostgreSQL refused a value: {first_line}")
    if isinstance(error, _PASSING):
        # Lost connections, shutdowns, deadlocks, serialisation failures and time-outs all derive from these.
        return DatabaseUnavailable(f"PostgreSQL did not finish: {first_line}; check that it runs")
    return error
