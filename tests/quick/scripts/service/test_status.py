"""What `otzyv status` says of labels."""

from __future__ import annotations

from rich.console import Console

from scripts.service.status import label_table
from shared.settings import load
from shared.store.reports.overview import StageCount


def test_labels_of_people_are_theirs_and_no_guess_is_one_that_nobody_made() -> None:
    found = [
        StageCount("keywords", "accepted", 50),
        StageCount(None, "human", 40),
        StageCount(None, "needs_review", 10),
    ]
    console = Console(width=100)
    with console.capture() as shown:
        console.print(label_table(load(), found))
    lines = {line.split("  ")[0].strip(): line.split() for line in shown.get().splitlines()}
    assert lines["people"][-2:] == ["40", "40.0%"]
    assert lines["no guess"][-3:] == ["10", "0", "10.0%"]
    assert lines["keywords"][-4:] == ["50", "0", "0", "50.0%"]
