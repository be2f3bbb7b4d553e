"""Batches and failures on a real PostgreSQL: what is counted, and what could not be processed."""

from __future__ import annotations

import uuid

from msgspec.structs import replace

from shared.intake.intake import take_in
from shared.reviews.wire import BatchPart, Message, Rejected
from shared.store import Database, batches, failures
from tests.support.stored import QUEUE, ask, review


def progress(database: Database, batch: BatchPart, taxonomy: int) -> batches.BatchProgress:
    with database.transaction() as cursor:
        found = batches.progress(cursor, str(batch.id), taxonomy)
    assert found is not None
    return found


def failed(cursor, judged, taxonomy, stage="keywords"):
    failures.record_failed(cursor, f"cpu.{stage}", judged, taxonomy, stage, "out of memory", "abc")


def test_a_batch_that_nobody_has_sent_is_unknown(database, taxonomy):
    with database.transaction() as cursor:
        assert batches.progress(cursor, str(uuid.uuid4()), taxonomy) is None


def test_progress_counts_messages_reviews_and_what_they_wait_for(database, taxonomy, take, cascade):
    first = BatchPart(uuid.uuid4(), 0, name="reviews.csv")
    last = BatchPart(first.id, 1, last=True, name="reviews.csv")
    ids = take(review("1", "тапочки"), review("2", "очки"), batch=first).first_stage
    state = progress(database, first, taxonomy)
    assert (state.name, state.messages, state.messages_stored, state.complete) == (
        "reviews.csv",
        None,
        1,
        False,
    )
    assert (state.received, state.settled, state.waiting) == (2, 0, {"keywords": 2})
    take(review("3", "чайник"), batch=last, rejected=[Rejected("too long", b"{}")])
    cascade.run("keywords", ids)
    state = progress(database, first, taxonomy)
    assert (state.messages, state.messages_stored, state.complete) == (2, 2, True)
    assert (state.received, state.rejected, state.settled, state.waiting) == (3, 1, 2, {"keywords": 1})


def test_the_same_message_twice_is_counted_once(database, taxonomy, take):
    part = BatchPart(uuid.uuid4(), 0, last=True)
    for _ in range(2):
        take(review("1", "тапочки"), batch=part, rejected=[Rejected("too long", b"{}")])
    state = progress(database, part, taxonomy)
    assert (state.messages, state.messages_stored, state.received, state.rejected) == (1, 1, 1, 1)


def test_the_same_message_twice_in_one_transaction_is_counted_once(database, taxonomy):
    part = BatchPart(uuid.uuid4(), 0, last=True)
    messages = [Message([review("1", "тапочки")], [], part)] * 2
    take_in(database, messages, queue=QUEUE, taxonomy_id=taxonomy, first_stage="keywords")
    state = progress(database, part, taxonomy)
    assert (state.messages_stored, state.received) == (1, 1)


def test_messages_of_a_batch_may_come_in_any_order(database, taxonomy, take):
    batch = uuid.uuid4()
    for number in (2, 0, 1):
        part = BatchPart(batch, number, last=number == 2)
        take(review(str(number), "тапочки"), batch=part)
    state = progress(database, part, taxonomy)
    assert (state.messages, state.messages_stored, state.complete) == (3, 3, True)


def test_a_review_that_failed_counts_as_settled(database, taxonomy, take):
    part = BatchPart(uuid.uuid4(), 0, last=True)
    stored = take(review("1", "тапочки"), review("2", "очки"), batch=part)
    with database.transaction() as cursor:
        failed(cursor, {stored.ids[0][0]: 1}, taxonomy)
    state = progress(database, part, taxonomy)
    assert (state.settled, state.failed, state.waiting) == (1, 1, {"keywords": 1})


def test_the_same_rejected_review_twice_is_one_row(database, take):
    for _ in range(2):
        take(rejected=[Rejected("text: too long", b'{"id": "1"}', "shop", "1")])
    assert ask(database, "SELECT queue, reason, source, external_id FROM failures") == [
        (QUEUE, "text: too long", "shop", "1")
    ]


def test_a_rejected_review_is_kept_whatever_its_bytes_and_names_are(database, take):
    payload = bytes(range(256))
    take(rejected=[Rejected("a\x00b", payload, "a\x00\ud800", None)])
    ((reason, source, kept),) = ask(database, "SELECT reason, source, payload FROM failures")
    assert (reason, source, bytes(kept)) == ("ab", "a?", payload)


def test_a_review_that_failed_waits_no_more_until_its_text_is_replaced(database, taxonomy, take):
    stored = take(review("1", "тапочки"))
    for _ in range(2):
        with database.transaction() as cursor:
            failed(cursor, {stored.ids[0][0]: 1}, taxonomy)
    assert ask(database, "SELECT reason, revision FROM failures") == [("out of memory", 1)]
    assert take(review("1", "тапочки")).first_stage == []
    assert take(review("1", "очки")).first_stage == stored.ids[0]


def test_a_failure_on_an_old_text_or_of_another_stage_leaves_the_review_in_line(database, taxonomy, take):
    stored = take(review("1", "тапочки"))
    take(review("1", "очки"))
    with database.transaction() as cursor:
        failed(cursor, {stored.ids[0][0]: 1}, taxonomy)
        failed(cursor, {stored.ids[0][0]: 2}, taxonomy, stage="llm")
    assert ask(database, "SELECT revision FROM waiting") == [(2,)]
    assert ask(database, "SELECT count(*) FROM failures") == [(0,)]


def test_two_processes_that_store_parts_of_one_batch_do_not_wait_for_each_other(database, taxonomy, take):
    first = BatchPart(uuid.uuid4(), 0, name="reviews.csv")
    take(review("1", "тапочки"), batch=first)
    second, third = (Message([], [], replace(first, number=number)) for number in (1, 2))
    with database.transaction() as one, database.transaction() as other:
        batches.record(one, [second], [[]])
        other.execute("SET LOCAL lock_timeout = '2s'")
        batches.record(other, [third], [[]])
    assert progress(database, first, taxonomy).messages_stored == 3
