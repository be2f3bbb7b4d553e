"""What ingest holds of a lane, and the part of it that goes into one transaction."""

from __future__ import annotations

import math

from kombu.message import Message as Delivery

from shared.reviews import Message, make
from workers.ingest import MOST_BYTES, MOST_REVIEWS, Gathered

REVIEW = make("shop", "1", "Платье", max_text_chars=100)


def gathered(reviews: int, body: bytes = b"{}", messages: int = 3) -> Gathered:
    held = Gathered()
    for _ in range(messages):
        held.add(Delivery(body=body), Message([REVIEW] * reviews, []), now=1.0)
    return held


def test_what_comes_while_a_part_is_stored_does_not_become_one_of_it() -> None:
    held = gathered(1)
    part = held.first()
    held.add(Delivery(body=b"{}"), Message([REVIEW], []), now=2.0)
    assert len(part) == 3
    held.forget(part)
    assert (len(held.held), held.reviews) == (1, 1)


def test_a_part_holds_no_more_reviews_than_a_transaction_may_but_one_message_at_least() -> None:
    assert len(gathered(MOST_REVIEWS // 2).first()) == 2
    assert len(gathered(MOST_REVIEWS + 1).first()) == 1


def test_a_part_holds_no_more_bytes_than_a_statement_may() -> None:
    assert len(gathered(1, b" " * (MOST_BYTES // 2)).first()) == 2


def test_what_is_left_of_a_lane_that_was_put_off_may_be_tried_at_once() -> None:
    held = gathered(1)
    held.tries, held.not_before = 3, 99.0
    held.forget(held.first()[:1])
    assert (held.tries, held.not_before, len(held.held)) == (0, 0.0, 2)


def test_a_lane_that_was_put_off_is_due_when_its_pause_ends_and_not_looked_at_all_the_time() -> None:
    held = gathered(1)
    assert held.due_at(0.05) == 1.05
    held.not_before = 9.0
    assert held.due_at(0.05) == 9.0
    assert Gathered().due_at(0.05) == math.inf
