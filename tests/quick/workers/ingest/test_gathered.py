"""What ingest holds of each lane, when it is stored, and the part of it that goes into one transaction."""

from __future__ import annotations

import math

from kombu.message import Message as Delivery

from shared.reviews.review import make
from shared.reviews.wire import Message
from shared.settings import load
from workers.ingest.gathered import MOST_BYTES, MOST_REVIEWS, Gathered, due, most_reviews, nothing
from workers.rabbitmq.topology import Lane

REVIEW = make("shop", "1", "Платье", max_text_chars=100)


def gathered(reviews: int, body: bytes = b"{}", messages: int = 3) -> Gathered:
    held = Gathered()
    for _ in range(messages):
        held.add(Delivery(body=body), Message([REVIEW] * reviews, []), now=1.0)
    return held


def test_what_comes_while_a_part_is_stored_does_not_become_one_of_it() -> None:
    held = gathered(1)
    part = held.first(MOST_REVIEWS)
    held.add(Delivery(body=b"{}"), Message([REVIEW], []), now=2.0)
    assert len(part) == 3
    held.forget(part)
    assert (len(held.held), held.reviews) == (1, 1)


def test_a_part_holds_no_more_reviews_than_a_transaction_may_but_one_message_at_least() -> None:
    assert len(gathered(MOST_REVIEWS // 2).first(MOST_REVIEWS)) == 2
    assert len(gathered(MOST_REVIEWS + 1).first(MOST_REVIEWS)) == 1


def test_a_part_holds_no_more_bytes_than_a_statement_may() -> None:
    assert len(gathered(1, b" " * (MOST_BYTES // 2)).first(MOST_REVIEWS)) == 2


def test_what_is_left_of_a_lane_that_was_put_off_may_be_tried_at_once() -> None:
    held = gathered(1)
    held.tries, held.not_before = 3, 99.0
    held.forget(held.first(MOST_REVIEWS)[:1])
    assert (held.tries, held.not_before, len(held.held)) == (0, 0.0, 2)


def test_a_lane_that_was_put_off_is_due_when_its_pause_ends_and_not_looked_at_all_the_time() -> None:
    held = gathered(1)
    assert held.due_at(0.05) == 1.05
    held.not_before = 9.0
    assert held.due_at(0.05) == 9.0
    assert Gathered().due_at(0.05) == math.inf


SETTINGS = load(batch_rows=500, linger_ms=50, ingest_bulk_messages=4)
SINCE = 1.0


def lanes(live: Gathered | None = None, bulk: Gathered | None = None, now: float = SINCE) -> list[Lane]:
    held = nothing()
    held["live"], held["bulk"] = live or held["live"], bulk or held["bulk"]
    return due(held, SETTINGS, now)


def test_messages_are_stored_when_there_are_enough_or_the_first_has_waited_long_enough() -> None:
    assert lanes() == []
    assert lanes(live=gathered(1)) == []
    assert lanes(live=gathered(1), now=SINCE + 0.06) == ["live"]
    assert lanes(live=gathered(500, messages=1)) == ["live"]
    assert lanes(bulk=gathered(1, messages=4)) == ["bulk"], "no more of them are held"


def test_what_came_live_does_not_wait_for_a_bulk_batch_that_is_complete_before_it() -> None:
    assert lanes(live=gathered(1), bulk=gathered(250, messages=2)) == ["live", "bulk"]
    assert lanes(live=gathered(1), bulk=gathered(250, messages=1)) == []


def test_a_live_lane_that_was_put_off_does_not_hold_up_the_bulk_lane_and_is_not_tried_early() -> None:
    live = gathered(1)
    live.not_before = SINCE + 5
    assert lanes(live=live, bulk=gathered(250, messages=2)) == ["bulk"]


def test_bulk_reviews_are_stored_in_parts_no_larger_than_a_batch() -> None:
    assert most_reviews("live", SETTINGS) == MOST_REVIEWS
    assert len(gathered(250, messages=9).first(most_reviews("bulk", SETTINGS))) == 2
