"""What a run of the suite saw, a JSON line per test, for the table of faults.

A pytest plugin: `pytest -p tests.faults.observations`. FAULTS_OBSERVATIONS names the file that lines are added to.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from inspect import cleandoc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tests.faults.elsewhere import ELSEWHERE, Case

if TYPE_CHECKING:
    from tests.faults.ledger import Ledger

VARIABLE = "FAULTS_OBSERVATIONS"
LEDGER: pytest.StashKey[Ledger] = pytest.StashKey()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Write a line once a test of a case has run."""
    report = yield
    place = os.environ.get(VARIABLE)
    case = _case(item)
    if place and case and call.when == "call":
        with Path(place).open("a", encoding="utf-8") as handle:
            handle.write(json.dumps(_line(item, case, report), ensure_ascii=False) + "\n")
    return report


def _case(item: pytest.Item) -> Case | None:
    """The case that a test is: one of this folder, or one elsewhere."""
    marker = item.get_closest_marker("case")
    if marker is None:
        return ELSEWHERE.get(item.nodeid.partition("[")[0])
    what = cleandoc(getattr(item, "function", None).__doc__ or "").replace("\n", " ")
    return Case(marker.args[0], what, marker.kwargs["expected"])


def _line(item: pytest.Item, case: Case, report: pytest.TestReport) -> dict[str, Any]:
    ledger = item.stash.get(LEDGER, None)
    counts = ledger.counts if ledger else None
    return {
        **msgspec.structs.asdict(case),
        "test": item.nodeid,
        "outcome": report.outcome,
        "counts": msgspec.structs.asdict(counts) if counts else None,
        "notes": ledger.notes if ledger else [],
        "seconds": round(report.duration, 1),
    }
