"""The store on a real PostgreSQL: what repeats changes nothing, what is replaced leaves a history."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

import pytest

from shared.errors import PoisonError
from shared.intake.intake import take_in
from shared.labelling.labeller import Labeller
from shared.labelling.rules import Rules
from shared.reviews.review import Review
from shared.reviews.wire import BatchPart, Message, decode, encode
from shared.store import Database, labels, places, taxonomies
from shared.store.labels import Label
from shared.store.reports import export
from shared.text.nesting import MAX_DEPTH
from tests.support.servers import wait_until
from tests.support.stored import (
    QUEUE,
    ByFirstLetter,
    ask,
    blocked,
    dump,
    review,
    take_reviews,
    upserted,
    waiting,
)
from tests.support.threads import at_once

# Reviews that come again


def test_new_reviews_wait_for_the_first_stage(database, take):
    stored = take(review("1", "тапочки"), review("2", "очки"))
    assert (stored.new, stored.replaced) == (2, 0)
    assert waiting(database) == [("1", 1, "keywords"), ("2", 1, "keywords")]
    assert stored.first_stage == stored.ids[0]


def test_reviews_that_are_sent_again_before_they_have_a_label_change_no_row(database, take):
    first = take(review("1", "тапочки"), review("2", "очки"))
    before = dump(database)
    again = take(review("2", "очки"), review("1", "тапочки"))
    assert dump(database) == before
    assert (again.new, again.replaced) == (0, 0)
    assert sorted(again.first_stage) == sorted(first.first_stage), "they are sent on once more"


def test_labelled_reviews_that_are_sent_again_change_no_row_and_are_not_sent_on(database, take, cascade):
    reviews = [review("1", "тапочки"), review("2", "очки"), review("3", "чайник")]
    cascade.run("keywords", take(*reviews).first_stage)
    before = dump(database)
    again = take(*reviews)
    assert again.first_stage == []
    cascade.run("keywords", again.ids[0])
    assert dump(database) == before


def test_the_same_review_with_other_meta_changes_no_row(database, take):
    take(review("1", "тапочки", meta={"rating": 5}))
    before = dump(database)
    take(review("1", "тапочки", meta={"rating": 1}, created_at=datetime(2026, 1, 2, tzinfo=UTC)))
    assert dump(database) == before


def test_the_same_id_of_another_source_is_another_review(database, take):
    stored = take(review("1", "тапочки", "shop"), review("1", "очки", "market"))
    assert stored.new == 2


# Texts that are replaced


def test_an_edited_review_is_labelled_anew_and_its_past_is_kept(database, take, cascade):
    cascade.run("keywords", take(review("1", "тапочки")).first_stage)
    stored = take(review("1", "очки"))
    assert (stored.new, stored.replaced) == (0, 1)
    assert ask(database, "SELECT text, revision FROM reviews") == [("очки", 2)]
    assert ask(database, "SELECT count(*) FROM labels") == [(0,)]
    assert ask(database, "SELECT category, status, revision FROM label_history") == [("shoes", "accepted", 1)]
    assert ask(database, "SELECT text, revision FROM review_history") == [("тапочки", 1)]
    assert waiting(database) == [("1", 2, "keywords")]
    cascade.run("keywords", stored.first_stage)
    assert ask(database, "SELECT category, status, revision FROM labels") == [("toys", "needs_review", 2)]


def test_a_text_that_returns_to_an_earlier_one_is_a_new_revision(database, take):
    for text in ("тапочки", "очки", "тапочки"):
        take(review("1", text))
    assert ask(database, "SELECT text, revision FROM reviews") == [("тапочки", 3)]
    assert ask(database, "SELECT text FROM review_history ORDER BY revision") == [("тапочки",), ("очки",)]


def taken_for_another_taxonomy(database: Database, one: Review) -> int:
    """Store a review for another version of the taxonomy; returns its number."""
    with database.transaction() as cursor:
        other = taxonomies.register(cursor, "test", "2", "{}")
    take_reviews(database, other, one)
    return other


def test_an_edited_review_is_labelled_anew_by_every_taxonomy(database, take, taxonomy):
    stored = take(review("1", "тапочки"))
    other = taken_for_another_taxonomy(database, review("1", "тапочки"))
    take(review("1", "очки"))
    query = "SELECT taxonomy_id, revision FROM waiting WHERE review_id = %s ORDER BY 1"
    assert ask(database, query, stored.ids[0][0]) == [(taxonomy, 2), (other, 2)]


def test_an_edit_starts_other_taxonomies_anew_that_had_labelled_the_review(database, take, taxonomy):
    stored = take(review("1", "тапочки"))
    other = taken_for_another_taxonomy(database, review("1", "тапочки"))
    for each in (taxonomy, other):
        Labeller(
            database, each, ("keywords",), {"keywords": ByFirstLetter()}, Rules(each, {"keywords": 0.8})
        ).run("keywords", stored.ids[0])
    assert ask(database, "SELECT count(*) FROM labels") == [(2,)]
    take(review("1", "очки"))
    assert ask(database, "SELECT taxonomy_id, revision FROM waiting ORDER BY 1") == [
        (taxonomy, 2),
        (other, 2),
    ]
    assert ask(database, "SELECT count(*) FROM labels") == [(0,)]
    assert ask(database, "SELECT count(*) FROM label_history") == [(2,)]


def test_a_review_sent_again_while_it_is_being_labelled_is_not_labelled_twice(database, take, taxonomy):
    stored = take(review("1", "тапочки"))
    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as cursor:
            held = places.hold(cursor, stored.ids[0], taxonomy)
            rows = [Label(stored.ids[0][0], 1, "shoes", 0.9, "keywords", "accepted")]
            labels.settle(cursor, rows, taxonomy, held)
            again = pool.submit(take, review("1", "тапочки"))
            wait_until(lambda: blocked(database), "the second transaction to wait for the first")
        assert again.result().first_stage == []
    assert ask(database, "SELECT count(*) FROM waiting") == [(0,)]
    assert ask(database, "SELECT count(*) FROM label_history") == [(0,)]


def test_a_stage_that_is_not_in_use_leaves_its_reviews_to_the_sweep(database, take, taxonomy):
    ids = take(review("1", "тапочки")).first_stage
    without = Labeller(database, taxonomy, ("llm",), {}, Rules(taxonomy, {}))
    assert without.run("keywords", ids).counts.seen == 0
    assert without.resettle(10) == {"llm": ids}
    assert waiting(database) == [("1", 1, "llm")]


def test_in_a_cascade_with_an_order_of_its_own_they_begin_anew(database, take, taxonomy):
    ids = take(review("1", "тапочки")).first_stage
    with database.transaction() as cursor:
        held = places.hold(cursor, ids, taxonomy)
        texts = places.texts(cursor, ids, taxonomy, "keywords")
        assert places.pass_on(cursor, texts, taxonomy, "similarity", held) == ids
    other = Labeller(database, taxonomy, ("llm", "keywords"), {}, Rules(taxonomy, {}))
    assert other.resettle(10) == {"llm": ids}
    assert other.resettle(10) == {}


def test_the_last_of_two_reviews_with_one_name_wins(database, take):
    stored = take(review("1", "тапочки"), review("2", "чайник"), review("1", "очки"))
    assert ask(database, "SELECT external_id, text, revision FROM reviews ORDER BY 1") == [
        ("1", "очки", 1),
        ("2", "чайник", 1),
    ]
    assert len(stored.first_stage) == 2
    assert len(stored.ids[0]) == 3


def test_the_last_of_two_messages_with_one_name_wins(database, taxonomy):
    messages = [Message([review("1", text)], []) for text in ("тапочки", "очки")]
    stored = take_in(database, messages, queue=QUEUE, taxonomy_id=taxonomy, first_stage="keywords")
    assert ask(database, "SELECT text FROM reviews") == [("очки",)]
    assert stored.ids[0] == stored.ids[1] == stored.first_stage


def test_new_reviews_that_another_process_is_storing_as_well_are_stored_once(database, taxonomy, take):
    other = Message([review("1", "тапочки"), review("2", "очки")], [])
    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as cursor:
            first = upserted(cursor, [other], taxonomy, "keywords")
            late = pool.submit(take, review("2", "туфли"), review("1", "тапочки"), review("3", "чайник"))
            wait_until(lambda: blocked(database), "the second transaction to wait for the first")
        second = late.result()
    assert (len(first.fresh), second.new, second.replaced) == (2, 1, 1)
    assert second.ids[0][:2] == list(reversed(first.ids[0]))
    assert ask(database, "SELECT external_id, text, revision FROM reviews ORDER BY 1") == [
        ("1", "тапочки", 1),
        ("2", "туфли", 2),
        ("3", "чайник", 1),
    ]
    assert waiting(database) == [("1", 1, "keywords"), ("2", 2, "keywords"), ("3", 1, "keywords")]
    assert sorted(second.first_stage) == sorted(second.ids[0])


def test_a_known_review_that_is_deleted_while_it_comes_again_is_a_new_one(database, take):
    number = take(review("1", "тапочки")).ids[0][0]
    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as cursor:
            cursor.execute("DELETE FROM waiting; DELETE FROM reviews")
            again = pool.submit(take, review("1", "тапочки"), review("2", "очки"))
            wait_until(lambda: blocked(database), "the second transaction to wait for the first")
        stored = again.result()
    assert (stored.new, stored.replaced) == (2, 0)
    assert number not in stored.first_stage
    assert waiting(database) == [("1", 1, "keywords"), ("2", 1, "keywords")]


def test_a_text_that_is_replaced_while_another_taxonomy_takes_the_review_in_is_the_one_that_waits(
    database, taxonomy, take
):
    take(review("1", "тапочки"))
    with database.transaction() as cursor:
        other = taxonomies.register(cursor, "test", "2", "{}")
    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as cursor:
            upserted(cursor, [Message([review("1", "тапочки")], [])], other, "keywords")
            edit = pool.submit(take, review("1", "очки"))
            wait_until(lambda: blocked(database), "the edit to wait for the first transaction")
        assert edit.result().replaced == 1
    query = "SELECT taxonomy_id, revision FROM waiting ORDER BY 1"
    assert ask(database, query) == [(taxonomy, 2), (other, 2)]


# What can be stored at all


def test_names_and_evidence_of_any_characters_come_back_as_they_were(database, taxonomy, take, cascade):
    name, text = "а\\N\\tб\"'", "т\\\t\n\r\"'"
    cascade.run("keywords", take(review(name, text, source="\\.")).first_stage)
    assert ask(database, "SELECT source, external_id FROM reviews") == [("\\.", name)]
    with database.transaction() as cursor:
        (found,) = export.by_names(cursor, [("\\.", name)], taxonomy).values()
    assert found.evidence == [
        {"word": text, "start": 0, "end": len(text), "keyword": "т", "category": "shoes"}
    ]


@pytest.mark.parametrize(
    "text",
    [
        "\\.",
        "а\n\\.\nб",
        '"а","б"',
        "а\r\nб\rв",
        "\\N",
        "NULL",
        "{}",
        "%s",
        "\u202eא😀\ufffe\U0010ffff",
        "\x01а\x7f\x85",
    ],
)
def test_a_text_of_any_characters_comes_back_as_it_was(database, take, text):
    take(review("1", text))
    assert ask(database, "SELECT text FROM reviews") == [(text,)]


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "я" * 200, "source": "\U0001f600" * 200},
        {"created_at": "0001-01-01T00:00:00Z"},
        {"created_at": "9999-12-31T23:59:59.999999Z"},
        {"created_at": "2026-01-02T00:00:00+23:59"},
        {"meta": {"a": 1e308, "b": 10**1_000, "": None, "в": "\\u0000"}},
        {"batch": {"id": str(uuid.UUID(int=1)), "number": 2**31 - 2, "last": True, "name": "я" * 500}},
    ],
)
def test_whatever_the_wire_contract_accepts_can_be_stored(database, taxonomy, fields):
    batch = fields.get("batch")
    part = BatchPart(uuid.UUID(batch["id"]), batch["number"], batch["last"], batch["name"]) if batch else None
    row = {"source": "shop", "id": "1", "text": "тапочки"} | {n: v for n, v in fields.items() if n != "batch"}
    message = decode(encode([row], part), max_text_chars=20_000)
    assert message.rejected == []
    assert take_in(database, [message], queue=QUEUE, taxonomy_id=taxonomy, first_stage="keywords").new == 1


def test_meta_of_the_deepest_nesting_accepted_can_be_stored(database, taxonomy):
    meta = '{"a":' * (MAX_DEPTH - 1) + "1" + "}" * (MAX_DEPTH - 1)
    body = f'{{"source": "shop", "id": "1", "text": "тапочки", "meta": {meta}}}'.encode()
    message = decode(body, max_text_chars=20_000)
    assert take_in(database, [message], queue=QUEUE, taxonomy_id=taxonomy, first_stage="keywords").new == 1


# Transactions beside each other


def test_overlapping_reviews_in_opposite_order_do_not_deadlock(database, taxonomy):
    names = [f"{number:03}" for number in range(300)]
    start = Barrier(2)

    def send(order: Sequence[str], text: str) -> int:
        written = 0
        for round_ in range(5):
            reviews = [review(name, f"{text} {round_}") for name in order]
            start.wait()
            stored = take_reviews(database, taxonomy, *reviews)
            written += stored.new + stored.replaced
        return written

    with ThreadPoolExecutor(2) as pool:
        forth = pool.submit(send, names, "тапочки")
        back = pool.submit(send, names[::-1], "очки")
        assert forth.result() + back.result() == 2 * 5 * 300
    assert ask(database, "SELECT count(*), min(revision), max(revision) FROM reviews") == [(300, 10, 10)]
    assert ask(database, "SELECT count(*) FROM review_history") == [(9 * 300,)]
    assert ask(database, "SELECT count(*), min(revision) FROM waiting") == [(300, 10)]


def test_the_same_new_reviews_in_two_transactions_at_once_are_stored_once(database, taxonomy):
    reviews = [review(str(number), "тапочки") for number in range(300)]
    stored = at_once(lambda _: take_reviews(database, taxonomy, *reviews), range(2))
    assert sorted(each.new for each in stored) == [0, 300]
    assert sorted(stored[0].ids[0]) == sorted(stored[1].ids[0])


def test_an_error_in_a_transaction_leaves_nothing_of_it(database, take):
    before = dump(database)
    bad = BatchPart(uuid.uuid4(), -1)
    with pytest.raises(PoisonError, match=r"^PostgreSQL refused a value: "):
        take(review("1", "тапочки"), batch=bad)
    assert dump(database) == before
    assert take(review("1", "тапочки")).new == 1, "the connection is of use again"
