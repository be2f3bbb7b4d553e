"""`make release` refuses unless changelog, pyproject.toml and tag agree. Runs git in a folder of its own."""

from __future__ import annotations

import runpy
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RELEASE = runpy.run_path(str(ROOT / ".ci" / "release.py"))
Refused = RELEASE["Refused"]

PYPROJECT = '[project]\nname = "otzyv"\nversion = "1.2.3"\n'
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-11-28\n\n### Added\n\n- A thing.\n"


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a test", "-c", "user.email=test@example.org"]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "a test")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "test@example.org")
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    return tmp_path


def test_a_release_tags_the_commit_and_says_the_same_again(project: Path) -> None:
    assert "tagged this commit v1.2.3" in RELEASE["release"]("1.2.3", project)
    assert git(project, "rev-list", "-1", "v1.2.3") == git(project, "rev-parse", "HEAD")
    assert "already" in RELEASE["release"]("1.2.3", project)


def test_a_tag_on_another_commit_is_refused(project: Path) -> None:
    RELEASE["release"]("1.2.3", project)
    git(project, "commit", "--quiet", "--allow-empty", "--message", "second")
    with pytest.raises(
        Refused, match=r"tag v1\.2\.3: expected it on this commit .*; .* take the next number"
    ):
        RELEASE["release"]("1.2.3", project)


def test_an_uncommitted_change_is_refused(project: Path) -> None:
    (project / "new.py").write_text("")
    with pytest.raises(Refused, match=r"expected every change committed, found '\?\? new\.py'"):
        RELEASE["release"]("1.2.3", project)
    assert git(project, "tag") == ""


@pytest.mark.parametrize(
    ("version", "pyproject", "changelog", "sentence"),
    [
        ("one", PYPROJECT, CHANGELOG, "expected a version such as 1.2.3, found 'one'"),
        ("", PYPROJECT, CHANGELOG, "expected a version such as 1.2.3, found ''"),
        ("1.3.0", PYPROJECT, CHANGELOG, "pyproject.toml: expected version 1.3.0, found 1.2.3"),
        ("1.2.3", PYPROJECT, CHANGELOG.replace("1.2.3", "1.2.2"), "newest version to be 1.2.3, found 1.2.2"),
        ("1.2.3", PYPROJECT, "# Changelog\n", "newest version to be 1.2.3, found none"),
        ("1.2.3", PYPROJECT, CHANGELOG.replace(" - 2026-11-28", ""), "expected `## [1.2.3] - YYYY-MM-DD`"),
        ("1.2.3", PYPROJECT, CHANGELOG.replace("11-28", "13-28"), "expected `## [1.2.3] - YYYY-MM-DD`"),
        (
            "1.2.3",
            PYPROJECT,
            CHANGELOG.replace("[Unreleased]\n", "[Unreleased]\n\n- More.\n"),
            "expected nothing unreleased, found '- More.'",
        ),
    ],
)
def test_texts_that_do_not_agree_are_refused_with_what_to_do(
    version: str, pyproject: str, changelog: str, sentence: str
) -> None:
    with pytest.raises(Refused) as refused:
        RELEASE["check"](version, pyproject, changelog)
    assert sentence in str(refused.value)


def test_the_version_that_is_built_is_the_newest_of_the_changelog() -> None:
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in ("pyproject.toml", "CHANGELOG.md")]
    built = texts[0].split('\nversion = "')[1].split('"')[0]
    assert f"\n## [{built}] - " in texts[1]
