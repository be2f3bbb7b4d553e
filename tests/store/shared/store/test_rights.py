"""What the roles of the database may not do, and that nobody's rights are left out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.reviews.wire import Message
from shared.runtime import runtime
from shared.settings import load
from shared.store import Database
from shared.store.postgres import privileges, schema
from tests.support import ledger
from tests.support.roles import RoleUrl, given_roles, refused
from tests.support.servers import database_of
from tests.support.stored import ask, review, upserted

DESTRUCTIVE = (
    "DROP TABLE labels",
    "DROP SCHEMA public CASCADE",
    "DROP VIEW labelled_reviews",
    "DROP FUNCTION keep_label_history()",
    "TRUNCATE reviews",
    "TRUNCATE failures",
    "TRUNCATE model_aliases",
    "CREATE TABLE mine (id integer)",
    "CREATE SCHEMA mine",
    "CREATE FUNCTION mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "CREATE ROLE otzyv_mine",
    "ALTER TABLE reviews ADD COLUMN mine integer",
    "ALTER TABLE labels DISABLE TRIGGER keep_history",
    "ALTER ROLE otzyv_worker SUPERUSER",
    "DELETE FROM reviews",
    "DELETE FROM label_history",
    "INSERT INTO label_history SELECT * FROM label_history",
    "UPDATE review_history SET text = ''",
    "UPDATE model_aliases SET reason = ''",
    "UPDATE alembic_version SET version_num = '0001'",
    "UPDATE taxonomies SET document = '{}'",
)


def test_a_reader_reads_labels_and_reasons_but_no_payload(database: Database, as_role: RoleUrl) -> None:
    reader = Database(as_role("reader"))
    for query in (
        "SELECT * FROM labelled_reviews",
        "SELECT * FROM predicted_reviews",
        "SELECT reason FROM failures",
    ):
        assert ask(reader, query) == []
    assert refused(as_role("reader"), "SELECT payload FROM failures")
    assert refused(as_role("reader"), "UPDATE labels SET category = 'shoes'")
    reader.close()


@pytest.fixture(scope="module")
def of_all(postgres: str, migrated: str) -> Iterator[RoleUrl]:
    """One database for all that is refused, or rolled back where it is not."""
    with database_of(postgres, migrated) as url:
        database = Database(url)
        yield given_roles(database, url)
        database.close()


@pytest.mark.parametrize("statement", DESTRUCTIVE)
def test_no_role_that_works_can_destroy_alter_or_create(of_all: RoleUrl, statement: str) -> None:
    assert [role for role in privileges.GRANTED if not refused(of_all(role), statement)] == []


@pytest.mark.parametrize(
    ("role", "statement"),
    [
        ("worker", "UPDATE gold SET category = 'shoes'"),
        (
            "worker",
            "INSERT INTO gold (review_id, taxonomy_id, category, annotator) VALUES (1, 1, 'shoes', '')",
        ),
        ("worker", "INSERT INTO model_aliases (taxonomy) VALUES ('shop')"),
        ("worker", "INSERT INTO models (architecture) VALUES ('linear')"),
        ("worker", "INSERT INTO threshold_versions (taxonomy_id) VALUES (1)"),
        ("worker", "UPDATE training_runs SET status = 'queued'"),
        ("worker", "DELETE FROM failures"),
        ("worker", "SELECT payload FROM failures"),
        ("worker", "SELECT * FROM review_history"),
        ("trainer", "INSERT INTO labels (review_id) VALUES (1)"),
        ("trainer", "UPDATE gold SET category = 'shoes'"),
        ("trainer", "SELECT payload FROM failures"),
        ("operator", "UPDATE reviews SET text = ''"),
        ("operator", "DELETE FROM gold"),
    ],
)
def test_a_role_cannot_do_the_work_of_another(of_all: RoleUrl, role: str, statement: str) -> None:
    assert refused(of_all(role), statement)


def test_a_temporary_table_of_a_workers_own_keeps_no_label_out_of_the_history(
    database: Database, as_role: RoleUrl
) -> None:
    with database.transaction() as cursor:
        cursor.execute(
            "INSERT INTO labels (review_id, taxonomy_id, revision, status) VALUES (1, 1, 1, 'needs_review')"
        )
        cursor.execute("SELECT format('GRANT TEMPORARY ON DATABASE %I TO otzyv_worker', current_database())")
        (grant,) = cursor.fetchone() or ("",)
        cursor.execute(grant)
    worker = Database(as_role("worker"))
    with worker.transaction() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE label_history (LIKE labels, replaced_at timestamptz)")
        cursor.execute("SET LOCAL search_path = pg_temp, public")
        cursor.execute("UPDATE public.labels SET category = 'shoes', status = 'accepted'")
        cursor.execute("SELECT count(*) FROM pg_temp.label_history")
        assert cursor.fetchone() == (0,)
    assert ask(database, "SELECT status FROM label_history") == [("needs_review",)]
    worker.close()


def test_every_table_view_and_sequence_has_its_row_in_the_table_of_rights(database: Database) -> None:
    # Numbers of rows need no right, but for those of reviews, which are drawn beforehand.
    found = ask(
        database,
        """
        SELECT relname FROM pg_class c
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')
          AND (relname = 'reviews_id_seq'
            OR NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'i'))
        """,
    )
    assert {name for (name,) in found} == set(privileges.RIGHTS)
    functions = "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
    assert {name for (name,) in ask(database, functions)} == set(privileges.FUNCTIONS)


def test_rights_that_somebody_has_added_are_taken_away_again(database: Database, as_role: RoleUrl) -> None:
    worker = as_role("worker")
    with database.transaction() as cursor:
        cursor.execute(
            "GRANT TRUNCATE ON labels TO otzyv_worker; GRANT UPDATE (text) ON reviews TO otzyv_reader"
        )
    assert not refused(worker, "TRUNCATE labels")
    schema.upgrade(database)
    assert refused(as_role("worker"), "TRUNCATE labels")
    assert refused(as_role("reader"), "UPDATE reviews SET text = ''")


def test_an_upgrade_where_all_is_as_it_should_be_writes_nothing(database: Database) -> None:
    catalogues = ("pg_class", "pg_attribute", "pg_proc", "pg_namespace", "pg_database", "pg_authid")
    before = {
        name: ask(database, f"SELECT ctid::text, xmin::text FROM {name} ORDER BY 1") for name in catalogues
    }
    schema.upgrade(database)
    assert {
        name: ask(database, f"SELECT ctid::text, xmin::text FROM {name} ORDER BY 1") for name in catalogues
    } == before


def test_reviews_are_taken_in_without_the_right_to_temporary_tables(
    as_role: RoleUrl, database: Database
) -> None:
    assert refused(as_role("worker"), "CREATE TEMPORARY TABLE scratch ()")
    worker = Database(as_role("worker"))
    here = runtime.build(load(), worker)
    with worker.transaction() as cursor:
        stored = upserted(cursor, [Message([review("1", "туфли")], [])], here.taxonomy_id, "keywords")
    assert len(stored.fresh) == ledger.count(database, "reviews") == 1
    worker.close()
