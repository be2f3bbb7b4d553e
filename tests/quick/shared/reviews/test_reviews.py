"""The wire contract: what a message may hold, what is refused and with which sentence."""

from __future__ import annotations

import json
import random
import sys
import uuid
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from shared.errors import InvalidReview
from shared.reviews import wire
from shared.reviews.review import MAX_META_BYTES, Review, make
from shared.reviews.wire import MAX_REVIEWS_PER_MESSAGE, BatchPart, Message, decode, encode, encode_reviews
from shared.text.nesting import MAX_DEPTH, is_too_deep

MAX_TEXT_CHARS = 20_000
GOOD = {"source": "shop", "id": "42", "text": "Платье село отлично"}


def read(body: Any) -> Message:
    return decode(as_bytes(body), max_text_chars=MAX_TEXT_CHARS)


def as_bytes(body: Any) -> bytes:
    if isinstance(body, bytes):
        return body
    return (body if isinstance(body, str) else json.dumps(body)).encode()


def refusal(body: Any) -> str:
    """Why nothing of a message is accepted: it is refused as a whole, or it is one review that is set aside."""
    try:
        message = read(body)
    except InvalidReview as refused:
        return str(refused)
    assert message.reviews == []
    assert [item.payload for item in message.rejected] == [as_bytes(body)]
    return message.rejected[0].reason


def rejection(**fields: Any) -> str:
    """Why a review is set aside, while its good neighbour is accepted."""
    message = read({"reviews": [{**GOOD, **fields}, {**GOOD, "id": "neighbour"}]})
    assert [review.id for review in message.reviews] == ["neighbour"]
    return message.rejected[0].reason


def raw(**fields: str) -> str:
    """A review with fields in JSON as they stand."""
    parts = {name: json.dumps(value) for name, value in GOOD.items()} | fields
    return "{" + ", ".join(f'"{name}": {value}' for name, value in parts.items()) + "}"


def test_a_single_review_is_a_message():
    assert read(GOOD) == Message([Review("shop", "42", "Платье село отлично")], [])


def test_a_list_of_reviews_is_a_message():
    message = read({"version": 1, "reviews": [GOOD, {**GOOD, "id": "43"}]})
    assert [review.id for review in message.reviews] == ["42", "43"]
    assert message.batch is None


def test_an_integer_id_is_the_same_as_its_digits():
    assert read({**GOOD, "id": 42}).reviews == read({**GOOD, "id": "42"}).reviews


def test_a_very_large_integer_id_keeps_every_digit():
    assert read(raw(id="1" + "0" * 40)).reviews[0].id == "1" + "0" * 40


@pytest.mark.parametrize("value", ["1.0", "true", "null", "[1]", "{}"])
def test_an_id_that_is_neither_text_nor_integer_is_refused(value):
    assert "Expected `int | str`" in refusal(raw(id=value))


def test_spaces_and_leading_zeros_of_an_id_are_kept():
    assert read({**GOOD, "id": " 007 "}).reviews[0].id == " 007 "


@pytest.mark.parametrize("field", ["source", "id"])
@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("", "expected 1 to 200 characters, found 0"),
        ("я" * 201, "expected 1 to 200 characters, found 201"),
        (" \t", "expected at least one visible character, found white space"),
        ("a\x00b", "expected no NUL character, found one"),
    ],
)
def test_a_name_that_cannot_be_stored_is_rejected(field, value, sentence):
    assert rejection(**{field: value}) == f"{field}: {sentence}"


def test_a_name_of_two_hundred_characters_is_accepted():
    assert read({**GOOD, "id": "я" * 200, "source": "\U0001f600" * 200}).rejected == []


def test_nul_characters_are_dropped_from_a_text():
    assert read({**GOOD, "text": "хоро\x00шо"}).reviews[0].text == "хорошо"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t\r",
        "\x00",
        "\u00a0\u2003",
        "\u200b\u200d\ufeff",
        "\u202e\u2066 \u2069",
        "\u00ad",
        "\x01\x1f",
    ],
)
def test_a_text_without_a_visible_character_is_rejected(text):
    assert rejection(text=text) == "text: expected at least one visible character, found an empty text"


@pytest.mark.parametrize("text", [".", "👍", "🏳️‍🌈", "\u202eשלום", "й", "a\u200b", "٣"])
def test_a_text_with_one_visible_character_is_accepted_as_it_is(text):
    assert read({**GOOD, "text": text}).reviews[0].text == text


def test_a_text_of_the_greatest_length_is_accepted():
    assert read({**GOOD, "text": "я" * MAX_TEXT_CHARS}).rejected == []


@pytest.mark.parametrize("length", [MAX_TEXT_CHARS + 1, 1_000_000])
def test_a_longer_text_is_rejected_with_the_setting_that_limits_it(length):
    assert rejection(text="я" * length) == (
        f"text: expected at most 20000 characters, found {length}; shorten it or raise OTZYV_MAX_TEXT_CHARS"
    )


@pytest.mark.parametrize("text", [r"\ud83d", r"\ude00", r"\ude00\ud83d", r"\ud83d!\ude00"])
def test_a_lone_surrogate_is_refused_by_its_name(text):
    assert "a lone surrogate" in refusal(raw(text=f'"{text}"'))


def test_a_lone_surrogate_in_one_review_spares_its_neighbour():
    message = read(f'{{"reviews": [{raw(text=chr(34) + "a" + chr(92) + "ud800" + chr(34))}, {raw()}]}}')
    assert len(message.reviews) == 1
    assert "a lone surrogate" in message.rejected[0].reason


def test_an_escaped_pair_of_surrogates_is_one_character():
    assert read(raw(text=r'"\ud83d\ude00"')).reviews[0].text == "😀"


def test_a_lone_surrogate_given_by_a_producer_is_refused():
    with pytest.raises(InvalidReview, match=r"^text: expected Unicode text, found a lone surrogate at 1$"):
        make("shop", "1", "a\ud800", max_text_chars=100)


@pytest.mark.parametrize(
    "body",
    [
        '{"reviews": ' + "[" * 100_000 + "]" * 100_000 + "}",
        raw(meta='{"a": ' * 100_000 + "1" + "}" * 100_000),
        raw(rating="[" * 100_000 + "]" * 100_000),
    ],
)
def test_nesting_100_000_levels_deep_is_refused(body):
    assert refusal(body) == TOO_DEEP


TOO_DEEP = "message: expected at most 100 objects and arrays in each other, found more"


def nested(levels: int, number: str = "1") -> str:
    """A message with a review in it that is nested so deep, and another one."""
    meta = '{"a":' * (levels - 1) + number + "}" * (levels - 1)
    return f'{{"reviews": [{raw(meta=meta)}, {raw()}]}}'


@pytest.fixture(params=[250, 1_000, 100_000])
def recursion_limit(request):
    """Python's own limit, which must not matter."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(request.param)
    yield
    sys.setrecursionlimit(before)


def test_nesting_is_refused_at_the_same_depth_whatever_pythons_limit_is(recursion_limit):
    assert len(read(nested(MAX_DEPTH)).reviews) == 2
    with suppress(InvalidReview):  # where Python's limit is reached first, the whole message is refused
        message = read(nested(MAX_DEPTH + 1))
        assert (len(message.reviews), message.rejected[0].reason) == (
            1,
            TOO_DEEP.replace("message", "review"),
        )
    assert refusal(nested(100_000)) == TOO_DEEP


def test_a_message_that_is_read_leniently_may_be_nested_no_deeper(recursion_limit):
    assert len(read(nested(MAX_DEPTH - 2, "NaN")).rejected) == 1
    assert refusal(nested(MAX_DEPTH - 1, "NaN")) == TOO_DEEP


def test_brackets_in_a_text_are_no_nesting():
    text = "[{" * 5_000 + chr(92) + '"[' * 100
    assert read({**GOOD, "text": text}).reviews[0].text == text


def test_many_reviews_beside_each_other_are_no_nesting():
    assert len(read({"reviews": [{**GOOD, "meta": {"a": [{}]}}] * 500}).reviews) == 500


def test_meta_that_a_producer_gives_may_be_nested_no_deeper():
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"a": deep}
    with pytest.raises(InvalidReview, match=r"^meta: expected at most 100 objects and arrays in each other"):
        make("shop", "1", "a", meta=deep, max_text_chars=100)
    for _ in range(99_850):
        deep = deep["a"]
    with pytest.raises(InvalidReview, match=r"^meta: expected at most 100 objects and arrays in each other"):
        make("shop", "1", "a", meta=deep, max_text_chars=100)


@pytest.mark.parametrize("part", [b"[", b"]", b"{}", b"[]", b'"', b'"[', b'\\"', b'"\\', b"[[]"])
def test_a_hostile_megabyte_is_judged_in_linear_time(part):
    # With a cost that grew with the square this would take hours, and the test's time limit would end it.
    assert is_too_deep(part * (2_000_000 // len(part))) is (part in (b"[", b'"[', b"[[]"))


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_know_are_refused(number):
    assert refusal(raw(meta=f'{{"a": {number}}}')).startswith("message: expected a review or")


def test_a_number_that_is_too_large_is_refused_with_its_place():
    assert "Number out of range - at `$.meta[...]`" in refusal(raw(meta='{"a": 1e999}'))


def test_a_nan_in_one_review_spares_its_neighbour_and_keeps_the_batch():
    batch = {"id": str(uuid.uuid4()), "number": 3}
    message = read({"reviews": [{**GOOD, "meta": {"rating": float("nan")}}, GOOD], "batch": batch})
    assert message.reviews == read(GOOD).reviews
    assert len(message.rejected) == 1
    assert str(message.batch.id) == batch["id"]


@pytest.mark.parametrize("envelope", ['"sent_at": 1', '"version": 2', '"batch": {"id": "7", "number": 0}'])
def test_a_message_that_is_read_a_second_time_keeps_every_rule(envelope):
    reviews = f'"reviews": [{raw(meta=chr(123) + chr(34) + "a" + chr(34) + ": NaN}")}, {raw()}]'
    refusal(f"{{{reviews}, {envelope}}}")


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("source", "1", "Expected `str`, got `int` - at `$.source`"),
        ("text", "1", "Expected `str`, got `int` - at `$.text`"),
        ("text", "null", "Expected `str`, got `null` - at `$.text`"),
        ("text", '["a"]', "Expected `str`, got `array` - at `$.text`"),
        ("meta", "[1]", "Expected `object | null`, got `array` - at `$.meta`"),
        ("created_at", "1700000000", "Expected `datetime | null`, got `int` - at `$.created_at`"),
        ("version", '"1"', "Expected `int`, got `str` - at `$.version`"),
    ],
)
def test_a_wrong_type_is_refused_with_its_place(field, value, expected):
    assert expected in refusal(raw(**{field: value}))
    inside = read(f'{{"reviews": [{raw(**{field: value})}]}}')
    assert inside.rejected[0].reason == refusal(raw(**{field: value}))
    assert inside.rejected[0].reason.startswith(
        f"review: expected the fields of the wire contract; found: {expected}"
    )


def test_an_unknown_field_is_refused_by_its_name():
    assert "Object contains unknown field `rating`" in refusal({**GOOD, "rating": 5})
    assert "Object contains unknown field `sent_at`" in refusal({"reviews": [GOOD], "sent_at": 1})


@pytest.mark.parametrize("field", GOOD)
def test_a_missing_field_is_refused_by_its_name(field):
    assert f"missing required field `{field}`" in refusal({n: v for n, v in GOOD.items() if n != field})


@pytest.mark.parametrize("body", [b"", b"{", b"null", b'"text"', b"42", b"\x80\x04\x95", b"{}trailing", b" "])
def test_a_body_that_is_not_a_message_is_refused(body):
    assert refusal(body).startswith('message: expected a review or {"reviews": [...]} in UTF-8 JSON; found: ')


@pytest.mark.parametrize("encoding", ["cp1251", "koi8-r", "utf-16"])
def test_another_encoding_than_utf_8_is_refused(encoding):
    assert "UTF-8 JSON" in refusal(raw(text='"Платье"').encode(encoding))


def test_bytes_that_are_not_utf_8_in_one_review_spare_its_neighbour():
    message = read(
        b'{"reviews": [{"source":"s","id":"1","text":"\xff"}, {"source":"s","id":"2","text":"ok"}]}'
    )
    assert [review.id for review in message.reviews] == ["2"]
    assert message.rejected[0].reason.endswith("found: bytes that are not UTF-8")
    assert message.rejected[0].payload == b'{"source":"s","id":"1","text":"\xff"}'


def test_another_version_is_refused():
    sentence = "version: expected 1, found 2; see docs/wire-contract.md"
    assert refusal({**GOOD, "version": 2}) == sentence
    assert refusal({"version": 2, "reviews": [GOOD]}) == sentence


def test_another_version_of_one_review_in_a_list_is_rejected():
    assert rejection(version=7) == "version: expected 1, found 7; see docs/wire-contract.md"


def test_meta_is_kept_as_json():
    meta = {"rating": 5, "tags": ["a", None, True], "глубже": {"x": 1.5}}
    assert json.loads(read({**GOOD, "meta": meta}).reviews[0].meta) == meta


def test_no_meta_and_empty_meta_are_different():
    assert read(GOOD).reviews[0].meta is None
    assert read({**GOOD, "meta": {}}).reviews[0].meta == "{}"


def test_meta_over_its_limit_is_rejected_with_both_sizes():
    fits = {"a": "x" * (MAX_META_BYTES - len('{"a":""}'))}
    assert read({**GOOD, "meta": fits}).rejected == []
    assert rejection(meta={"a": fits["a"] + "x"}) == "meta: expected at most 16384 bytes of JSON, found 16385"


@pytest.mark.parametrize("meta", [{"a": "\x00"}, {"\x00": 1}, {"a": ["b\x00"]}, {"a": "\\\x00"}])
def test_a_nul_in_meta_is_rejected(meta):
    assert (
        rejection(meta=meta) == r"meta: expected no NUL character, found \u0000; PostgreSQL cannot store it"
    )


def test_the_letters_of_an_escape_in_meta_are_no_nul():
    assert read({**GOOD, "meta": {"regex": r"\u0000", "twice": r"\\u0000"}}).rejected == []


@pytest.mark.parametrize(
    "created_at",
    ["2026-01-02T03:04:05Z", "2026-01-02T06:04:05+03:00", "2026-01-02T03:04:05", "2026-01-02 03:04:05"],
)
def test_a_time_of_writing_is_kept_in_utc_and_counts_as_utc_without_a_zone(created_at):
    moment = read({**GOOD, "created_at": created_at}).reviews[0].created_at
    assert (moment, moment.tzinfo) == (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), UTC)


def test_an_offset_that_postgresql_does_not_know_becomes_utc():
    moment = read({**GOOD, "created_at": "2026-01-02T00:00:00+23:59"}).reviews[0].created_at
    assert moment.isoformat() == "2026-01-01T00:01:00+00:00"


@pytest.mark.parametrize("created_at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_outside_the_calendar_is_rejected(created_at):
    assert rejection(created_at=created_at) == (
        f"created_at: expected a moment in the years 1 to 9999 of UTC, found {created_at}"
    )


@pytest.mark.parametrize("created_at", ["yesterday", "2026-02-30T00:00:00Z", "02.01.2026", ""])
def test_a_time_that_is_none_is_rejected_with_its_field(created_at):
    sentence = (
        "review: expected the fields of the wire contract; found: Invalid RFC3339 encoded datetime - "
        "at `$.created_at`; write times by RFC 3339, such as 2026-01-02T03:04:05Z; without a zone they count as UTC"
    )
    assert rejection(created_at=created_at) == sentence
    assert refusal({**GOOD, "created_at": created_at}) == sentence


def test_a_time_as_a_number_is_rejected_with_how_to_write_it():
    assert refusal({**GOOD, "created_at": 1_700_000_000}).endswith(
        "such as 2026-01-02T03:04:05Z; without a zone they count as UTC"
    )


def test_a_fault_in_another_field_says_nothing_of_times():
    assert "write times" not in refusal({**GOOD, "text": 1})


@pytest.mark.parametrize(
    "fault", [{"created_at": "yesterday"}, {"text": None}, {"rating": 5}, {"version": 2}]
)
def test_a_review_with_a_bad_field_is_set_aside_with_its_name_alone_or_among_others(fault):
    bad = {**GOOD, **fault}
    for body in (bad, {"reviews": [bad, {**GOOD, "id": "neighbour"}]}):
        (rejected,) = read(body).rejected
        assert (rejected.source, rejected.id) == ("shop", "42")


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"id": 7}, ("shop", "7")),
        ({"id": True}, ("shop", None)),
        ({"id": "x" * 201}, ("shop", None)),
        ({"id": " "}, ("shop", None)),
        ({"source": 5}, (None, "42")),
        ({"source": "a\x00b"}, (None, "42")),
        ({"source": "\ud800"}, (None, "42")),
        ({"source": None, "id": None}, (None, None)),
    ],
)
def test_only_what_could_be_stored_is_the_name_of_a_review_that_cannot_be_read(given, name):
    (rejected,) = read({"reviews": [{**GOOD, "text": 1, **given}]}).rejected
    assert (rejected.source, rejected.id) == name


def test_a_review_with_a_nan_among_others_is_set_aside_with_its_name():
    (rejected,) = read({"reviews": [{**GOOD, "meta": {"rating": float("nan")}}]}).rejected
    assert (rejected.source, rejected.id) == ("shop", "42")


@pytest.mark.parametrize("body", ["{}", '{"Reviews": []}', '{"source": null, "text": "a"}'])
def test_a_message_without_anything_that_names_a_review_is_told_both_forms(body):
    with pytest.raises(InvalidReview, match=r'^message: expected a review or \{"reviews"'):
        read(body)


@pytest.mark.parametrize("field", ["source", "sent_at"])
def test_a_list_of_reviews_with_an_unknown_field_is_no_review(field):
    with pytest.raises(InvalidReview, match=f"unknown field `{field}`"):
        read({"reviews": [GOOD], field: "shop"})


def test_five_hundred_reviews_are_accepted_and_one_more_is_refused():
    reviews = [{**GOOD, "id": number} for number in range(MAX_REVIEWS_PER_MESSAGE + 1)]
    assert len(read({"reviews": reviews[:-1]}).reviews) == 500
    assert refusal({"reviews": reviews}) == "reviews: expected 1 to 500 reviews in a message, found 501"


def test_a_message_without_reviews_is_refused():
    assert refusal({"reviews": []}) == "reviews: expected 1 to 500 reviews in a message, found 0"


def test_one_bad_review_among_good_ones_is_set_aside_with_its_name_and_bytes():
    message = read({"reviews": [{**GOOD, "id": "1"}, {**GOOD, "id": "2", "text": " "}, {**GOOD, "id": "3"}]})
    assert [review.id for review in message.reviews] == ["1", "3"]
    (rejected,) = message.rejected
    assert (rejected.source, rejected.id) == ("shop", "2")
    assert json.loads(rejected.payload) == {**GOOD, "id": "2", "text": " "}


def test_an_overlong_name_of_a_rejected_review_is_cut():
    message = read({**GOOD, "id": "1" * 5_000})
    assert message.rejected[0].id == "1" * 200


def test_what_is_encoded_is_decoded_again():
    part = BatchPart(uuid.UUID(int=7), 3, last=True, name="reviews.csv")
    rows = [
        {**GOOD, "id": 1, "meta": {"a": [1, "б"]}},
        {**GOOD, "created_at": datetime(2026, 1, 2, tzinfo=UTC)},
    ]
    message = read(encode(rows, part))
    assert message.batch == part
    assert message.rejected == []
    again = read(encode_reviews(message.reviews))
    assert again.reviews == message.reviews


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("number", -1),
        ("number", 2**31 - 1),
        ("number", 2**64),
        ("name", "a\x00b"),
        ("name", "x" * 501),
        ("id", "7"),
    ],
)
def test_a_batch_that_cannot_be_stored_is_refused_with_its_field(field, value):
    batch = {"id": str(uuid.uuid4()), "number": 0, field: value}
    assert f"$.batch.{field}" in refusal({"reviews": [GOOD], "batch": batch})


def test_random_bytes_raise_nothing_but_invalid_review():
    chance = random.Random(20_260_102)
    for _ in range(5_000):
        body = chance.randbytes(chance.randrange(200))
        with pytest.raises(InvalidReview):
            read(body)


def test_a_damaged_message_is_read_or_refused_and_never_anything_else():
    chance = random.Random(20_260_103)
    part = BatchPart(uuid.UUID(int=7), 3)
    meta = {"a": [1, "б", {"в": 1e9}]}
    whole = encode([{**GOOD, "created_at": "2026-01-02T03:04:05+03:00", "meta": meta}, GOOD], part)
    read_in_full = 0
    for _ in range(20_000):
        body = bytearray(whole)
        for _ in range(chance.randrange(1, 6)):
            place = chance.randrange(len(body))
            body[place : place + chance.randrange(3)] = chance.choice(
                [
                    chance.randbytes(1),
                    b'"',
                    b"\\u0000",
                    b"\\ud800",
                    b"9" * 30,
                    b"[",
                    b"}",
                    b"1e400",
                    b"null",
                    b"",
                ]
            )
        try:
            message = decode(bytes(body), max_text_chars=MAX_TEXT_CHARS)
        except InvalidReview:
            continue
        assert message.reviews or message.rejected
        for review in message.reviews:
            assert "\x00" not in review.source + review.id + review.text
            msgspec.json.encode(review)
        read_in_full += not message.rejected
    assert read_in_full > 100


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf", b" \n", b"\xef\xbb\xbf \r\n"])
@pytest.mark.parametrize("body", [GOOD, [GOOD], {"reviews": [GOOD]}])
def test_a_byte_order_mark_and_an_array_on_the_outermost_level_are_taken(mark, body):
    message = read(mark + as_bytes(body))
    assert message == Message([Review("shop", "42", "Платье село отлично")], [])


def test_a_bad_review_of_an_array_does_not_spoil_its_neighbours():
    message = read([GOOD, {**GOOD, "text": 7}, 8, {**GOOD, "id": "43"}])
    assert [review.id for review in message.reviews] == ["42", "43"]
    assert len(message.rejected) == 2


def test_nan_in_one_review_of_an_array_refuses_that_one():
    body = as_bytes([GOOD, GOOD]).replace(b'"id": "42"', b'"meta": {"rating": NaN}, "id": "43"', 1)
    message = read(body)
    assert [review.id for review in message.reviews] == ["42"]
    assert len(message.rejected) == 1


@pytest.mark.parametrize("body", ["[]", "[1], [2]", '[1], "batch": {}', "["])
def test_an_array_that_is_empty_or_goes_on_is_refused_as_a_whole(body):
    with pytest.raises(InvalidReview, match=r"in a message, found 0|in UTF-8 JSON; found"):
        read(body)


def test_what_is_rejected_of_a_message_is_in_its_order_whatever_is_wrong_with_it():
    message = read(
        [{**GOOD, "id": "1", "text": " "}, {**GOOD, "id": "2", "text": 7}, {**GOOD, "id": "3", "text": ""}]
    )
    assert [item.id for item in message.rejected] == ["1", "2", "3"]


@pytest.mark.parametrize(
    "body", [b'{"externalId": 1}', as_bytes([{**GOOD, "rating": 5}]), as_bytes({"id": "1"})]
)
def test_who_sends_other_fields_is_told_of_mappings(body):
    try:
        reason = read(body).rejected[0].reason
    except InvalidReview as error:
        reason = str(error)
    assert reason.endswith("; OTZYV_MAPPINGS reads the fields of other producers")


ODD: tuple[dict[str, Any], ...] = (
    {},
    {"id": 42},
    {"id": ""},
    {"id": "x" * 201},
    {"id": " "},
    {"id": "a\0b"},
    {"source": ""},
    {"source": "\0"},
    {"text": " \u200b"},
    {"text": "Плат\0ье"},
    {"text": "x" * (MAX_TEXT_CHARS + 1)},
    {"created_at": "2026-01-02T03:04:05"},
    {"created_at": "0001-01-01T00:00:00+14:00"},
    {"created_at": "yesterday"},
    {"meta": {"rating": [5, None]}},
    {"meta": None},
    {"meta": {"x": "\0"}},
    {"meta": {"x": "y" * MAX_META_BYTES}},
    {"meta": 5},
    {"version": 2},
    {"colour": "red"},
)


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_a_batch_that_is_read_at_once_gives_what_its_reviews_give_one_by_one(
    odd: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    body = {"reviews": [{**GOOD, **odd}, {**GOOD, "id": "neighbour"}], "version": 1}
    at_once = read(body)
    monkeypatch.setattr(wire, "_decode_whole", lambda *_: None)
    assert at_once == read(body)
