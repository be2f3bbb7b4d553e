"""The tests near a change: those of the rooms that differ from main, committed or not. Prints them for pytest."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("scripts", "workers", "shared")
TIERS = ("quick", "local", "models", "store")
"""Where a room's tests stand; those of services are many rooms' at once, and run when they are changed themselves."""


def near(changed: Iterable[str], root: Path = ROOT) -> list[str]:
    """Files and folders of tests for the files that have changed, none of them inside another."""
    found = {place for path in changed for place in _of(PurePosixPath(path), root / "tests")}
    return sorted(place for place in found if not any(str(parent) in found for parent in Path(place).parents))


def _of(path: PurePosixPath, tests: Path) -> set[str]:
    """A test is near itself, a room to the folders that mirror it, and everything else to the tests of the whole."""
    if path.name.startswith("test_") and path.parts[0] == "tests":
        return {str(path)} if (tests.parent / path).exists() and "faults" not in path.parts else set()
    if path.parts[0] == "tests" and path.parts[1] in TIERS:
        return {str(path.parent)} if (tests.parent / path.parent).exists() else set()
    if path.parts[0] in PACKAGES:
        for room in list(path.parents)[:-2]:  # the innermost room first, the package itself never
            folders = {f"tests/{tier}/{room}" for tier in TIERS if (tests / tier / room).is_dir()}
            if folders:
                return folders
    if path.suffix == ".py":
        return {"tests/quick"}
    return {str(file.relative_to(tests.parent)) for file in (tests / "quick").glob("test_*.py")}


def changed() -> list[str]:
    """What differs from where this branch left main, and what git does not know yet."""
    known = _git("rev-parse", "--verify", "--quiet", "main")
    base = _git("merge-base", "HEAD", "main") if known else ["HEAD"]
    return [*_git("diff", "--name-only", *base), *_git("ls-files", "--others", "--exclude-standard")]


def _git(*arguments: str) -> list[str]:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.splitlines()


if __name__ == "__main__":
    print(*near(changed()), sep="\n")
