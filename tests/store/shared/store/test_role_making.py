"""How the roles come into a server: at once from several databases, without the right to, and with passwords."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection

from shared.errors import ConfigurationError
from shared.store import Database
from shared.store.postgres import privileges, schema
from tests.support.postgres_node import postgres_server
from tests.support.processes import run
from tests.support.servers import database_of
from tests.support.stored import ask
from tests.support.threads import at_once

PASSWORD = 'it\'s a \\ long "password" ü'  # noqa: S105  of a server that lives as long as the test
LOGINS = dict.fromkeys(privileges.ROLES, PASSWORD)


class Server:
    """A PostgreSQL of the test's own, which no other test has given the roles."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder / "postgres"
        self.url = url

    def as_user(self, url: str, user: str, password: str = "") -> str:
        return url.replace("postgres:@", f"{user}:{password}@")

    def execute(self, *statements: str) -> None:
        connection = psycopg2.connect(self.url)
        connection.autocommit = True
        for statement in statements:
            connection.cursor().execute(statement)
        connection.close()

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")


@pytest.fixture
def server() -> Iterator[Server]:
    # The path of a socket has to be short.
    folder = Path(tempfile.mkdtemp(prefix="otzyv-roles-"))
    try:
        with postgres_server(folder) as url:
            yield Server(folder, url)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def roles(url: str) -> list[tuple[str, bool]]:
    return ask(
        Database(url), "SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname LIKE 'otzyv%%' ORDER BY 1"
    )


def test_upgrades_of_several_databases_at_once_all_succeed(server: Server) -> None:
    count = 4

    def upgrade(url: str) -> str:
        done = run("db", "upgrade", OTZYV_DATABASE_URL=url, OTZYV_DATABASE_LOGINS=json.dumps(LOGINS))
        return done.stderr

    with ExitStack() as stack:
        urls = [stack.enter_context(database_of(server.url)) for _ in range(count)]
        assert at_once(upgrade, urls) == [""] * count
        for url in urls:
            database = Database(url)
            schema.check(database)
            with database.transaction() as cursor:
                holders = {name for _, name in privileges.held(cursor)}
            assert holders == {privileges.role(name) for name in privileges.GRANTED}
            database.close()
        assert roles(server.url) == [(privileges.role(name), True) for name in sorted(privileges.ROLES)]


def test_who_may_not_make_roles_gets_the_tables_and_is_told_what_an_administrator_has_to_run(
    server: Server,
) -> None:
    server.execute("CREATE ROLE app LOGIN", "CREATE DATABASE shop OWNER app")
    url = server.as_user(server.url.replace("/postgres?", "/shop?"), "app")
    told: list[str] = []
    app = Database(url)
    schema.upgrade(app, tell=told.append)
    schema.check(app)
    (sentence,) = told
    assert sentence.startswith(
        "database roles: expected the right to make them and to grant them theirs, found that app"
    )
    statements = sentence.split("`")[1]
    assert statements.startswith('CREATE ROLE "otzyv_migrator"; CREATE ROLE "otzyv_worker"')
    with pytest.raises(ConfigurationError, match="an administrator runs `CREATE ROLE"):
        schema.upgrade(app, {"worker": PASSWORD})

    server.execute(*statements.split("; "))
    told.clear()
    schema.upgrade(app, tell=told.append)
    assert told == []
    with app.transaction() as cursor:
        held = privileges.held(cursor)
    assert held["labels", "otzyv_worker"] == {("", "SELECT"), ("", "INSERT"), ("", "UPDATE"), ("", "DELETE")}
    assert ask(app, "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'") == [("app",)]


def test_the_command_tells_it_and_succeeds(server: Server) -> None:
    server.execute("CREATE ROLE app LOGIN", "CREATE DATABASE shop OWNER app")
    url = server.as_user(server.url.replace("/postgres?", "/shop?"), "app")
    done = run("db", "upgrade", OTZYV_DATABASE_URL=url)
    assert done.returncode == 0
    assert "database schema is at version" in done.stdout
    assert "note: database roles: expected the right" in done.stderr
    done = run(
        "db", "upgrade", OTZYV_DATABASE_URL=url, OTZYV_DATABASE_LOGINS=json.dumps({"worker": PASSWORD})
    )
    assert done.returncode == 2
    assert PASSWORD not in done.stderr + done.stdout


def test_the_migrator_makes_the_tables_itself_and_owns_them(server: Server) -> None:
    server.execute(
        *(f"CREATE ROLE {privileges.role(name)}" for name in privileges.ROLES),
        "ALTER ROLE otzyv_migrator LOGIN",
        "CREATE DATABASE shop OWNER otzyv_migrator",
    )
    url = server.as_user(server.url.replace("/postgres?", "/shop?"), "otzyv_migrator")
    told: list[str] = []
    schema.upgrade(Database(url), tell=told.append)
    schema.upgrade(Database(url), tell=told.append)
    assert told == []
    owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
    assert ask(Database(url), owners) == [("otzyv_migrator",)]


def test_what_a_superuser_makes_goes_to_the_migrator_and_a_database_open_to_all_is_closed(
    server: Server,
) -> None:
    with database_of(server.url) as url:
        database = Database(url)
        with database.transaction() as cursor:
            cursor.execute("GRANT CREATE ON SCHEMA public TO PUBLIC")
        schema.upgrade(database)
        owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
        assert ask(database, owners) == [("otzyv_migrator",)]
        definers = "SELECT proname, proowner::regrole::text FROM pg_proc WHERE prosecdef ORDER BY 1"
        assert ask(database, definers) == [
            ("keep_label_history", "otzyv_migrator"),
            ("keep_review_history", "otzyv_migrator"),
        ]
        assert ask(database, "SELECT has_schema_privilege('otzyv_worker', 'public', 'CREATE')") == [(False,)]
        database.close()


def test_a_role_logs_in_with_its_password_only_and_no_log_shows_it(server: Server) -> None:
    server.execute("ALTER SYSTEM SET log_statement = 'all'", "SELECT pg_reload_conf()")
    logins = json.dumps({"worker": PASSWORD, "trainer": "another-password", "reader": ""})
    done = run("db", "upgrade", OTZYV_DATABASE_URL=server.url, OTZYV_DATABASE_LOGINS=logins)
    assert done.returncode == 0, done.stderr
    assert dict(roles(server.url)) == {
        "otzyv_migrator": False, "otzyv_operator": False, "otzyv_reader": False, "otzyv_trainer": True,
        "otzyv_worker": True,
    }  # fmt: skip
    assert 'ALTER ROLE "otzyv_worker" LOGIN PASSWORD' in server.log()
    for text in (server.log(), done.stdout, done.stderr):
        assert 'long "password"' not in text
        assert "another-password" not in text
    access = server.folder / "pg_hba.conf"
    access.write_text("local all otzyv_worker,otzyv_trainer scram-sha-256\n" + access.read_text())
    server.execute("SELECT pg_reload_conf()")
    psycopg2.connect(server.url, user="otzyv_worker", password=PASSWORD).close()
    for password in ("another-password", "wrong", ""):
        with pytest.raises(psycopg2.OperationalError, match=r"password"):
            psycopg2.connect(server.url, user="otzyv_worker", password=password)


def test_passwords_that_several_upgrades_set_at_the_same_moment_are_set(server: Server) -> None:
    count = 4

    def apply(connection: Connection) -> list[list[str]]:
        refused = [privileges.apply(connection, LOGINS) for _ in range(10)]
        connection.close()
        return refused

    with ExitStack() as stack:
        urls = [stack.enter_context(database_of(server.url)) for _ in range(count)]
        assert at_once(apply, [psycopg2.connect(url) for url in urls]) == [[[]] * 10] * count
    assert roles(server.url) == [(privileges.role(name), True) for name in sorted(privileges.ROLES)]


def test_a_role_without_a_password_is_told_how_it_gets_one(server: Server) -> None:
    with database_of(server.url) as url:
        schema.upgrade(Database(url))
        with pytest.raises(ConfigurationError, match="give it a password with OTZYV_DATABASE_LOGINS"):
            schema.check(Database(server.as_user(url, "otzyv_worker")))
