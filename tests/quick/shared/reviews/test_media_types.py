"""What messages say they are: how producers write JSON, and what is refused with which sentence."""

from __future__ import annotations

import pytest

from shared.errors import InvalidReview
from shared.reviews import media_type


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        'application/json ; charset="utf-8"',
        "application/json; version=2; charset=utf8",
        "application/json; charset=us-ascii",
        "text/json",
        "application/vnd.shop.review+json",
        "application/cloudevents+json; charset=UTF-8",
        "application/octet-stream",
    ],
)
def test_json_is_taken_by_whatever_name_producers_give_it(content_type):
    media_type.check(content_type, None)


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/jsonx", "application/x-python-serialize", "image/svg+xml", ";"],
)
def test_what_is_no_json_by_its_own_words_is_refused_with_what_is_taken(content_type):
    with pytest.raises(InvalidReview, match="expected content type application/json, found") as refused:
        media_type.check(content_type, None)
    assert "text/json, application/…+json and none are taken too" in str(refused.value)


@pytest.mark.parametrize("charset", ["windows-1251", '"WINDOWS-1251"', "utf-16", "latin1", "made-up"])
def test_a_charset_that_is_not_utf_8_is_refused_in_a_sentence(charset):
    found = charset.strip('"')
    with pytest.raises(InvalidReview) as refused:
        media_type.check(f"application/json; charset={charset}", None)
    assert str(refused.value) == f"message: expected the charset utf-8, found {found!r}; send JSON as UTF-8"


@pytest.mark.parametrize(
    "encoding", [None, "", "utf-8", "UTF8", "binary", "identity", "unicode_escape", "8bit"]
)
def test_an_encoding_that_says_nothing_of_the_bytes_is_no_reason_to_refuse(encoding):
    media_type.check("application/json", encoding)


@pytest.mark.parametrize(
    ("encoding", "sentence"),
    [
        ("gzip", "expected an uncompressed body, found the content encoding 'gzip'"),
        ("BR", "expected an uncompressed body, found the content encoding 'br'"),
        ("utf-16", "expected a body in UTF-8, found the content encoding 'utf-16'"),
        ("windows-1251", "expected a body in UTF-8, found the content encoding 'windows-1251'"),
    ],
)
def test_a_compressed_body_and_another_charset_are_refused_in_a_sentence(encoding, sentence):
    with pytest.raises(InvalidReview, match=sentence):
        media_type.check("application/json", encoding)
