"""Migrations by Alembic, and after them the roles' rights. What a process checks at its start is in `schema`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.resources import files

import psycopg2
import psycopg2.extensions
import sqlalchemy.exc
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from psycopg2.extensions import cursor as Cursor
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from shared.errors import ConfigurationError
from shared.settings import DatabaseRole
from shared.store.postgres import privileges, version
from shared.store.postgres.database import Database, translate
from shared.store.postgres.fetched import first_value

# Two processes that migrate at once take turns on this advisory lock.
_LOCK = 7_305_061
LOOK_S = 0.5
_HOLDER = """
    SELECT format('by %%s, process %%s of the server', a.usename, a.pid)
    FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.granted AND l.database = (
        SELECT oid FROM pg_database WHERE datname = current_database())
      AND l.classid = 0 AND l.objid = %s AND l.objsubid = 1
"""
_LETTERS = """
    SELECT datname, pg_encoding_to_char(encoding), datctype FROM pg_database WHERE datname = current_database()
"""
_MAKE_ANOTHER = "make another one: CREATE DATABASE … ENCODING 'UTF8' LOCALE 'C.UTF-8' TEMPLATE template0"


def upgrade(database: Database, logins: Mapping[DatabaseRole, str], tell: Callable[[str], object]) -> str:
    """As `schema.upgrade` says."""
    with database.lasting() as turn, _connection(database) as connection:
        _take_turn(turn, tell)
        connection.exec_driver_sql("SET statement_timeout = 0")
        _check_letters(turn, tell, is_new=_current(connection) is None)
        config = Config()
        config.set_main_option("script_location", str(files("shared.store") / "migrations"))
        version.refuse_unknown(_current(connection))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
        reached = _current(connection) or ""
        connection.commit()
        driver = connection.connection.driver_connection
        if not isinstance(driver, psycopg2.extensions.connection):
            raise TypeError(f"expected a connection of psycopg2, found {type(driver).__name__}")
        if refused := privileges.apply(driver, logins):
            sentence = privileges.sentence(refused, driver.info.user)
            if logins:
                raise ConfigurationError(sentence)
            tell(sentence)
        return reached


def _check_letters(cursor: Cursor, tell: Callable[[str], object], *, is_new: bool) -> None:
    """Tell of an encoding or a locale in which letters of reviews are no letters: a database has them for good.

    Raises ConfigurationError where one without tables cannot hold every review.
    """
    cursor.execute(_LETTERS)
    name, encoding, locale = cursor.fetchone() or ("", "UTF8", "")
    if encoding != "UTF8":
        sentence = f"database {name}: expected the encoding UTF8, found {encoding}; {_MAKE_ANOTHER}"
        if is_new:
            raise ConfigurationError(sentence)
        tell(sentence)
        return
    cursor.execute("SELECT lower('Ё') = 'ё'")
    if not first_value(cursor, bool):
        tell(
            f"database {name}: expected a locale that folds letters of every alphabet, found {locale}: 'Ё' and 'ё' are "
            f"two letters to it, and a reason of failures is not found in another case; {_MAKE_ANOTHER}, or "
            "another folder with `otzyv label --store`"
        )


def _take_turn(cursor: Cursor, tell: Callable[[str], object]) -> None:
    """Wait for the lock, and say for what: anybody who may connect could hold it."""
    told = False
    while True:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", (_LOCK,))
        if first_value(cursor, bool):
            return
        if not told:
            cursor.execute(_HOLDER, (_LOCK,))
            holder = first_value(cursor, str) or "that has just ended"
            tell(f"expected no other upgrade, found one {holder}; waiting for its end")
            told = True
        time.sleep(LOOK_S)


@contextmanager
def _connection(database: Database) -> Iterator[Connection]:
    """A connection for Alembic, with the driver's errors as ours."""
    with database.connection(patient=True) as raw:
        engine = create_engine("postgresql+psycopg2://", creator=lambda: raw, poolclass=NullPool)
        try:
            with engine.connect() as connection:
                yield connection
        except sqlalchemy.exc.DBAPIError as error:
            if isinstance(error.orig, psycopg2.Error):
                raise translate(error.orig) from error
            raise


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
