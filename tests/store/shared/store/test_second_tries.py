"""Failures in the store: who gets a second try, who is left, and what becomes of those that are given up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from shared.errors import BrokerUnavailable
from shared.labelling import second_try
from shared.labelling.second_try import RetriedPart
from shared.reviews.origin import Origin
from shared.reviews.wire import Message, Rejected
from shared.store import Database, failures, taxonomies
from shared.store.failures import FailureFilter
from shared.store.second_tries import Again
from tests.support import ledger
from tests.support.servers import PATIENCE_S, wait_until
from tests.support.stored import QUEUE, ask, review
from tests.support.threads import at_once

ALL = FailureFilter()
STAGES = [("cpu.keywords", "keywords"), ("gpu.label", "zero_shot"), ("gpu.label", "llm")]


def fail(database: Database, taxonomy: int, numbers: Sequence[int], queue: str = "cpu.keywords") -> None:
    with database.transaction() as cursor:
        judged = dict.fromkeys(numbers, 1)
        failures.record_failed(cursor, queue, judged, taxonomy, "keywords", "ValueError: no", "abc")


def retry(database: Database) -> tuple[list[Again], int]:
    """The reviews that wait again, and how many failures were left."""
    parts = list(second_try.wait_again(database, ALL, STAGES, "keywords"))
    return [row for part in parts for row in part.reviews], sum(part.seen - part.done for part in parts)


def reject(database: Database, *payloads: bytes) -> None:
    with database.transaction() as cursor:
        failures.record_rejected(
            cursor, QUEUE, [Message([], [Rejected("message: bad", payload)]) for payload in payloads]
        )


def send_again(
    database: Database, send: Callable[[bytes], object], choice: FailureFilter = ALL
) -> Iterator[RetriedPart]:
    """What was rejected is sent again; where it first came from is left out."""

    def each(payload: bytes, _came: Origin) -> None:
        send(payload)

    return second_try.send_again(database, choice, each)


def test_a_review_that_failed_waits_again_for_the_stage_of_its_queue(database, taxonomy, take):
    (number,) = take(review("1", "очки")).first_stage
    fail(database, taxonomy, [number])
    assert retry(database) == ([Again(number, taxonomy, 1, "keywords")], 0)
    assert ledger.count(database, "failures") == 0
    assert ledger.astray(database) == []


def test_it_may_fail_again(database, taxonomy, take):
    (number,) = take(review("1", "очки")).first_stage
    for _ in range(2):
        fail(database, taxonomy, [number])
        assert ledger.count(database, "failures") == 1
        assert retry(database)[1] == 0


def test_in_a_queue_of_several_stages_it_waits_for_the_first_that_has_said_nothing(database, taxonomy, take):
    silent, guessed = take(review("1", "очки"), review("2", "очки")).first_stage
    fail(database, taxonomy, [silent, guessed], "gpu.label")
    with database.transaction() as cursor:
        cursor.execute(
            "INSERT INTO verdicts (review_id, taxonomy_id, stage, revision, category, confidence, evidence, model) "
            "VALUES (%s, %s, 'zero_shot', 1, 'toys', 0.4, '[]', 'm')",
            (guessed, taxonomy),
        )
    assert [row.stage for row in retry(database)[0]] == ["zero_shot", "llm"]


def test_where_no_stage_of_its_queue_is_in_use_it_starts_at_the_first(database, taxonomy, take):
    (number,) = take(review("1", "очки")).first_stage
    fail(database, taxonomy, [number], "cpu.similarity")
    assert [row.stage for row in retry(database)[0]] == ["keywords"]


def test_a_failure_about_a_text_that_was_replaced_is_left(database, taxonomy, take):
    (number,) = take(review("1", "очки")).first_stage
    fail(database, taxonomy, [number])
    take(review("1", "тапочки"))
    assert retry(database) == ([], 1)
    assert ask(database, "SELECT revision FROM waiting") == [(2,)]
    assert [part.done for part in second_try.drop(database, ALL, "stage")] == [1]
    assert ledger.count(database, "labels") == 0, "the new text is not the one that was given up"
    assert ledger.astray(database) == []


def test_a_review_that_a_person_has_labelled_meanwhile_is_left(database, taxonomy, take):
    (number,) = take(review("1", "очки")).first_stage
    fail(database, taxonomy, [number])
    with database.transaction() as cursor:
        cursor.execute(
            "INSERT INTO labels (review_id, taxonomy_id, revision, category, status) "
            "VALUES (%s, %s, 1, 'toys', 'human')",
            (number, taxonomy),
        )
    assert retry(database) == ([], 1)
    list(second_try.drop(database, ALL, "stage"))
    assert ask(database, "SELECT category, status FROM labels") == [("toys", "human")]
    assert ledger.count(database, "waiting") == 0


def test_a_review_that_is_given_up_goes_to_a_person_with_the_best_guess_of_its_own_taxonomy(
    database, taxonomy, take
):
    guessed, silent = take(review("1", "очки"), review("2", "очки")).first_stage
    with database.transaction() as cursor:
        other = taxonomies.register(cursor, "test", "2", "{}")
        cursor.execute(
            "INSERT INTO waiting (review_id, taxonomy_id, revision, stage) VALUES (%s, %s, 1, 'keywords')",
            (guessed, other),
        )
        for number, category in ((taxonomy, "toys"), (other, "shoes")):
            cursor.execute(
                "INSERT INTO verdicts (review_id, taxonomy_id, stage, revision, category, confidence, evidence, model)"
                " VALUES (%s, %s, 'keywords', 1, %s, 0.4, '[]', 'm')",
                (guessed, number, category),
            )
    fail(database, taxonomy, [guessed, silent])
    fail(database, other, [guessed])
    parts = list(second_try.drop(database, ALL, "stage"))
    assert [(part.done, len(part.reviews)) for part in parts] == [(3, 3)]
    assert ask(
        database, "SELECT review_id, taxonomy_id, category, stage, status FROM labels ORDER BY 1, 2"
    ) == [
        (guessed, taxonomy, "toys", "keywords", "needs_review"),
        (guessed, other, "shoes", "keywords", "needs_review"),
        (silent, taxonomy, None, None, "needs_review"),
    ]
    assert (ledger.count(database, "waiting"), ledger.count(database, "failures")) == (0, 0)


def test_a_review_that_could_not_be_predicted_is_back_in_line(database, taxonomy, take):
    (number,) = take(review("1", "очки")).first_stage
    with database.transaction() as cursor:
        cursor.execute(
            "INSERT INTO awaiting_prediction (review_id, taxonomy_id, revision) VALUES (%s, %s, 1)",
            (number, taxonomy),
        )
        failures.record_unpredicted(cursor, "cpu.classify", {number: 1}, taxonomy, "ModelError: no", "abc")
    assert ledger.count(database, "awaiting_prediction") == 0
    assert [part.unpredicted for part in second_try.await_again(database, ALL, taxonomy)] == [[number]]
    assert ask(database, "SELECT review_id, revision FROM awaiting_prediction") == [(number, 1)]
    assert ledger.count(database, "failures") == 0


def test_what_was_rejected_is_sent_byte_by_byte_and_then_forgotten(database):
    payloads = [bytes(range(256)), b'{"id": "1"}']
    reject(database, *payloads)
    sent: list[bytes] = []
    assert [part.done for part in send_again(database, sent.append)] == [2]
    assert sent == payloads
    assert ledger.count(database, "failures") == 0


def test_where_sending_breaks_off_the_rows_are_still_there(database):
    reject(database, *(b"%d" % number for number in range(150)))
    sent: list[bytes] = []

    def send(payload: bytes) -> None:
        if len(sent) == 120:
            raise BrokerUnavailable("away")
        sent.append(payload)

    with pytest.raises(BrokerUnavailable):
        list(send_again(database, send))
    kept = {bytes(row[0]) for row in ask(database, "SELECT payload FROM failures")}
    assert kept == {b"%d" % number for number in range(100, 150)}, "a hundred were in a part that was through"


def test_what_is_rejected_once_more_before_it_is_forgotten_gets_a_row_of_its_own(database):
    reject(database, b"bad")
    ((before,),) = ask(database, "SELECT id FROM failures")
    ingest = threading.Thread(target=reject, args=(database, b"bad"))

    def send(_payload: bytes) -> None:
        ingest.start()
        stuck = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ 'INTO failures'"
        wait_until(lambda: ask(database, stuck) or not ingest.is_alive(), "the rejection to come this far")

    list(send_again(database, send, FailureFilter(upto=before)))
    ingest.join(PATIENCE_S)
    rows = ask(database, "SELECT id, payload FROM failures")
    assert [bytes(payload) for _, payload in rows] == [b"bad"]
    assert rows[0][0] > before


def test_a_payload_that_was_cut_is_left(database, monkeypatch):
    monkeypatch.setattr(failures, "MAX_PAYLOAD_BYTES", 10)
    monkeypatch.setattr(second_try, "MAX_PAYLOAD_BYTES", 10)
    reject(database, b"0123456789 and more", b"short")
    sent: list[bytes] = []
    assert [(part.seen, part.done) for part in send_again(database, sent.append)] == [(2, 1)]
    assert sent == [b"short"]
    assert ledger.count(database, "failures") == 1


def test_large_payloads_are_sent_in_several_transactions(database, monkeypatch):
    monkeypatch.setattr(second_try, "BYTES", 100)
    reject(database, b"a" * 90, b"b" * 90, b"c" * 300, b"d")
    assert [part.seen for part in send_again(database, lambda _payload: None)] == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (FailureFilter(), 3),
        (FailureFilter(queue="cpu.keywords"), 1),
        (FailureFilter(reason="MESSAGE: b"), 2),
        (FailureFilter(reason="100%_"), 0),
        (FailureFilter(queue="cpu.keywords", reason="message"), 0),
        (FailureFilter(upto=0), 0),
    ],
)
def test_failures_are_chosen_by_queue_and_by_a_part_of_their_reason(
    database, taxonomy, take, choice, expected
):
    fail(database, taxonomy, take(review("1", "очки")).first_stage)
    reject(database, b"1", b"2")
    with database.transaction() as cursor:
        counts, upto = failures.count(cursor, choice)
        shown, groups, total = failures.groups(cursor, choice, 10)
    assert sum(counts.values()) == total == sum(group.count for group in shown) == expected
    assert groups == len(shown)
    assert (upto > 0) == (expected > 0)


def test_two_commands_at_once_send_everything_once(database):
    reject(database, *(b"%d" % number for number in range(400)))
    sent: list[bytes] = []
    at_once(lambda _: list(send_again(database, sent.append)), range(2))
    assert sorted(sent) == sorted(b"%d" % number for number in range(400))
    assert ledger.count(database, "failures") == 0
