"""`otzyv enqueue --follow` where nobody works: it ends, and says what is missing."""

from __future__ import annotations

import uuid

import pytest

from scripts.service import enqueue
from shared.settings import Settings
from shared.store import Database


def test_a_batch_that_nobody_takes_in_is_not_followed_for_ever(
    settings: Settings,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(enqueue, "STUCK_AFTER_S", 0.0)
    batch = uuid.uuid4()
    assert not enqueue.follow(batch, 1, settings)
    told = " ".join(capsys.readouterr().err.split())
    assert f"nothing stored yet: batch {batch}: nobody consumes reviews.incoming" in told
    assert "start `otzyv ingest`" in told
