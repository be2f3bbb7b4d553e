"""`otzyv enqueue --follow` where nobody works: it ends, and says what is missing."""

from __future__ import annotations

import uuid

import pytest

from scripts.service import enqueue
from shared.settings import Settings
from shared.store import Database


@pytest.mark.parametrize(("judge_first", "command"), [(True, "otzyv worker cpu"), (False, "otzyv ingest")])
def test_a_batch_that_nobody_takes_in_is_not_followed_for_ever(
    settings: Settings,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    judge_first: bool,
    command: str,
) -> None:
    monkeypatch.setattr(enqueue, "STUCK_AFTER_S", 0.0)
    batch = uuid.uuid4()
    assert not enqueue.follow(batch, 1, settings.model_copy(update={"judge_first": judge_first}))
    told = " ".join(capsys.readouterr().err.split())
    assert f"nothing stored yet: batch {batch}: nobody consumes reviews.incoming" in told
    assert f"start `{command}`" in told
