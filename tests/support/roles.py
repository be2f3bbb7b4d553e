"""The roles of a database of the tests: their URLs, and what they are refused."""

from __future__ import annotations

from collections.abc import Callable

import psycopg2
import psycopg2.errors

from shared.store import Database
from shared.store.postgres import privileges, schema
from tests.support.stored import ask

PASSWORD = "a-long-password"  # noqa: S105  of a server that lives as long as the tests

RoleUrl = Callable[[str], str]
"""The URL of a database for a role by its name."""


def given_roles(database: Database, url: str) -> RoleUrl:
    """Close a database to everybody who has no right of his own, and let the roles in."""
    (name,) = ask(database, "SELECT current_database()")[0]
    with database.transaction() as cursor:
        cursor.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
    schema.upgrade(database, dict.fromkeys(privileges.ROLES, PASSWORD))
    return lambda role: url.replace("postgres:@", f"otzyv_{role}:{PASSWORD}@")


def refused(url: str, statement: str) -> bool:
    """Whether the server says that there is no right to it; nothing stays of what it lets pass."""
    connection = psycopg2.connect(url)
    try:
        connection.cursor().execute(statement)
    except psycopg2.errors.InsufficientPrivilege:
        return True
    finally:
        connection.close()
    return False
