"""Migrations on a real PostgreSQL: up, down and up again, and databases of another version."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from importlib.resources import files
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from shared.errors import ConfigurationError, DatabaseUnavailable, SchemaError
from shared.store import Database, taxonomies
from shared.store.postgres import migration, schema, version
from tests.support.servers import PATIENCE_S, database_of, free_port, wait_until
from tests.support.stored import weak_user
from tests.support.threads import at_once

HEAD = "0011"
KNOWN = "0001, 0002, 0003, 0004, 0005, 0006, 0007, 0008, 0009, 0010, 0011"


@pytest.fixture
def bare_url(postgres: str) -> Iterator[str]:
    """The URL of a database without tables."""
    with database_of(postgres) as url:
        yield url


@pytest.fixture
def bare(bare_url: str) -> Iterator[Database]:
    with closing(Database(bare_url)) as opened:
        yield opened


def shape(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every table, column, constraint, index and function of the schema."""
    queries = {
        "columns": "SELECT table_name, column_name, data_type, is_nullable, column_default "
        "FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2",
        "constraints": "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2",
        "indexes": "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1",
        "functions": "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1",
        "triggers": "SELECT tgname, tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2",
    }
    found = {}
    with database.transaction() as cursor:
        for name, query in queries.items():
            cursor.execute(query)
            found[name] = cursor.fetchall()
    return found


def alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("shared.store") / "migrations"))
    return config


def downgrade(database: Database) -> None:
    config = alembic()
    with database.connection() as raw:
        engine = create_engine("postgresql+psycopg2://", creator=lambda: raw, poolclass=NullPool)
        with engine.connect() as connection:
            config.attributes["connection"] = connection
            command.downgrade(config, "base")
            connection.commit()


def test_migrations_go_up_down_and_up_again(bare):
    assert schema.upgrade(bare) == HEAD
    whole = shape(bare)
    assert {"reviews", "waiting", "labels"} <= {row[0] for row in whole["columns"]}
    downgrade(bare)
    assert {row[0] for row in shape(bare)["columns"]} == {"alembic_version"}
    assert shape(bare)["functions"] == []
    assert schema.upgrade(bare) == HEAD
    assert shape(bare) == whole


def test_an_upgrade_of_a_current_database_changes_nothing(database):
    with database.transaction() as cursor:
        taxonomies.register(cursor, "test", "1", "{}")
    before = shape(database)
    assert schema.upgrade(database) == HEAD
    assert shape(database) == before
    with database.transaction() as cursor:
        cursor.execute("SELECT count(*) FROM taxonomies")
        assert cursor.fetchone() == (1,)


def test_two_upgrades_at_once_take_turns(bare_url):
    assert at_once(lambda _: schema.upgrade(Database(bare_url)), range(2)) == [HEAD, HEAD]


def test_a_current_schema_passes_the_check(database):
    schema.check(database)


def test_a_database_without_tables_is_told_with_the_command_that_makes_them(bare):
    sentence = f"database schema: expected version {HEAD}, found no tables; run `otzyv db upgrade`"
    with pytest.raises(SchemaError) as refused:
        schema.check(bare)
    assert str(refused.value) == sentence


def test_a_query_on_missing_tables_is_told_with_the_command_that_makes_them(bare):
    with pytest.raises(SchemaError) as refused, bare.transaction() as cursor:
        taxonomies.register(cursor, "test", "1", "{}")
    assert str(refused.value) == 'database: relation "taxonomies" does not exist; run `otzyv db upgrade`'


def test_a_database_with_two_versions_is_refused(database):
    with database.transaction() as cursor:
        cursor.execute("INSERT INTO alembic_version VALUES ('0010')")
    with pytest.raises(SchemaError, match="found 0010 and 0011"):
        schema.check(database)


def test_the_names_of_the_migrations_are_the_versions_that_alembic_knows():
    scripts = ScriptDirectory.from_config(alembic())
    assert version.versions() == tuple(sorted(script.revision for script in scripts.walk_revisions()))
    assert version.versions()[-1] == scripts.get_current_head()


@pytest.mark.parametrize("act", [schema.check, schema.upgrade])
def test_a_database_of_a_newer_otzyv_is_left_alone(database, act):
    with database.transaction() as cursor:
        cursor.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaError) as refused:
        act(database)
    assert str(refused.value) == (
        f"database schema: expected a version of this Otzyv ({KNOWN}), found 9999; "
        "install the newer Otzyv that made it"
    )


def test_an_upgrade_says_whom_it_waits_for(database):
    told: list[str] = []
    with database.transaction() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s), pg_backend_pid(), current_user", (migration._LOCK,))
        _, process, user = cursor.fetchone()
        with ThreadPoolExecutor() as pool:
            upgrade = pool.submit(schema.upgrade, database, None, told.append)
            wait_until(lambda: told, "the upgrade to say so")
            assert not upgrade.done()
            cursor.connection.commit()
            assert upgrade.result(PATIENCE_S) == HEAD
    assert told[0] == (
        f"expected no other upgrade, found one by {user}, process {process} of the server; waiting for its end"
    )


def test_an_upgrade_by_a_user_without_rights_is_told(bare_url):
    with (
        weak_user(bare_url) as url,
        pytest.raises(ConfigurationError, match="permission denied for schema public"),
    ):
        schema.upgrade(Database(url))


@pytest.mark.parametrize("act", [schema.check, schema.upgrade])
def test_a_database_that_is_down_is_told(act):
    with pytest.raises(DatabaseUnavailable, match=r"^PostgreSQL did not finish: .*; check that it runs$"):
        act(Database(f"postgresql://postgres@127.0.0.1:{free_port()}/otzyv", connect_timeout_s=2))
