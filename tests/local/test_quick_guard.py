"""The guard of the quick tests, on tests made for it in a process of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parents[2]


def ran(folder: Path, test: str) -> str:
    """What pytest says of a file of tests under the guard."""
    folder.joinpath("conftest.py").write_text((ROOT / "tests" / "quick" / "conftest.py").read_text())
    folder.joinpath("test_it.py").write_text(dedent(test))
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-c",
        os.devnull,
        "--rootdir",
        str(folder),
    ]
    done = subprocess.run(
        [*command, str(folder)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout


def test_a_test_that_does_nothing_of_the_kind_passes(tmp_path: Path) -> None:
    shown = ran(
        tmp_path,
        """
        import socket, time
        import pytest

        @pytest.fixture(scope="session")
        def shared():
            end = time.process_time() + 1.1
            while time.process_time() < end:
                pass

        def test_it(shared, tmp_path):
            socket.socketpair()
            time.sleep(1.1)
        """,
    )
    assert "1 passed" in shown


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("import subprocess; subprocess.run(['true'])", "starts a process"),
        ("import os; os.system('true')", "starts a process"),
        ("import os; os.posix_spawn('/bin/true', ['true'], {})", "starts a process"),
        ("import os; pid = os.fork(); pid or os._exit(0); os.waitpid(pid, 0)", "starts a process"),
        ("import multiprocessing as m; p = m.Process(target=print); p.start(); p.join()", "starts a process"),
        ("import socket; socket.create_server(('127.0.0.1', 0)).close()", "opens a socket"),
        ("import socket; socket.socket().connect_ex(('127.0.0.1', 9))", "opens a socket"),
    ],
)
def test_a_test_that_starts_a_process_or_opens_a_socket_is_told_where_it_belongs(
    tmp_path: Path, body: str, sentence: str
) -> None:
    shown = ran(tmp_path, f"def test_it():\n    {body}\n")
    assert f"a quick test {sentence}: make it cheaper, or move it to tests/local" in shown
    assert "1 failed" in shown


def test_what_a_fixture_of_many_tests_starts_counts_too(tmp_path: Path) -> None:
    shown = ran(
        tmp_path,
        """
        import subprocess
        import pytest

        @pytest.fixture(scope="module")
        def server():
            subprocess.run(["true"])

        def test_it(server):
            pass
        """,
    )
    assert "a quick test starts a process: make it cheaper, or move it to tests/local" in shown


@pytest.mark.parametrize("place", ["test", "fixture"])
def test_a_second_of_computing_in_a_test_or_its_own_fixture_is_too_much(tmp_path: Path, place: str) -> None:
    shown = ran(
        tmp_path,
        f"""
        import time
        import pytest

        def compute():
            end = time.process_time() + 1.1
            while time.process_time() < end:
                pass

        @pytest.fixture
        def prepared():
            {"compute()" if place == "fixture" else "pass"}

        def test_it(prepared):
            {"compute()" if place == "test" else "pass"}
        """,
    )
    assert "a quick test takes 1.1 s of CPU, more than 1: make it cheaper, or move it to tests/local" in shown
    assert "1 failed" in shown


def test_torch_belongs_to_the_tests_of_models_wherever_it_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("")
    sentence = "a quick test loads torch: make it cheaper, or move it to tests/models"
    inside = ran(tmp_path, "def test_it():\n    import torch\n")
    assert sentence in inside
    assert "1 failed" in inside
    atop = ran(tmp_path, "import torch\n\ndef test_it():\n    pass\n")
    assert sentence in atop
    assert "1 error" in atop


@pytest.mark.parametrize(("service", "tier"), [("postgres", "tests/store"), ("rabbit", "tests/services")])
def test_a_service_belongs_to_the_tier_that_has_it(tmp_path: Path, service: str, tier: str) -> None:
    shown = ran(
        tmp_path,
        f"""
        import pytest

        @pytest.fixture(scope="session")
        def {service}():
            return "running already"

        def test_it({service}):
            pass
        """,
    )
    assert f"a quick test needs the fixture {service}: make it cheaper, or move it to {tier}" in shown


def test_the_quick_tests_and_no_others_are_guarded() -> None:
    guarded = [
        path for path in ROOT.glob("tests/**/conftest.py") if "tests.support.guard" in path.read_text()
    ]
    assert guarded == [ROOT / "tests" / "quick" / "conftest.py"]
