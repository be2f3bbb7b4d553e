"""Builds of other revisions: how they are found, kept whole, and asked; and what is told where one fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.bench.system.build_run import BuildRun
from scripts.bench.system.builds import Build, build_of, builds_folder, commit_of, whole
from shared.errors import ConfigurationError
from shared.settings import load

BENCH = """
import json, os, sys
def main():
    if "--help" in sys.argv:
        print("\\x1b[1;36m-\\x1b[0m\\x1b[1;36m-reviews\\x1b[0m  and --turns, --json")
    elif os.environ.get("PYTHONPATH"):
        sys.exit("modules of another build")
    elif "--reviews" in sys.argv:
        open(sys.argv[-1], "w").write(json.dumps({"runs": [{"otzyv": 7.0, "words": sys.argv[1:-1]}]}))
    elif "nothing" not in sys.argv:
        print("a cause"), sys.exit(3)
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A git checkout with one commit, which nobody can install."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "README").write_text("nothing to install")
    for words in (
        ["init", "--quiet"],
        ["add", "."],
        ["-c", "user.name=n", "-c", "user.email=e", "commit", "--quiet", "--message", "one"],
    ):
        subprocess.run(["git", "-C", folder, *words], check=True)
    return folder


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BuildRun:
    """A benchmark of a build that lies in a folder of its own."""
    monkeypatch.setenv("PYTHONPATH", "elsewhere")
    folder = tmp_path / "tree"
    (folder / "scripts").mkdir(parents=True)
    (folder / "scripts" / "cli.py").write_text(BENCH)
    return BuildRun(Build("v1", "0" * 40, Path(sys.executable), folder), "pipeline", load(), tmp_path)


def test_a_revision_is_known_by_its_commit(checkout: Path) -> None:
    assert commit_of("HEAD", checkout) == commit_of(commit_of("HEAD", checkout)[:7], checkout)
    for unknown in ("v9", "--all", "HEAD:README"):
        with pytest.raises(
            ConfigurationError, match=f"--against {unknown}: expected a revision of .*, found none"
        ):
            commit_of(unknown, checkout)


def test_a_package_that_lies_inside_of_another_checkout_is_no_checkout(
    checkout: Path, tmp_path: Path
) -> None:
    inner = checkout / "site-packages"
    inner.mkdir()
    for folder in (inner, tmp_path):
        with pytest.raises(ConfigurationError, match="expected Otzyv to run from its git checkout, found"):
            commit_of("HEAD", folder)


def test_a_build_that_fails_is_told_with_the_end_of_its_log_and_is_not_kept(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(ConfigurationError, match=r"expected to build (?s:.*)constraints\.txt"):
        build_of("HEAD", checkout)
    assert not (builds_folder() / commit_of("HEAD", checkout)).exists()


def test_a_build_that_is_there_is_taken_as_it_is(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    commit = commit_of("HEAD", checkout)
    python = builds_folder() / commit / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    assert build_of("HEAD", checkout).name == f"HEAD ({commit[:8]})"
    assert build_of(commit[:10], checkout).name == commit[:8]


def test_a_build_whose_interpreter_is_gone_is_built_anew(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = builds_folder() / commit_of("HEAD", checkout)
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "python").symlink_to(tmp_path / "removed")
    made = []

    def make(_checkout: Path, _commit: str, part: Path) -> None:
        made.append(part)

    monkeypatch.setattr("scripts.bench.system.builds._make", make)
    build_of("HEAD", checkout)
    assert made == [folder.with_suffix(".part")]
    assert list(folder.iterdir()) == []


def test_an_interrupted_build_leaves_no_half(tmp_path: Path) -> None:
    def half(part: Path) -> None:
        (part / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        whole(tmp_path / "build", half)
    assert not (tmp_path / "build").exists()
    whole(tmp_path / "build", lambda part: (part / "all").touch())
    assert [path.name for path in (tmp_path / "build").iterdir()] == ["all"]
    assert [path.name for path in tmp_path.iterdir()] == ["build"]


def test_a_build_is_asked_in_its_own_folder_without_the_paths_of_this_one(bench: BuildRun) -> None:
    bench.require("--reviews", "--turns")
    assert bench.measured("--reviews", "5")["words"] == ["bench", "pipeline", "--reviews", "5", "--json"]


def test_an_option_that_a_revision_lacks_is_told(bench: BuildRun) -> None:
    with pytest.raises(
        ConfigurationError, match="bench pipeline` knows --student, found v1, which does not; leave"
    ):
        bench.require("--reviews", "--student")


def test_a_benchmark_that_fails_is_told_with_the_end_of_its_log(bench: BuildRun) -> None:
    with pytest.raises(
        ConfigurationError, match=r"of v1: expected it to end well, found exit status 3;.*\na cause"
    ):
        bench.measured("--turns", "1")


def test_a_benchmark_without_figures_is_told(bench: BuildRun) -> None:
    with pytest.raises(ConfigurationError, match=r"expected figures of a turn as JSON, found .*No such file"):
        bench.measured("nothing")
