"""The schema's version: bring it up to date, or say that it is not."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from shared.errors import SchemaError
from shared.settings import DatabaseRole
from shared.store.postgres import version
from shared.store.postgres.database import Database


def upgrade(
    database: Database,
    logins: Mapping[DatabaseRole, str] | None = None,
    tell: Callable[[str], object] = lambda _sentence: None,
) -> str:
    """Apply the migrations that are missing, and give the roles their rights; returns the version reached.

    `logins` are passwords of roles that may log in. What an administrator has to do is told, in one sentence, and
    whom it waits for; raises ConfigurationError where logins were asked for that this user may not give, and where a
    database without tables is in an encoding that cannot hold every review.
    """
    # Alembic and SQLAlchemy: 0.3 s and 22 MiB that no worker needs.
    from shared.store.postgres import migration

    return migration.upgrade(database, logins or {}, tell)


def check(database: Database) -> None:
    """Raises SchemaError unless the database has exactly this version's migrations."""
    head, current = version.versions()[-1], None
    # A connection of its own: what a pool starts would be there when a worker forks.
    with database.connection(patient=True) as connection, connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT FROM pg_class
            WHERE relname = 'alembic_version' AND relkind IN ('r', 'p') AND pg_table_is_visible(oid)
            """
        )
        if cursor.rowcount:
            cursor.execute("SELECT version_num FROM alembic_version ORDER BY 1")
            current = " and ".join(str(number) for (number,) in cursor.fetchall()) or None
    version.refuse_unknown(current)
    if current != head:
        raise SchemaError(
            f"database schema: expected version {head}, found {current or 'no tables'}; run `otzyv db upgrade`"
        )
