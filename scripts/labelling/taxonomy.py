"""`otzyv taxonomy check`: what is wrong with a taxonomy file, where, and what to write instead."""

from __future__ import annotations

from pathlib import Path

from scripts.command.console import err, out, remark
from shared import taxonomy

WARNINGS_SHOWN = 10


def check(file: Path, *, show_all: bool) -> bool:
    """Print every problem; True when the file can be used (warnings do not count)."""
    problems = taxonomy.check(file)
    warnings = [problem for problem in problems if problem.severity == "warning"]
    hidden = () if show_all else warnings[WARNINGS_SHOWN:]
    for problem in problems:
        if problem not in hidden:
            colour = "red" if problem.severity == "error" else "yellow"
            remark(problem.severity, f"{file}:{problem.line}:{problem.column}: {problem}", colour)
    if hidden:
        err.print(f"and {len(hidden)} more warnings; --all shows them")
    errors = sum(problem.severity == "error" for problem in problems)
    if errors:
        err.print(f"{errors} to mend before {file} can be used")
        return False
    loaded = taxonomy.Taxonomy.load(file)
    words = sum(len(category.keywords) + len(category.phrases) for category in loaded.categories)
    out.print(
        f"{file} is fine: {loaded.name}, version {loaded.version}, {len(loaded.categories)} categories, "
        f"{words} keywords and phrases",
        soft_wrap=True,
    )
    return True
