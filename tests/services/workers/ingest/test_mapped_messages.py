"""Messages that do not speak the contract, with mappings: by the queue and by a stream, as a user starts them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shared.settings import Settings
from shared.store import Database
from tests.support import ledger, streams
from tests.support.processes import ROOT, run, running, started
from tests.support.producer import publish, review
from tests.support.servers import wait_until
from tests.support.stored import QUEUE

MAPPINGS = str(ROOT / "examples" / "mappings.json")
FOREIGN = {
    "externalId": 12.0,
    "text": "Чайник не греет",
    "pros": "",
    "createdDate": "28.11.2026 10:16",
    "rating": 2,
}
STORED = """
    SELECT source, external_id, text, to_char(created_at AT TIME ZONE 'UTC', 'DD HH24:MI'), meta
    FROM reviews ORDER BY id
"""
NAMED = "SELECT external_id, text FROM reviews ORDER BY external_id"
FAILED = "SELECT queue, stream_offset, reason FROM failures"


def test_a_queue_and_a_stream_are_read_each_by_its_mapping(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    streams.declare(settings.amqp_url, "shop.reviews")
    bodies = [json.dumps(one).encode() for one in (FOREIGN, {**FOREIGN, "externalId": 12.5})]
    streams.publish(settings.amqp_url, "shop.reviews", bodies, content_type="application/json; charset=utf-8")
    feedbacks = [{"id": "a1", "text": "Платье село", "productValuation": 1}, {"id": None, "text": "Мяч"}]
    publish(
        settings,
        json.dumps({"shop": {"code": "wb-1"}, "data": {"feedbacks": feedbacks}}).encode(),
        json.dumps({"version": 1, "reviews": [review(7)]}).encode(),
    )
    of_stream = started(
        "ingest",
        "--stream",
        "shop.reviews",
        settings=settings,
        log=tmp_path / "s.log",
        OTZYV_MAPPINGS=MAPPINGS,
    )
    of_queue = running(settings, tmp_path, OTZYV_MAPPINGS=MAPPINGS)
    with of_stream, of_queue:
        wait_until(lambda: ledger.count(database, "reviews") == 3, "the reviews")
        wait_until(lambda: ledger.count(database, "failures") == 2, "the failures")
    assert sorted(ledger.rows(database, STORED)) == [
        ("shop", "12", "Чайник не греет", "28 07:16", {"rating": 2}),
        ("shop", "7", "Платье село отлично", None, None),
        ("wb-1", "a1", "Платье село", None, {"rating": 1}),
    ]
    assert {row[:2] for row in ledger.rows(database, FAILED)} == {(QUEUE, None), ("stream shop.reviews", 1)}
    assert "ingest.mapping" in (tmp_path / "s.log").read_text()
    told = run("status", settings=settings, OTZYV_MAPPINGS=MAPPINGS).stdout
    assert "mapping of stream shop.reviews: id: externalId; text: text + pros + cons; source: 'shop'" in told


@pytest.mark.parametrize("command", ["worker cpu", "ingest"])
def test_a_wrong_mapping_stops_who_takes_reviews_in_at_its_start(
    settings: Settings, database: Database, command: str
) -> None:
    wrong = json.dumps({QUEUE: {"id": "externalId", "text": "text"}})
    done = run(*command.split(), settings=settings, OTZYV_MAPPINGS=wrong)
    assert done.returncode == 2
    assert f"OTZYV_MAPPINGS, {QUEUE}: expected id, text and source, found no source" in done.stderr
    told = run("status", settings=settings, OTZYV_MAPPINGS=wrong)
    assert told.returncode == 0
    assert f"mappings: OTZYV_MAPPINGS, {QUEUE}: expected id, text and source" in " ".join(told.stdout.split())


def test_what_was_refused_before_there_was_a_mapping_is_read_by_it_in_order_and_nothing_newer_is_replaced(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    streams.declare(settings.amqp_url, "shop.reviews")

    def of_stream(number: int, text: str) -> bytes:
        return json.dumps({**FOREIGN, "externalId": number, "text": text}).encode()

    by_stream = ("ingest", "--stream", "shop.reviews")
    streams.publish(
        settings.amqp_url,
        "shop.reviews",
        [of_stream(1, "Первый"), of_stream(2, "Старый"), of_stream(1, "Второй")],
    )
    with started(*by_stream, settings=settings, log=tmp_path / "strict.log"):
        wait_until(lambda: ledger.count(database, "failures") == 3, "the failures")
    streams.publish(settings.amqp_url, "shop.reviews", [of_stream(2, "Новый")])
    with started(*by_stream, settings=settings, log=tmp_path / "mapped.log", OTZYV_MAPPINGS=MAPPINGS):
        wait_until(lambda: ledger.count(database, "reviews") == 1, "the review that came later")
    done = run("failures", "retry", "--queue", "stream shop.reviews", settings=settings)
    assert "sent again: 3 of 3" in done.stdout
    assert "nobody reads them: they wait in reviews.incoming; start `otzyv worker cpu`" in done.stderr
    with running(settings, tmp_path):
        wait_until(
            lambda: ledger.count(database, "failures") == 3, "the failures, of a worker without mappings"
        )
    assert {row[:2] for row in ledger.rows(database, FAILED)} == {
        ("stream shop.reviews", n) for n in range(3)
    }
    assert run("failures", "retry", "--all", settings=settings).returncode == 0
    with running(settings, tmp_path, OTZYV_MAPPINGS=MAPPINGS):
        wait_until(
            lambda: ledger.rows(database, NAMED) == [("1", "Второй"), ("2", "Новый")], "the last texts"
        )
    assert ledger.count(database, "failures") == 0
