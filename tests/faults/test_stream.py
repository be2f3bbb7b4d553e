"""A reader of a stream that is killed again and again."""

from __future__ import annotations

import os
import random
import time
from typing import Any

from kombu import Connection

from tests.faults.ledger import SOURCE
from tests.faults.world import TEXTS, World
from tests.support import ledger as tables
from tests.support import streams
from tests.support.processes import kill
from tests.support.stored import TABLES

NAME = "shop.reviews"
TOTAL = 50_000
KILLS = 10
READ = "(SELECT generate_series(1, next_offset) FROM streams) AS read"


def test_a_reader_killed_ten_times_stores_each_review_of_a_stream_once_and_a_replay_changes_no_row(
    world: World,
) -> None:
    """A reader of a stream of 50,000 messages dies by SIGKILL ten times, at random moments."""
    seed = int(os.environ.get("STREAM_SEED", random.randrange(10**6)))
    print(f"seed {seed}; STREAM_SEED={seed} repeats it")
    fill(world)
    with world.started("worker", "cpu", "--processes", "2", log="worker.log"):
        killed_at = kill_again_and_again(world, random.Random(seed))
        print(f"killed at offsets {killed_at}")
        assert sum(0 < offset < TOTAL for offset in killed_at) >= KILLS - 2, killed_at
        began = time.monotonic()
        with world.started("ingest", "--stream", NAME, log="stream.log"):
            world.wait(lambda: world.count(READ) == TOTAL, "the stream to be read to its end")
            world.wait(lambda: world.settled(TOTAL), "all reviews to be labelled, without a sweep")
        print(f"the rest read and labelled in {time.monotonic() - began:.1f} s")
        check_rows(world)

        before = tables.versions(world.database, *TABLES)
        began = time.monotonic()
        larger: dict[str, Any] = {"OTZYV_INGEST_PREFETCH_MESSAGES": "500"}
        with world.started("ingest", "--stream", NAME, "--from", "0", log="replay.log", **larger):
            world.wait(lambda: "ingest.offset_set" in world.log("replay.log"), "the replay to begin")
            world.wait(lambda: world.count(READ) == TOTAL, "the replay to end")
        print(f"replayed in {time.monotonic() - began:.1f} s")
        assert tables.versions(world.database, *TABLES) == before

        found = streams.read(world.settings.amqp_url, NAME, TOTAL)
        assert found == list(range(TOTAL)), "another reader finds all messages"
        remove(world)
        world.wait_quiet()
    world.ledger.note(f"killed at offsets {killed_at}")
    world.ledger.check()


def fill(world: World) -> None:
    """A stream with a review in each message."""
    names = [str(number) for number in range(TOTAL)]
    world.ledger.sent.update(names)
    streams.declare(world.settings.amqp_url, NAME)
    bodies = (streams.reviews(number, text=TEXTS[number % 2])[0] for number in range(TOTAL))
    assert streams.publish(world.settings.amqp_url, NAME, bodies) == TOTAL
    world.ledger.confirmed.update(names)


def kill_again_and_again(world: World, chance: random.Random) -> list[int]:
    """Let readers go some way each and die; returns how far the stream was then."""
    killed_at: list[int] = []
    for _ in range(KILLS):
        goal = world.count(READ) + chance.randrange(7 * TOTAL // (5 * KILLS))
        with world.started("ingest", "--stream", NAME, log="stream.log") as reader:
            world.wait(lambda goal=goal: world.count(READ) >= min(goal, TOTAL), f"offset {goal}")
            kill(reader)
        killed_at.append(world.count(READ))
    return killed_at


def check_rows(world: World) -> None:
    """Each review is there once, labelled once."""
    query = "SELECT count(*), count(DISTINCT external_id), max(revision) FROM reviews WHERE source = %s"
    assert tables.rows(world.database, query, SOURCE) == [(TOTAL, TOTAL, 1)]
    assert world.count("labels") == TOTAL
    assert world.count("label_history") == world.count("review_history") == world.count("failures") == 0


def remove(world: World) -> None:
    """Delete the stream: the ledger expects empty queues at the end."""
    with Connection(world.settings.amqp_url) as connection, connection.channel() as channel:
        channel.queue_delete(NAME)


def test_a_stream_is_read_on_when_postgres_comes_back(world: World) -> None:
    """PostgreSQL is stopped at once while a stream is read, and stays away until the reader has noticed."""
    total = 20_000
    streams.declare(world.settings.amqp_url, NAME)
    streams.publish(world.settings.amqp_url, NAME, streams.reviews(*range(total)))
    with world.started("ingest", "--stream", NAME, log="stream.log") as reader:
        world.wait(lambda: world.count(READ) > 0, "the stream to be read")
        world.postgres.stop("immediate")
        world.wait(lambda: "PostgreSQL did not finish" in world.log("stream.log"), "the reader to notice")
        world.postgres.start()
        world.wait(lambda: world.count(READ) == total, "the stream to be read to its end")
        assert reader.poll() is None
    assert "during closing" not in world.log("stream.log"), "the consumer is cancelled first"
    query = "SELECT count(*), count(DISTINCT external_id), max(revision) FROM reviews"
    assert tables.rows(world.database, query) == [(total, total, 1)]
