"""From RabbitMQ to stored reviews: `otzyv ingest` beside a consumer that takes one review a message.

python -m scripts.bench.system.arrival COUNT    # the consumer, which the benchmark starts
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg2
from kombu import Connection, Consumer, Producer, Queue
from kombu.message import Message as Delivery

from scripts.bench.system import pipeline, processes
from shared.settings import Settings
from shared.store import Database
from workers.rabbitmq.connection import connected

QUEUE = Queue("otzyv.bench.arrival", durable=True, queue_arguments={"x-queue-type": "quorum"})
WAYS = {
    "otzyv": "otzyv ingest, 250 reviews a message",
    "naive": "one review a message, one INSERT and one acknowledgement each",
}
STORING = {**pipeline.SETTINGS, "OTZYV_JUDGE_FIRST": "false"}
TABLE = "CREATE TABLE arrivals (LIKE reviews INCLUDING ALL)"
INSERT = """
INSERT INTO arrivals (source, external_id, text, text_sha) VALUES (%s, %s, %s, sha256(convert_to(%s, 'UTF8')))
ON CONFLICT DO NOTHING
"""


def run(
    settings: Settings, texts: Sequence[str], folder: Path, sizes: tuple[int, int], turns: int
) -> Iterator[dict[str, float]]:
    """Reviews per second of each way, from the first row stored to the last; ours gets the first of `sizes` a turn."""
    take = pipeline.supply(texts)
    with (
        pipeline.opened(settings, TABLE) as database,
        connected(settings) as connection,
        connection.channel() as channel,
    ):
        queue = QUEUE(channel)
        try:
            queue.declare()
            for _ in range(turns):
                ours, theirs = (take(size) for size in sizes)
                rate = _otzyv(settings, database, folder, ours)
                yield {"otzyv": rate, "naive": _naive(settings, channel, theirs)}
        finally:
            queue.delete()


def _otzyv(settings: Settings, database: Database, folder: Path, batch: pipeline.Reviews) -> float:
    """Everything waits in the queue before ingest starts; the first transaction only begins the time."""
    before = pipeline.asked(database, "SELECT coalesce(max(id), 0) FROM reviews")
    pipeline.publish(settings, batch)
    with processes.otzyv("ingest", settings=settings, log=folder / "ingest.log", **STORING):
        pipeline.wait_for(database, f"SELECT count(*) FROM reviews WHERE id > {before}", len(batch))  # noqa: S608
    with database.transaction() as cursor:
        cursor.execute(
            """
            SELECT extract(epoch FROM max(received_at) - min(received_at))::float8,
                count(*) - count(*) FILTER (WHERE received_at = (SELECT min(received_at) FROM reviews WHERE id > %s))
            FROM reviews WHERE id > %s
            """,
            (before, before),
        )
        seconds, stored = cursor.fetchone() or (1.0, 0)
    return float(stored) / float(seconds)


def _naive(settings: Settings, channel: Any, batch: pipeline.Reviews) -> float:
    producer = Producer(channel)
    for review in batch:
        producer.publish(review, routing_key=QUEUE.name, delivery_mode=2)
    command = [sys.executable, "-m", "scripts.bench.system.arrival", str(len(batch))]
    done = subprocess.run(
        command, env=processes.environment(settings), capture_output=True, text=True, check=True
    )
    return len(batch) / float(done.stdout)


def consume(amqp_url: str, database_url: str, count: int) -> float:
    """Take single reviews from the queue, an INSERT and an acknowledgement each; the seconds it took."""
    database = psycopg2.connect(database_url)
    database.autocommit = True
    left = count

    def store(delivery: Delivery) -> None:
        nonlocal left
        review = json.loads(delivery.body)
        with database.cursor() as cursor:
            cursor.execute(INSERT, (review["source"], review["id"], review["text"], review["text"]))
        delivery.ack()
        left -= 1

    with Connection(amqp_url) as connection, connection.channel() as channel:
        channel.basic_qos(0, 100, a_global=False)
        began = time.perf_counter()
        with Consumer(channel, [QUEUE], on_message=store, auto_declare=False):
            while left:
                connection.drain_events(timeout=30)
        seconds = time.perf_counter() - began
    database.close()
    return seconds


if __name__ == "__main__":
    print(consume(os.environ["OTZYV_AMQP_URL"], os.environ["OTZYV_DATABASE_URL"], int(sys.argv[1])))
