"""Connections to a real PostgreSQL: which are kept, and what is told when one cannot be had."""

from __future__ import annotations

from typing import Any

import pytest

from shared.errors import ConfigurationError, DatabaseUnavailable
from shared.store import Database
from tests.support.servers import free_port
from tests.support.stored import ask, weak_user


def raised(url: str, **options: Any) -> Exception:
    opened = Database(url, connect_timeout_s=2, **options)
    try:
        opened.ping()
    except Exception as error:  # noqa: BLE001
        return error
    finally:
        opened.close()
    pytest.fail(f"{url} answers")


def test_a_database_that_is_down_is_told_and_may_come_back():
    error = raised(f"postgresql://postgres@127.0.0.1:{free_port()}/otzyv")
    assert type(error) is DatabaseUnavailable
    assert str(error).startswith("PostgreSQL did not finish: connection to server at ")
    assert str(error).endswith("Connection refused; check that it runs")


def test_a_database_that_does_not_exist_is_told(postgres):
    error = raised(postgres.replace("/postgres?", "/nowhere?"))
    assert type(error) is ConfigurationError
    assert str(error).endswith('database "nowhere" does not exist; create it, or correct OTZYV_DATABASE_URL')


def test_a_user_that_does_not_exist_is_told(postgres):
    error = raised(postgres.replace("postgres:@", "nobody:@"))
    assert type(error) is ConfigurationError
    assert 'role "nobody" does not exist; create it, or correct OTZYV_DATABASE_URL' in str(error)


@pytest.mark.parametrize(
    "url", ["mysql://somewhere", "postgresql://a:b@c:d/e", "postgres", "postgresql://%zz"]
)
def test_a_url_that_cannot_be_read_is_told_by_the_name_of_its_variable(url):
    with pytest.raises(ConfigurationError, match=r"^OTZYV_DATABASE_URL: "):
        Database(url).ping()


END_OTHERS = (
    "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def test_only_a_transaction_that_need_not_last_commits_without_a_wait_for_the_disk(database):
    asked = []
    for lasts in (True, False, True):
        with database.transaction(lasts=lasts) as cursor:
            cursor.execute("SELECT setting, source FROM pg_settings WHERE name = 'synchronous_commit'")
            asked.append(cursor.fetchone())
    assert asked[1] == ("off", "session")
    assert asked[0] == asked[2] != asked[1], "what the server is told to do otherwise"


def test_a_connection_that_the_server_ended_while_idle_is_replaced(database, database_url):
    database.ping()
    other = Database(database_url)
    assert ask(other, END_OTHERS) == [(True,)]
    other.close()
    database.ping()


def test_a_connection_that_the_server_ends_in_use_is_told_and_the_next_one_works(database, database_url):
    other = Database(database_url)

    def work() -> None:
        with database.transaction() as cursor:
            cursor.execute("SELECT 1")
            ask(other, END_OTHERS)
            cursor.execute("SELECT 1")

    with pytest.raises(DatabaseUnavailable, match=r"^PostgreSQL did not finish: .*; check that it runs$"):
        work()
    other.close()
    database.ping()


def test_a_connection_is_kept_from_one_transaction_to_the_next(database):
    assert ask(database, "SELECT pg_backend_pid()") == ask(database, "SELECT pg_backend_pid()")


def test_a_statement_over_its_time_limit_is_given_up(database_url):
    slow = Database(database_url, statement_timeout_s=1)
    with pytest.raises(DatabaseUnavailable, match="canceling statement due to statement timeout"):
        ask(slow, "SELECT pg_sleep(30)")
    slow.ping()
    slow.close()


def test_a_write_on_a_read_only_server_may_succeed_later(database_url):
    standby = Database(f"{database_url}&options=-c%20default_transaction_read_only%3Don")
    with pytest.raises(DatabaseUnavailable, match="read-only transaction"):
        ask(standby, "INSERT INTO batches (id) VALUES (gen_random_uuid()) RETURNING 1")
    standby.close()


def test_a_user_without_rights_is_told_which_are_missing(database_url):
    with weak_user(database_url) as url:
        weak = Database(url)
        with pytest.raises(
            ConfigurationError, match="permission denied for table reviews; grant it to the user"
        ):
            ask(weak, "SELECT * FROM reviews")
        weak.close()


def test_after_a_new_beginning_a_pool_whose_lock_is_held_is_not_asked_any_more(database):
    database.ping()
    assert database._pool is not None
    with database._pool._lock:  # as an exception from a signal may leave it
        Database.begin_anew()
        assert ask(database, "SELECT 1") == [(1,)]


def test_a_statement_is_given_up_although_another_connection_was_closed_meanwhile(database_url):
    opened = Database(database_url, connect_timeout_s=1, statement_timeout_s=1)
    with opened.connection() as other, opened._deadlines_here().waiting(other):
        other.close()
        # The server's own limit is lifted, as if it could not keep it any more.
        with pytest.raises(DatabaseUnavailable, match="no answer within 2 s"), opened.connection() as slow:
            slow.cursor().execute("SET statement_timeout = 0; SELECT pg_sleep(60)")


def test_texts_go_as_utf8_whatever_the_environment_says(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "WIN1251")
    database = Database(database_url)
    with database.transaction() as cursor:
        cursor.execute("SHOW client_encoding")
        assert cursor.fetchone() == ("UTF8",)
    database.close()
