"""Mappings by the queue or stream that they are for, and by what is read with them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from kombu.message import Message as Delivery

from shared.errors import SettingsError
from shared.reviews.origin import Origin
from shared.settings import load
from workers.intake import envelope, mappings

MAPPING = {"id": "externalId", "text": "body", "source": {"const": "shop"}}


def test_a_mapping_is_for_both_lanes_of_the_queue_or_for_a_stream():
    found = mappings.by_source(json.dumps({"reviews.incoming": MAPPING, "shop.reviews": MAPPING}))
    assert list(found) == ["reviews.incoming", "stream shop.reviews"]


@pytest.mark.parametrize(
    "name", ["reviews.incoming.bulk", "reviews.rejected", "cpu.keywords", "stream shop.reviews"]
)
def test_a_name_that_nothing_foreign_comes_by_is_refused(name):
    with pytest.raises(SettingsError) as refused:
        mappings.by_source(json.dumps({name: MAPPING}))
    assert str(refused.value) == (
        "OTZYV_MAPPINGS: expected reviews.incoming, for both of its lanes, or the name of a stream as in "
        f"`otzyv ingest --stream`; found {name!r}"
    )


def test_personal_data_in_a_mapped_review_is_masked_like_any_other():
    settings = load(mask_personal_data=True)
    mapping = mappings.by_source(json.dumps({"reviews.incoming": {**MAPPING, "unmapped": "meta"}}))
    body = {"externalId": 1, "body": "Звоните +7 912 345-67-89", "phone": "+7 912 345-67-89"}
    for change in ({}, {"externalId": None}):
        delivery = Delivery(body=json.dumps({**body, **change}).encode(), content_type="application/json")
        message = envelope.opened(delivery, settings, "reviews.incoming", mapping)
        assert "345" not in str(message)
        assert len(message.reviews) + len(message.rejected) == 1


AT = datetime(2026, 11, 28, tzinfo=UTC)


@pytest.mark.parametrize(
    ("came", "names"),
    [
        (None, ["1"]),
        (Origin("reviews.incoming", AT), ["1"]),
        (Origin("stream shop.reviews", AT, 7), ["2"]),
        (Origin("stream other", AT, 7), []),
        (Origin("reviews.incoming", AT, None, in_batch=True), []),
    ],
)
def test_what_is_sent_again_is_read_by_the_mapping_of_where_it_first_came_from(came, names):
    found = mappings.by_source(
        json.dumps({"reviews.incoming": MAPPING, "shop.reviews": {**MAPPING, "id": "number"}})
    )
    delivery = Delivery(
        body=json.dumps({"externalId": 1, "number": 2, "body": "Чайник"}).encode(),
        content_type="application/json",
        headers=came.headers if came else {},
    )
    message = envelope.opened(delivery, load(), "reviews.incoming", found)
    assert [review.id for review in message.reviews] == names
    assert message.origin == came
