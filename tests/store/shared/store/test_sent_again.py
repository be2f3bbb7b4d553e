"""What was rejected and is sent again, in the store: it keeps its time, and replaces nothing that came after it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from shared.intake.intake import Stored, take_in
from shared.labelling import second_try
from shared.reviews.origin import Origin
from shared.reviews.review import Review
from shared.reviews.wire import BatchPart, Message, Rejected
from shared.store import Database, failures
from shared.store.failures import FailureFilter
from shared.store.streams import Step
from tests.support import ledger
from tests.support.stored import QUEUE, ask, review

AGO = timedelta(days=1)


@pytest.fixture
def again(database: Database, taxonomy: int):
    """Messages of one transaction, each a review that was rejected so long ago, or that comes now (None)."""

    def take(*given: tuple[Review, timedelta | None]) -> Stored:
        now = ask(database, "SELECT now()")[0][0]
        messages = [
            Message([one], [], origin=None if ago is None else Origin(QUEUE, now - ago)) for one, ago in given
        ]
        return take_in(database, messages, queue=QUEUE, taxonomy_id=taxonomy, first_stage="keywords")

    return take


def texts(database: Database) -> list[str]:
    return [text for (text,) in ask(database, "SELECT text FROM reviews ORDER BY external_id")]


def test_an_older_text_does_not_replace_one_that_came_after_it(database, again):
    again((review("1", "новый"), None))
    stored = again((review("1", "старый"), AGO))
    assert texts(database) == ["новый"]
    assert (stored.new, stored.replaced, len(stored.ids[0])) == (0, 0, 1)
    assert ledger.astray(database) == []


def test_a_text_that_was_rejected_after_another_was_stored_replaces_it(database, again):
    again((review("1", "старый"), 2 * AGO))
    again((review("1", "новый"), AGO))
    assert texts(database) == ["новый"]
    again((review("1", "снова старый"), 2 * AGO))
    assert texts(database) == ["новый"], "they may come in another order"
    again((review("1", "самый новый"), None))
    again((review("1", "новый"), AGO))
    assert texts(database) == ["самый новый"]


def test_the_same_holds_for_messages_of_one_transaction(database, again):
    again((review("1", "а"), 2 * AGO), (review("1", "б"), AGO), (review("1", "в"), 2 * AGO))
    again((review("2", "сейчас"), None), (review("2", "раньше"), AGO), (review("3", "раньше"), AGO))
    assert texts(database) == ["б", "сейчас", "раньше"]
    assert ledger.astray(database) == []


def test_of_several_that_were_rejected_at_one_moment_the_last_one_stays(database, again, taxonomy):
    moment = Origin(QUEUE, datetime(2026, 11, 28, tzinfo=UTC))
    for text in ("первый", "второй"):
        message = Message([review("1", text)], [], origin=moment)
        take_in(database, [message], queue=QUEUE, taxonomy_id=taxonomy, first_stage="keywords")
    assert texts(database) == ["второй"]


def test_a_review_is_as_old_as_its_row_whenever_it_was_rejected(database, again):
    again((review("1", "тапочки"), AGO))
    assert ask(database, "SELECT now() - received_at < interval '1 hour', now() - came_at FROM reviews")[0][0]


def test_what_is_rejected_once_more_keeps_its_queue_its_offset_and_its_time(database, taxonomy):
    with database.transaction() as cursor:
        cursor.execute("INSERT INTO streams (name, next_offset, reader) VALUES ('shop', 7, 'r')")
    bad = Message([], [Rejected("id: bad", b"{}")])
    step = Step("shop", 7, 8, (7,), b"0" * 16)
    take_in(database, [bad], queue="stream shop", taxonomy_id=taxonomy, first_stage="keywords", step=step)
    before = ask(database, "SELECT queue, stream_offset, at, payload, digest FROM failures")
    sent: list[tuple[bytes, Origin]] = []
    list(second_try.send_again(database, FailureFilter(), lambda *one: sent.append(one)))
    ((payload, came),) = sent
    assert came == Origin("stream shop", before[0][2], 7)
    assert ledger.count(database, "failures") == 0
    message = Message([], [Rejected("id: bad", payload)], origin=came)
    for _ in range(2):
        take_in(database, [message], queue=QUEUE, taxonomy_id=taxonomy, first_stage="keywords")
    assert ask(database, "SELECT queue, stream_offset, at, payload, digest FROM failures") == before


def test_what_came_with_a_batch_says_so(database, take):
    take(batch=BatchPart(UUID(int=1), 0), rejected=[Rejected("text: bad", b"1")])
    take(rejected=[Rejected("text: bad", b"2")])
    with database.transaction() as cursor:
        numbers = [number for number, _ in failures.take(cursor, FailureFilter(), "rejected", 0, 10)]
        assert [came.in_batch for _, came in failures.take_out(cursor, numbers)] == [True, False]
