"""What is not known after workers were asked about a model."""

from __future__ import annotations

import pytest

from workers.tasks.loading import WorkersAnswer

SAYS = WorkersAnswer(["cpu@a"], {}, [], 0)


@pytest.mark.parametrize(
    ("found", "doubt"),
    [
        (SAYS, ""),
        (WorkersAnswer([], {"cpu@a": "none found"}, [], 0), ""),
        (WorkersAnswer([], {}, [], 0), "no worker runs that could be asked"),
        (
            WorkersAnswer(["cpu@a"], {}, [], 2),
            "2 of the workers that run did not say whether they can load it",
        ),
        (
            WorkersAnswer(["cpu@a"], {}, ["cpu@b"], 0),
            "cpu@b: expected workers on this database, found them on",
        ),
    ],
)
def test_what_nobody_has_said_is_told_and_nothing_else(found: WorkersAnswer, doubt: str) -> None:
    assert found.doubt.startswith(doubt)
    assert bool(found.doubt) == bool(doubt)
