"""A release: refuses unless changelog, pyproject.toml and tag agree, then sets the tag. `make release VERSION=x`.

python .ci/release.py VERSION    checks, and tags the commit that is checked out as vVERSION; nothing is pushed
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_SEMANTIC = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?")
_HEADING = re.compile(r"^## \[(?P<version>[^\]]+)\](?: - (?P<day>\S+))?$", re.MULTILINE)


class Refused(Exception):
    """Why this is no release, in a sentence: what was expected, what was found, what to do."""


def check(version: str, pyproject: str, changelog: str) -> None:
    """Whether the texts of pyproject.toml and CHANGELOG.md are those of this version. Raises Refused."""
    if not _SEMANTIC.fullmatch(version):
        raise Refused(f"expected a version such as 1.2.3, found {version!r}")
    built = tomllib.loads(pyproject)["project"]["version"]
    if built != version:
        raise Refused(
            f"pyproject.toml: expected version {version}, found {built}; set it, or release {built}"
        )
    headings = list(_HEADING.finditer(changelog))
    newest = next((found for found in headings if found["version"] != "Unreleased"), None)
    if newest is None or newest["version"] != version:
        found = newest["version"] if newest else "none"
        raise Refused(f"CHANGELOG.md: expected its newest version to be {version}, found {found}; write it")
    if newest["day"] is None or not _is_day(newest["day"]):
        raise Refused(
            f"CHANGELOG.md: expected `## [{version}] - YYYY-MM-DD`, found {newest[0]!r}; write the day"
        )
    unreleased = changelog[: newest.start()].partition("## [Unreleased]")[2].strip()
    if unreleased:
        raise Refused(
            f"CHANGELOG.md: expected nothing unreleased, found {unreleased[:60]!r}; move it under {version}"
        )


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def check_repository(version: str, folder: Path) -> bool:
    """Whether the commit can be tagged; True where it has that tag already. Raises Refused."""
    changed = _git(folder, "status", "--porcelain")
    if changed:
        raise Refused(
            f"expected every change committed, found {changed.splitlines()[0].strip()!r}; commit it"
        )
    tagged = _git(folder, "tag", "--list", f"v{version}", "--format", "%(*objectname)%(objectname)")[:40]
    head = _git(folder, "rev-parse", "HEAD")
    if tagged and tagged != head:
        raise Refused(
            f"tag v{version}: expected it on this commit ({head[:7]}), found it on {tagged[:7]}; a version that is "
            "out stays as it is, so take the next number"
        )
    return bool(tagged)


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


def release(version: str, folder: Path = ROOT) -> str:
    """Check and tag; returns what was done. Raises Refused."""
    texts = [(folder / name).read_text(encoding="utf-8") for name in ("pyproject.toml", "CHANGELOG.md")]
    check(version, *texts)
    if check_repository(version, folder):
        return f"v{version} is this commit's tag already"
    _git(folder, "tag", "--annotate", f"v{version}", "--message", f"Otzyv {version}")
    return f"tagged this commit v{version}; `git push origin v{version}` publishes it"


if __name__ == "__main__":
    try:
        print(release(" ".join(sys.argv[1:])))
    except Refused as refused:
        print(f"no release: {refused}", file=sys.stderr)
        sys.exit(1)
