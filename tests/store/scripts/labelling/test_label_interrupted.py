"""`otzyv label` ended in the middle: no half-written file, no PostgreSQL and no folder stays behind."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import pytest

from tests.support.processes import OTZYV, run
from tests.support.servers import PATIENCE_S, wait_until

TEXT = "Красивое платье"


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """More reviews than can be labelled before the run is ended."""
    path = tmp_path / "reviews.csv"
    path.write_text("text\n" + "".join(f"{TEXT} {number}\n" for number in range(100_000)), encoding="utf-8")
    return path


@contextmanager
def labelling(source: Path, folder: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    """A run whose results go to `folder/out` and whose temporary files go to `folder/t`."""
    for name in ("out", "t"):
        (folder / name).mkdir(exist_ok=True)
    process = subprocess.Popen(
        [str(OTZYV), "label", str(source), "--out", str(folder / "out" / "labels.csv"), *more],
        env={**os.environ, "TMPDIR": str(folder / "t")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Tests that a shell runs in the background inherit that Ctrl-C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def server_pid(data: Path) -> int | None:
    """The process id of the PostgreSQL that runs on a data folder."""
    try:
        return int((data / "postmaster.pid").read_text().split()[0])
    except (OSError, IndexError, ValueError):
        return None


def labels(data: Path) -> int:
    """How many labels its database holds by now."""
    try:
        socket = (data / "postmaster.pid").read_text().splitlines()[4]
        connection = psycopg2.connect(host=socket, user="postgres", dbname="postgres")
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM labels")
            count = int(cursor.fetchone()[0])
        connection.close()
    except (psycopg2.Error, OSError, IndexError):
        return 0
    return count


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def temporary_data(folder: Path) -> Path:
    """The data folder of the run's own PostgreSQL, once it is there."""
    wait_until(lambda: list((folder / "t").glob("otzyv-*/postgres")), "the temporary store")
    return next((folder / "t").glob("otzyv-*/postgres"))


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=lambda value: str(value),
)
def test_a_run_that_is_ended_in_the_middle_leaves_nothing_behind(tmp_path, many, number, code):
    with labelling(many, tmp_path) as process:
        data = temporary_data(tmp_path)
        wait_until(lambda: labels(data), "the first labels")
        server = server_pid(data)
        os.killpg(process.pid, number)
        _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == code, said
    assert "Traceback" not in said
    assert list((tmp_path / "out").iterdir()) == []
    assert list((tmp_path / "t").glob("otzyv-*")) == []
    wait_until(lambda: not is_running(server), "PostgreSQL to end")


def test_a_run_that_is_ended_while_postgresql_starts_leaves_nothing_behind(tmp_path, many):
    with labelling(many, tmp_path) as process:
        data = temporary_data(tmp_path)
        wait_until(lambda: server_pid(data) or process.poll() is not None, "PostgreSQL to start")
        server = server_pid(data)
        for _ in range(3):
            os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert list((tmp_path / "t").glob("otzyv-*")) == []
    wait_until(lambda: server is None or not is_running(server), "PostgreSQL to end")


def test_a_run_that_was_killed_can_be_repeated_on_its_store_and_ends_its_postgresql(tmp_path, many):
    store = tmp_path / "s"
    with labelling(many, tmp_path, "--store", str(store)) as process:
        data = store / "postgres"
        wait_until(lambda: labels(data), "the first labels")
        server = server_pid(data)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(PATIENCE_S)
    assert is_running(server)
    few = tmp_path / "few.csv"
    few.write_text(f"text\n{TEXT}\n", encoding="utf-8")
    done = run("label", few, "--out", tmp_path / "labels.csv", "--store", store)
    assert done.returncode == 0, done.stderr
    wait_until(lambda: not is_running(server), "PostgreSQL to end")
    assert server_pid(data) is None
