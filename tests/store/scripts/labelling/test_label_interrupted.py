"""`otzyv label` ended in the middle: no half-written file and no PostgreSQL stays behind; what is done is kept."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import pytest

from scripts.language.language import grouped
from tests.support.processes import OTZYV, heard, run
from tests.support.servers import PATIENCE_S, wait_until

TEXT = "Красивое платье"
MANY = 40_000


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """More reviews than can be labelled before the run is ended."""
    return reviews(tmp_path)


def reviews(folder: Path) -> Path:
    path = folder / "reviews.csv"
    path.write_text("text\n" + "".join(f"{TEXT} {number}\n" for number in range(MANY)), encoding="utf-8")
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
        preexec_fn=heard,
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


def wait_for_labels(data: Path, process: subprocess.Popen[str]) -> None:
    """Wait until a run has stored labels, and is at work still."""
    wait_until(lambda: labels(data) or process.poll() is not None, "the first labels")
    assert process.poll() is None, process.communicate()[1]


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


def again(source: Path, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """The same command once more, to its end."""
    out = folder / "out" / "labels.csv"
    for name in ("out", "t"):
        (folder / name).mkdir(exist_ok=True)
    return run("label", source, "--out", out, *more, TMPDIR=str(folder / "t"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[str]]:
    """The labels and the tables of a run that nobody ended."""
    folder = tmp_path_factory.mktemp("whole")
    done = again(reviews(folder), folder)
    assert done.returncode == 0, done.stderr
    return (folder / "out" / "labels.csv").read_bytes(), figures(done.stdout)


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=lambda value: str(value),
)
def test_the_same_command_goes_on_where_a_run_was_ended(tmp_path, many, whole, number, code):
    with labelling(many, tmp_path) as process:
        data = temporary_data(tmp_path)
        wait_for_labels(data, process)
        server = server_pid(data)
        os.killpg(process.pid, number)
        _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == code, said
    assert "Traceback" not in said
    kept = re.search(
        r"kept: ([\d\s]+) rows are done: the same command goes on from there. They lie in (\S+);", said
    )
    assert kept, said
    rows = int("".join(kept[1].split()))
    assert 0 < rows < MANY
    assert Path(kept[2]) == data.parent
    assert list((tmp_path / "out").iterdir()) == []
    wait_until(lambda: not is_running(server), "PostgreSQL to end")
    done = again(many, tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"goes on: {grouped(rows)} rows were done by an earlier run" in done.stderr
    assert list((tmp_path / "t").glob("otzyv-*")) == [], "a finished run leaves nothing behind"
    assert (tmp_path / "out" / "labels.csv").read_bytes() == whole[0]
    assert figures(done.stdout) == whole[1], "both runs are counted"


def figures(tables: str) -> list[str]:
    """The tables of a run without its time."""
    return [line for line in tables.splitlines() if " rows in " not in line and "/out/" not in line]


def test_a_file_that_was_changed_since_is_labelled_anew(tmp_path, many):
    with labelling(many, tmp_path) as process:
        data = temporary_data(tmp_path)
        wait_for_labels(data, process)
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=PATIENCE_S)
    many.write_text(f"text\n{TEXT}\n", encoding="utf-8")
    done = again(many, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "anew: the earlier run to the same --out was of another file" in done.stderr
    assert "1 row in" in done.stdout
    assert list((tmp_path / "t").glob("otzyv-*")) == []


def test_two_runs_do_not_write_to_one_file_at_once(tmp_path, many):
    with labelling(many, tmp_path) as process:
        wait_for_labels(temporary_data(tmp_path), process)
        other = again(many, tmp_path)
    assert other.returncode == 2
    assert "expected one run at a time that writes there, found another" in other.stderr


def test_a_run_that_was_killed_is_taken_up_on_its_store_as_well(tmp_path, many):
    store = ("--store", str(tmp_path / "s"))
    with labelling(many, tmp_path, *store) as process:
        wait_until(lambda: [*(tmp_path / "s").glob("unfinished-*.json")], "what is done to be noted")
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(PATIENCE_S)
    done = again(many, tmp_path, *store)
    assert done.returncode == 0, done.stderr
    assert "goes on: " in done.stderr
    with (tmp_path / "out" / "labels.csv").open(encoding="utf-8") as lines:
        assert sum(",одежда," in line for line in lines) == MANY
    assert list((tmp_path / "s").glob("unfinished-*")) == []


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
    assert said.splitlines()[-1] == "interrupted", "also where nothing is done that could be kept"
    assert list((tmp_path / "t").glob("otzyv-*")) == []
    wait_until(lambda: server is None or not is_running(server), "PostgreSQL to end")


def test_a_run_that_was_killed_can_be_repeated_on_its_store_and_ends_its_postgresql(tmp_path, many):
    store = tmp_path / "s"
    with labelling(many, tmp_path, "--store", str(store)) as process:
        data = store / "postgres"
        wait_for_labels(data, process)
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
