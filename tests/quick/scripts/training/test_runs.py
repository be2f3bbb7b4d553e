"""Runs as tables and as lines: nothing is cut at 80 columns, and lines tell how far a training is where it is piped."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest
from rich.console import Console

from scripts.training.runs import RunNews, table_of
from shared.runs.pace import Pace
from shared.store.runs import Run

RUN = Run(
    architecture="bert_lstm", seed=2_026_112_901, arguments={}, asked_by="a", reason="", auto_promote=False,
    time_limit_s=9, id=1_234_567, key="k", experiment=1, taxonomy_id=1, snapshot_id=1, status="running",
    cancel_requested=False, attempt=1, crashes=0, worker="w", progress=0.31,
    message="trains; about 101:02:03 left; loss 0.512; F1 on held-out labels 0.812", spent_s=444_444,
    facts={"metrics": {"weighted_f1": 0.9163}}, model_id=7_654_321, verdict=None,
    created_at=datetime(2026, 11, 29, tzinfo=UTC), started_at=None, finished_at=None,
)  # fmt: skip


def test_a_table_of_runs_is_whole_at_80_columns():
    console = Console(width=80)
    with console.capture() as captured:
        console.print(table_of([RUN, msgspec.structs.replace(RUN, id=8, status="succeeded")]))
    shown = captured.get()
    assert "…" not in shown
    for figure in ("1234567", "2026112901", "running", "succeeded", "31%", "123:27:24", "0.916", "7654321"):
        assert figure in shown
    assert "about 101:02:03 left; loss 0.512; F1 on held-out labels 0.812" in " ".join(shown.split())
    assert max(map(len, shown.splitlines())) <= 80


def test_a_training_that_is_piped_tells_how_far_it_is_now_and_then():
    now = 0.0
    news = RunNews(lambda: now)
    queued = msgspec.structs.replace(RUN, status="queued", message="", progress=0.0)
    assert list(news.of([queued])) == ["run 1234567, bert_lstm, seed 2026112901: queued"]
    assert list(news.of([queued])) == []
    (begins,) = news.of([RUN])
    assert begins.startswith(
        "run 1234567, bert_lstm, seed 2026112901: running, 31%; trains; about 101:02:03 left"
    )
    now = 9.0
    assert list(news.of([RUN])) == [], "the figures alone are no news yet"
    now = 10.0
    (later,) = news.of([msgspec.structs.replace(RUN, progress=0.4, message="trains; about 0:01:00 left")])
    assert later.endswith(": running, 40%; trains; about 0:01:00 left")


@pytest.mark.parametrize(
    ("now", "share", "left"),
    [(100.0, 0.2, None), (104.0, 0.3, None), (110.0, 0.4, 30.0), (110.0, 1.0, None), (110.0, 0.2, None)],
)
def test_what_is_left_of_a_training_follows_from_its_pace_in_this_process(now, share, left):
    found = Pace(100.0, 0.2).left_s(now, share)
    assert found == (None if left is None else pytest.approx(left))
