"""`otzyv ingest --dry-run`: a look at what a queue or a stream holds, which leaves everything where it is."""

from __future__ import annotations

import json
from collections.abc import Iterable

from kombu import Connection

from shared.settings import Settings
from shared.store import Database
from tests.support import ledger, streams
from tests.support.processes import ROOT, run
from tests.support.producer import publish, review
from tests.support.servers import PATIENCE_S
from workers.rabbitmq import topology

MAPPINGS = str(ROOT / "examples" / "mappings.json")


def bodies(numbers: Iterable[int]) -> list[bytes]:
    return [json.dumps(review(number), ensure_ascii=False).encode() for number in numbers]


def held(settings: Settings, queue: str, count: int) -> list[tuple[str, int]]:
    """Ids and deliveries in vain of a queue's messages, in their order."""
    found: list[tuple[str, int]] = []
    with Connection(settings.amqp_url) as connection, connection.channel() as channel:
        channel.auto_decode = False
        channel.basic_qos(0, count, a_global=False)
        tag = channel.basic_consume(
            queue,
            callback=lambda one: found.append(
                (json.loads(one.body)["id"], one.headers.get("x-delivery-count", 0))
            ),
        )
        while len(found) < count:
            connection.drain_events(timeout=PATIENCE_S)
        channel.basic_cancel(tag)
    return found


def test_a_look_at_the_queue_leaves_every_message_in_its_order_and_counts_one_delivery(
    settings: Settings, database: Database
) -> None:
    publish(settings, *bodies(range(1, 121)), b'{"id": 1}', b'{"id": 2}')
    done = run("ingest", "--dry-run", "--sample", "100", settings=settings)
    assert done.returncode == 0, done.stderr
    assert "reviews.incoming, read by the wire contract" in done.stdout
    assert "messages looked at: 100; none was acknowledged" in done.stdout
    assert "reviews that would be stored: 100" in done.stdout
    assert "Платье село отлично" in done.stdout
    assert "and 90 other reviews" in done.stdout, "ten are listed"
    assert "would be refused: 0" in done.stdout
    all_of_them = run("ingest", "--dry-run", "--sample", "1000", settings=settings)
    assert all_of_them.returncode == 3
    assert "reviews that would be stored: 120" in all_of_them.stdout
    assert "2 × review: expected the fields of the wire contract" in all_of_them.stdout
    assert ledger.count(database, "reviews") == ledger.count(database, "failures") == 0
    found = held(settings, "reviews.incoming", 120)
    assert [int(number) for number, _ in found] == list(range(1, 121))
    assert {times for _, times in found[:100]} == {2}, "one for each look"


def test_the_bulk_lane_is_looked_at_where_the_live_one_holds_less(
    settings: Settings, database: Database
) -> None:
    publish(settings, *bodies([1]))
    with Connection(settings.amqp_url) as connection:
        connection.Producer(exchange=topology.REVIEWS, auto_declare=False).publish(
            bodies([2])[0], routing_key="incoming.bulk", content_type="application/json"
        )
    told = run("ingest", "--dry-run", settings=settings).stdout
    assert "messages looked at: 2" in told


def test_a_look_at_a_stream_by_its_mapping_stores_no_offset(settings: Settings, database: Database) -> None:
    foreign = {"externalId": 12.0, "text": "Чайник \x1b[2J не греет", "createdDate": "28.11.2026 10:16"}
    streams.declare(settings.amqp_url, "shop.reviews")
    streams.publish(
        settings.amqp_url,
        "shop.reviews",
        [json.dumps(one).encode() for one in (foreign, {**foreign, "createdDate": "11/28/2026"}, foreign)],
    )
    done = run("ingest", "--stream", "shop.reviews", "--dry-run", settings=settings, OTZYV_MAPPINGS=MAPPINGS)
    assert done.returncode == 3
    assert "stream shop.reviews from first, read by its mapping: id: externalId" in done.stdout
    assert "shop    12  2026-11-28 07:16:00  Чайник \\x1b[2J не греет" in done.stdout
    assert "1 × created_at: expected a time by RFC 3339" in done.stdout
    assert ledger.count(database, "streams") == 0
    later = run("ingest", "--stream", "shop.reviews", "--from", "2", "--dry-run", settings=settings)
    assert "stream shop.reviews from 2, read by the wire contract" in later.stdout
    assert "messages looked at: 1" in later.stdout


def test_a_sample_of_a_stream_is_as_large_as_was_asked_for(settings: Settings, database: Database) -> None:
    streams.declare(settings.amqp_url, "shop.reviews")
    streams.publish(settings.amqp_url, "shop.reviews", bodies(range(1, 19)))
    for most in (1, 5, 17, 18, 30):
        told = run(
            "ingest", "--stream", "shop.reviews", "--dry-run", "--sample", str(most), settings=settings
        ).stdout
        assert f"messages looked at: {min(most, 18)};" in told
        assert (f"and {min(most, 18) - 10} other reviews" in told) == (most > 10)


def test_what_is_not_there_cannot_be_looked_at(settings: Settings, database: Database) -> None:
    for arguments, sentence in (
        (("--dry-run",), "queue reviews.incoming: expected it in RabbitMQ, found none"),
        (("--dry-run", "--stream", "none"), "stream none: expected a stream of that name in RabbitMQ"),
        (("--dry-run", "--from", "5"), "--from 5: expected --stream NAME beside it"),
        (("--sample", "5"), "--sample 5: expected --dry-run beside it"),
    ):
        done = run("ingest", *arguments, settings=settings)
        assert done.returncode == 2
        assert sentence in done.stderr
