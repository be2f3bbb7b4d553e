"""Migrations on a real PostgreSQL: up, down and up again, and databases of another version."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import Any

import pytest
from alembic.script import ScriptDirectory

from shared.errors import ConfigurationError, DatabaseUnavailable, SchemaError
from shared.store import Database, gold, taxonomies
from shared.store.postgres import migration, schema, version
from tests.support import migrations
from tests.support.servers import PATIENCE_S, database_of, execute, free_port, wait_until
from tests.support.stored import ask, weak_user
from tests.support.threads import at_once

HEAD = "0019"
KNOWN = ", ".join(f"{number:04}" for number in range(1, int(HEAD) + 1))


# Of one version a review with a label and a prediction, and one of which nobody had a guess.
FILL = """
WITH named AS (
    INSERT INTO reviews (source, external_id, text, text_sha)
    VALUES ('a', %(version)s, 'текст', ''), ('b', 'n' || %(version)s, 'текст', '') RETURNING id, source),
guessed AS (SELECT id, CASE WHEN source = 'a' THEN 'shoes' END AS category FROM named),
labelled AS (
    INSERT INTO labels (review_id, taxonomy_id, revision, category, status)
    SELECT id, %(taxonomy)s, 1, category, 'needs_review' FROM guessed),
model AS (
    INSERT INTO models (taxonomy_id, architecture, artefact_path, artefact_sha, labels, manifest)
    VALUES (%(taxonomy)s, 'linear', 'test', %(version)s::text::bytea, '{shoes}', '{}') RETURNING id)
INSERT INTO predictions (review_id, model_id, revision, category, confidence, truncated, probabilities)
SELECT g.id, m.id, 1, 'shoes', 0.9, false, '{}' FROM guessed g, model m WHERE category IS NOT NULL
"""


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


def test_migrations_go_up_down_and_up_again(bare):
    assert schema.upgrade(bare) == HEAD
    whole = shape(bare)
    assert {"reviews", "waiting", "labels"} <= {row[0] for row in whole["columns"]}
    migrations.downgrade(bare)
    assert {row[0] for row in shape(bare)["columns"]} == {"alembic_version"}
    assert shape(bare)["functions"] == []
    assert schema.upgrade(bare) == HEAD
    assert shape(bare) == whole


def test_answers_of_an_earlier_schema_settle_what_they_settled_there(database):
    migrations.downgrade(database, "0014")
    with database.transaction() as cursor:
        number = taxonomies.register(cursor, "test", "1", "{}")
        cursor.execute(
            """
            INSERT INTO reviews (source, external_id, text, text_sha) VALUES ('s', '1', 't', '') RETURNING id;
            INSERT INTO gold (review_id, taxonomy_id, category, annotator, at) SELECT max(id), %(taxonomy)s, c, a, at
            FROM reviews, (VALUES ('old', 'anna', now() - interval '1 day'), ('new', 'c', now()), ('other', 'd', now()))
                AS v (c, a, at) GROUP BY c, a, at
            """,
            {"taxonomy": number},
        )
    assert schema.upgrade(database) == HEAD
    with database.transaction() as cursor:
        assert [row.category for row in gold.rows(cursor, number)] == ["new"]


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
    with pytest.raises(SchemaError, match=f"found 0010 and {HEAD}"):
        schema.check(database)


def test_labels_and_predictions_have_the_titles_of_their_own_version_of_the_taxonomy(database):
    with database.transaction() as cursor:
        for version, title in ((1, "обувь"), (2, "Вся обувь")):
            document = {
                "categories": [{"slug": "shoes", "title": title}, {"slug": "toys", "title": "игрушки"}]
            }
            number = taxonomies.register(cursor, "test", str(version), json.dumps(document))
            cursor.execute(FILL, {"version": version, "taxonomy": number})
    query = "SELECT external_id, category, category_title FROM {} ORDER BY external_id"
    assert ask(database, query.format("labelled_reviews")) == [
        ("1", "shoes", "обувь"),
        ("2", "shoes", "Вся обувь"),
        ("n1", None, None),
        ("n2", None, None),
    ]
    assert ask(database, query.format("predicted_reviews")) == [
        ("1", "shoes", "обувь"),
        ("2", "shoes", "Вся обувь"),
    ]


def test_the_names_of_the_migrations_are_the_versions_that_alembic_knows():
    scripts = ScriptDirectory.from_config(migrations.alembic())
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


@pytest.fixture
def elsewhere(postgres: str) -> Iterator[Callable[[str], Database]]:
    """Databases of another encoding or locale, by what CREATE DATABASE says of them."""
    with ExitStack() as stack:

        def made(options: str) -> Database:
            name = f"t_{uuid.uuid4().hex[:12]}"
            execute(postgres, f"CREATE DATABASE {name} {options} TEMPLATE template0")
            stack.callback(execute, postgres, f"DROP DATABASE {name} WITH (FORCE)")
            return stack.enter_context(closing(Database(postgres.replace("/postgres?", f"/{name}?"))))

        yield made


@pytest.mark.parametrize("encoding", ["WIN1251", "LATIN1", "SQL_ASCII"])
def test_a_new_database_that_cannot_hold_every_review_is_refused(elsewhere, encoding):
    database = elsewhere(f"ENCODING '{encoding}' LOCALE 'C'")
    with pytest.raises(
        ConfigurationError, match=f"expected the encoding UTF8, found {encoding}; make another"
    ):
        schema.upgrade(database)
    assert ask(database, "SELECT to_regclass('reviews')::text") == [(None,)]


def test_a_locale_that_does_not_fold_cyrillic_is_told_at_every_upgrade(elsewhere):
    database = elsewhere("ENCODING 'UTF8' LOCALE 'C'")
    for _ in range(2):
        told: list[str] = []
        schema.upgrade(database, tell=told.append)
        (sentence,) = told
        assert "expected a locale that folds letters of every alphabet, found C" in sentence
        assert "LOCALE 'C.UTF-8'" in sentence


def test_a_locale_that_folds_cyrillic_is_nothing_to_tell(bare):
    told: list[str] = []
    schema.upgrade(bare, tell=told.append)
    assert told == []
