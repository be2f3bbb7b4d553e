"""Messages of producers that do not speak the contract, read by a mapping: what is taken, what is refused and how."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.errors import InvalidReview
from shared.reviews import mapped, mappings_file, wire
from shared.reviews.review import Review
from shared.reviews.wire import Message

MAPPING = {
    "id": "externalId",
    "text": ["text", "pros", "cons"],
    "created_at": "createdDate",
    "source": {"const": "shop"},
    "meta": ["rating"],
    "zone": "Europe/Moscow",
}
FOREIGN = {
    "externalId": 42,
    "text": "Чайник не греет",
    "pros": "",
    "cons": None,
    "rating": 2,
    "createdDate": "28.11.2026 10:16",
    "authorName": "Анна",
}


def read(body: Any, limit: int = 1_000, **changes: object) -> Message:
    """A message, read by the mapping with changes to it; None takes a field out."""
    given = {name: value for name, value in {**MAPPING, **changes}.items() if value is not None}
    mapping = mappings_file.load(json.dumps({"shop.reviews": given}))["shop.reviews"]
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return mapped.decode(raw, mapping, max_text_chars=limit)


def refusal(**changes: object) -> str:
    message = read({**FOREIGN, **changes})
    assert not message.reviews
    return message.rejected[0].reason


def test_a_review_is_found_in_the_fields_that_the_mapping_names():
    assert read(FOREIGN) == Message(
        [Review("shop", "42", "Чайник не греет", datetime(2026, 11, 28, 7, 16, tzinfo=UTC), '{"rating":2}')],
        [],
    )


def test_the_same_message_without_a_mapping_is_refused():
    with pytest.raises(InvalidReview, match=r"missing required field|unknown field"):
        wire.decode(json.dumps(FOREIGN).encode(), max_text_chars=1_000)


def test_a_text_is_joined_from_its_parts_that_are_not_empty():
    message = read({**FOREIGN, "pros": "Красивый", "cons": " "})
    assert message.reviews[0].text == "Чайник не греет\nКрасивый"


@pytest.mark.parametrize(
    ("given", "name"),
    [("a-1", "a-1"), (42, "42"), (12.0, "12"), (-3, "-3"), (2**63, str(2**63)), ("12.0", "12.0")],
)
def test_an_id_is_text_or_a_whole_number_however_json_writes_it(given, name):
    assert read({**FOREIGN, "externalId": given}).reviews[0].id == name


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (12.5, "the number 12.5"),
        (1e300, "the number 1e+300"),
        (True, "true or false"),
        (None, "nothing"),
        ([1], "an array"),
        ({}, "an object"),
    ],
)
def test_an_id_that_is_neither_is_refused_with_its_path_and_what_is_there(given, found):
    assert refusal(externalId=given) == (
        f"id: expected text or a whole number at externalId, found {found}; read by the mapping of shop.reviews"
    )


def test_a_floating_point_id_that_has_lost_digits_is_refused():
    assert "found the number 1.2345678901234567e+19" in refusal(externalId=12345678901234567890.0)


@pytest.mark.parametrize("given", [None, ""])
def test_a_review_without_a_time_has_none(given):
    assert read({**FOREIGN, "createdDate": given}).reviews[0].created_at is None


@pytest.mark.parametrize("zone", ["Europe/Moscow", "+03:00"])
@pytest.mark.parametrize(
    "given",
    [
        "28.11.2026 10:16",
        "2026-11-28T10:16:00",
        "2026-11-28T07:16Z",
        1795850160,
        1795850160000,
        [2026, 11, 28, 10, 16],
    ],
)
def test_a_local_time_is_in_the_zone_of_the_mapping_and_any_other_where_it_says(zone, given):
    review = read({**FOREIGN, "createdDate": given}, zone=zone).reviews[0]
    assert review.created_at == datetime(2026, 11, 28, 7, 16, tzinfo=UTC)


@pytest.mark.parametrize("given", ["28.11.2026 10:16", [2026, 11, 28, 10, 16]])
def test_a_local_time_is_refused_where_the_mapping_names_no_zone(given):
    message = read({**FOREIGN, "createdDate": given}, zone=None)
    assert message.rejected[0].reason == (
        "created_at: expected a time with its offset from UTC at createdDate, found one without; name its zone in the "
        'mapping of shop.reviews, such as "zone": "Europe/Moscow"; read by the mapping of shop.reviews'
    )


def test_without_a_zone_iso_8601_without_an_offset_is_utc_as_in_the_contract():
    review = read({**FOREIGN, "createdDate": "2026-11-28T10:16:00"}, zone=None).reviews[0]
    assert review.created_at == datetime(2026, 11, 28, 10, 16, tzinfo=UTC)


def test_a_reason_tells_the_form_of_a_text_and_not_the_text():
    told = refusal(createdDate="вт 31.02.26, Анна")
    assert "found text of the form 'aa 99.99.99, aaaa'" in told
    assert "Анна" not in told


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"text": ["a"]}, "text: expected text at text, found an array"),
        ({"pros": 5}, "text: expected text at pros, found the number 5"),
        ({"text": None, "pros": None}, "text: expected text at text or pros or cons, found nothing"),
        ({"text": " ", "pros": ""}, "text: expected at least one visible character, found an empty text"),
        ({"text": "ж" * 1_001}, "text: expected at most 1000 characters, found 1001"),
    ],
)
def test_a_text_that_is_none_is_refused(change, reason):
    assert refusal(**change).startswith(reason)


def test_what_is_not_mapped_is_ignored_or_kept_in_meta_by_the_mapping():
    given = {**FOREIGN, "product": {"id": 7, "brand": "Уют"}, "shop": {"name": "ozon"}}
    kept = read(
        given, unmapped="meta", source="shop.name", meta={"brand": "product.brand", "stars": "rating"}
    )
    assert kept.reviews[0].source == "ozon"
    assert json.loads(kept.reviews[0].meta or "") == {
        "authorName": "Анна", "product": {"id": 7}, "brand": "Уют", "stars": 2,
    }  # fmt: skip
    assert read(given, meta=None).reviews[0].meta is None


def test_a_name_with_dots_in_it_is_found_before_a_nested_one():
    given = {"review.id": 1, "review": {"id": 2, "text": "Чайник"}}
    message = read(
        given, id="review.id", text="review.text", created_at=None, zone=None, unmapped="meta", meta=None
    )
    assert (message.reviews[0].id, message.reviews[0].meta) == ("1", '{"review":{"id":2}}')


@pytest.mark.parametrize("wrap", [lambda items: items, lambda items: {"reviews": items}])
def test_an_array_of_reviews_is_read_one_by_one_and_a_bad_one_stands_alone(wrap):
    bad = {**FOREIGN, "externalId": None}
    message = read(wrap([FOREIGN, bad, 7, {**FOREIGN, "externalId": 43}]))
    assert [review.id for review in message.reviews] == ["42", "43"]
    assert [json.loads(item.payload) for item in message.rejected] == [wrap([bad]), wrap([7])]
    assert message.rejected[1].reason.startswith("review: expected an object, found the number 7")


def test_reviews_deep_in_a_message_may_take_fields_from_around_them():
    body = {
        "shop": {"name": "ozon"},
        "data": {"unread": 2, "items": [FOREIGN, {**FOREIGN, "externalId": {}}]},
    }
    message = read(body, reviews="data.items", source={"message": "shop.name"})
    assert [(review.source, review.id) for review in message.reviews] == [("ozon", "42")]
    (rejected,) = message.rejected
    assert (rejected.source, rejected.id) == ("ozon", None)
    assert json.loads(rejected.payload)["shop"] == {"name": "ozon"}
    again = read(
        rejected.payload.replace(b"{}", b'"43"'), reviews="data.items", source={"message": "shop.name"}
    )
    assert [(review.source, review.id) for review in again.reviews] == [("ozon", "43")], "it can be read anew"


@pytest.mark.parametrize("items", [[], [FOREIGN] * 5_001])
def test_a_message_with_no_reviews_or_too_many_is_refused_as_a_whole(items):
    with pytest.raises(
        InvalidReview, match=f"reviews: expected 1 to 5000 reviews in a message, found {len(items)}"
    ):
        read(items)


@pytest.mark.parametrize("fault", [b"NaN", b'"a\\ud800"'])
def test_what_strict_json_does_not_allow_refuses_the_one_review_that_has_it(fault):
    body = (
        json.dumps([FOREIGN, {**FOREIGN, "externalId": 43}])
        .encode()
        .replace(b'"rating": 2', b'"rating": ' + fault, 1)
    )
    message = read(body)
    assert [review.id for review in message.reviews] == ["43"]
    assert message.rejected[0].reason.startswith("review: expected JSON; found: ")
    assert message.rejected[0].id == "42"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 200 + b"]" * 200])
def test_a_body_that_is_no_json_is_refused_as_a_whole(body):
    with pytest.raises(InvalidReview, match=r"^message: expected"):
        read(body)


@pytest.mark.parametrize("body", [b"7", b"null", b'"text"'])
def test_json_that_is_no_object_is_a_bad_review(body):
    assert read(body).rejected[0].reason.startswith("review: expected an object")


OURS = {"source": "web", "id": "7", "text": "Платье село"}


@pytest.mark.parametrize(
    "body",
    [
        OURS,
        {"version": 1, **OURS},
        [OURS],
        {"version": 1, "reviews": [OURS]},
        {
            "version": 1,
            "reviews": [OURS],
            "batch": {"id": "4be0643f-1d98-573b-97cd-ca98a65347dd", "number": 0},
        },
    ],
)
def test_what_keeps_the_contract_is_taken_beside_a_mapping(body):
    assert [(review.source, review.id) for review in read(body).reviews] == [("web", "7")]


def test_a_review_that_breaks_the_contract_in_a_message_of_enqueue_is_refused_by_the_contract():
    batch = {"id": "4be0643f-1d98-573b-97cd-ca98a65347dd", "number": 0}
    message = read({"version": 1, "reviews": [{**OURS, "text": 7}], "batch": batch})
    assert message.rejected[0].reason.startswith("review: expected the fields of the wire contract")
    assert message.batch is not None


def test_a_mapping_goes_before_the_contract_where_both_can_read_a_review():
    (review,) = read(OURS, id="id", text="text", source={"const": "shop"}, created_at=None, zone=None).reviews
    assert (review.source, review.id) == ("shop", "7")


def test_reviews_in_the_contract_s_own_wrapping_are_mapped_where_they_have_other_fields():
    assert [review.id for review in read({"version": 1, "reviews": [FOREIGN]}).reviews] == ["42"]


def test_a_byte_order_mark_is_no_part_of_a_message():
    assert len(read(b"\xef\xbb\xbf" + json.dumps(FOREIGN).encode()).reviews) == 1
