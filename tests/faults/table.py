"""The table of faults, made of what a run of the suite saw: `python -m tests.faults.table out/faults.jsonl`."""

from __future__ import annotations

import json
import os
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

Line = dict[str, Any]

HEAD = """\
# Faults, and what they cost

Every line below is a test that does to real processes what it says, with a real RabbitMQ and a real PostgreSQL of
its own, and then settles accounts with everything that was sent: *lost* are reviews that RabbitMQ had confirmed and
that were neither labelled nor failed with a reason; *unexpected* are labels of reviews that nobody sent; *duplicates*
are rows that are there once too often. At the end every queue is empty, and every review is in exactly one place. A
line without counts is a test in which no review is sent.

`make test-faults` does it all; this page is made of what it writes down:

    FAULTS_OBSERVATIONS=out/faults.jsonl make test-faults
    .venv/bin/python -m tests.faults.table out/faults.jsonl > docs/faults.md
"""
COLUMNS = ("case", "what happens", "expected", "observed", "test")
COUNTS = ("lost", "unexpected", "duplicates")


def page(lines: list[Line]) -> str:
    """The whole page; of a test that ran twice the later run counts."""
    lines = list({line["test"]: line for line in lines}.values())
    rows = [_row(same) for same in _by_test(lines)]
    seconds = sum(line["seconds"] for line in lines)
    failed = sum(line["outcome"] != "passed" for line in lines)
    confirmed = sum((line["counts"] or {}).get("confirmed", 0) for line in lines)
    run = (
        f"{len(lines)} tests, the newest run of each: {failed} failed, {confirmed:,} confirmed messages and reviews, "
        f"{seconds / 60:.0f} minutes added up, on {os.cpu_count()} cores; Python {platform.python_version()}, "
        f"celery {version('celery')}, kombu {version('kombu')}, psycopg2 {version('psycopg2-binary')}."
    )
    table = [_joined(COLUMNS), _joined("---" for _ in COLUMNS), *map(_joined, rows)]
    return "\n".join([HEAD, run, "", *table, ""])


def _by_test(lines: list[Line]) -> list[list[Line]]:
    """The lines of each test function, by the number of its case."""
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(line["test"].partition("[")[0], []).append(line)
    return sorted(groups.values(), key=lambda same: same[0]["case"])


def _row(same: list[Line]) -> tuple[str, ...]:
    first = same[0]
    test = first["test"].partition("[")[0]
    return str(first["case"]), first["what"].rstrip("."), first["expected"], _observed(same), f"`{test}`"


def _observed(same: list[Line]) -> str:
    """The worst counts of a test's runs, with what else was seen."""
    bad = [line for line in same if line["outcome"] != "passed"]
    if bad:
        return f"**failed** ({len(bad)} of {len(same)})"
    seen = [line["counts"] for line in same if line["counts"]]
    parts = (
        [", ".join(f"{name} {max(counts[name] for counts in seen)}" for name in COUNTS)]
        if seen
        else ["as expected"]
    )
    if seen:
        parts.append(
            ", ".join(f"{name} {sum(c[name] for c in seen):,}" for name in ("confirmed", "labelled"))
        )
        dead, failed = (sum(counts[name] for counts in seen) for name in ("dead_letters", "failed"))
        parts += [f"failed with a reason {failed}, dead letters {dead}"] if failed or dead else []
    return "; ".join([*parts, *dict.fromkeys(note for line in same for note in line["notes"])])


def _joined(cells: Any) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


if __name__ == "__main__":
    text = Path(sys.argv[1]).read_text(encoding="utf-8")
    sys.stdout.write(page([json.loads(line) for line in text.splitlines()]))
