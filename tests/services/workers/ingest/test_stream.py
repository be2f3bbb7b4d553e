"""Reviews from a RabbitMQ stream, by `otzyv ingest --stream`, beside other readers of the same stream."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection

from shared.errors import ConfigurationError, PositionLost
from shared.intake.intake import take_in
from shared.reviews.wire import Message, Rejected
from shared.settings import Settings
from shared.store import Database, streams
from shared.store.streams import Step
from tests.support import ledger
from tests.support.processes import kill, run, started
from tests.support.servers import PATIENCE_S, RabbitNode, rabbit_node, wait_until
from tests.support.stored import QUEUE, TABLES, review
from tests.support.streams import declare, publish, read, reviews
from workers.ingest import stream_bounds
from workers.rabbitmq import topology

NAME = "shop.reviews"
STORED_FIRST = {"OTZYV_JUDGE_FIRST": "false"}


@pytest.fixture
def stream(settings: Settings) -> str:
    """The name of an empty stream."""
    declare(settings.amqp_url, NAME)
    return NAME


class Reader:
    """`otzyv ingest --stream`, with its log."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._settings, self.place = settings, folder / "stream.log"

    @contextmanager
    def __call__(self, *arguments: str, name: str = NAME, **more: str) -> Iterator:
        with started(
            "ingest", "--stream", name, *arguments, settings=self._settings, log=self.place, **more
        ) as process:
            yield process

    @property
    def log(self) -> str:
        text = self.place.read_text() if self.place.exists() else ""
        return re.sub(r"\x1b\[\d*m", "", text)

    def wait(self, words: str, times: int = 1) -> None:
        wait_until(lambda: self.log.count(words) >= times, f"{words!r} in {self.place}")

    def goes_on(self, database: Database, *numbers: int, upto: int) -> None:
        """Publish reviews and wait until the stream has been read up to an offset."""
        publish(self._settings.amqp_url, NAME, reviews(*numbers))
        wait_for(database, upto)

    @contextmanager
    def having_read(self, database: Database, *numbers: int, upto: int) -> Iterator:
        """Publish reviews and then start; it goes on when the stream has been read up to an offset."""
        publish(self._settings.amqp_url, NAME, reviews(*numbers))
        with self() as process:
            wait_for(database, upto)
            yield process

    def reads(self, database: Database, *numbers: int, upto: int) -> None:
        """The same, and stop then."""
        with self.having_read(database, *numbers, upto=upto):
            pass


@pytest.fixture
def ingest(settings: Settings, tmp_path: Path) -> Reader:
    return Reader(settings, tmp_path)


def position(database: Database, name: str = NAME) -> int | None:
    found = ledger.rows(database, "SELECT next_offset FROM streams WHERE name = %s", name)
    return found[0][0] if found else None


def wait_for(database: Database, offset: int) -> None:
    wait_until(lambda: position(database) == offset, f"the stream to be read up to {offset}")


def make_anew(settings: Settings, stream: str) -> None:
    """Another stream of the same name, with more messages."""
    with Connection(settings.amqp_url) as connection:
        connection.channel().queue_delete(stream)
    declare(settings.amqp_url, stream)
    publish(settings.amqp_url, stream, reviews(11, 12, 13, 14, 15))


def names(database: Database) -> list[int]:
    return [int(row[0]) for row in ledger.rows(database, "SELECT external_id FROM reviews ORDER BY id")]


# --- reading ------------------------------------------------------------------------------------------


@pytest.mark.everyday
def test_a_stream_is_read_from_its_first_message_and_other_readers_still_find_all_of_it(
    settings: Settings, database: Database, stream: str, ingest: Reader, tmp_path: Path
) -> None:
    publish(settings.amqp_url, stream, reviews(*range(500)))
    with ingest(), started("worker", "cpu", settings=settings, log=tmp_path / "worker.log"):
        publish(settings.amqp_url, stream, reviews(*range(500, 600)))
        wait_for(database, 600)
        wait_until(lambda: ledger.count(database, "waiting") == 0, "all to be labelled")
    assert sorted(names(database)) == list(range(600))
    assert ledger.count(database, "labels") == 600
    assert read(settings.amqp_url, stream, 600) == list(range(600))
    assert ledger.astray(database) == []


@pytest.mark.everyday
def test_a_restart_goes_on_where_the_last_one_stopped(
    settings: Settings, database: Database, stream: str, ingest: Reader
) -> None:
    ingest.reads(database, 1, 2, 3, upto=3)
    ingest.reads(database, 4, upto=4)
    assert "ingest.consuming" in ingest.log
    assert "offset=3 stream=shop.reviews" in ingest.log
    assert ingest.log.count("messages=1 ") == 1, "the last start read one message"
    assert names(database) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("first", [0, 1, 2, 3, 9]),
        ("next", [9]),
        ("2", [2, 3, 9]),
        ("4", [9]),
        ("2020-01-02", [0, 1, 2, 3, 9]),
    ],
)
def test_a_start_can_be_chosen(
    settings: Settings, database: Database, stream: str, ingest: Reader, start: str, expected: list[int]
) -> None:
    publish(settings.amqp_url, stream, reviews(*range(4)))
    with ingest("--from", start):
        ingest.wait("ingest.consuming")
        ingest.goes_on(database, 9, upto=5)
    assert names(database) == expected


def test_a_start_at_a_time_that_is_not_there_yet_is_the_end(
    settings: Settings, database: Database, stream: str, ingest: Reader
) -> None:
    publish(settings.amqp_url, stream, reviews(*range(4)))
    with ingest("--from", "2100-01-01T00:00:00+03:00"):
        ingest.wait("ingest.consuming")
        assert position(database) == 4


def test_next_is_remembered_before_anything_has_come(
    settings: Settings, database: Database, stream: str, ingest: Reader
) -> None:
    publish(settings.amqp_url, stream, reviews(1, 2))
    with ingest("--from", "next") as process:
        ingest.wait("ingest.consuming")
        kill(process)
    ingest.reads(database, 3, upto=3)
    assert names(database) == [3]


def test_a_replay_tells_the_offset_that_it_replaces_and_changes_no_row(
    settings: Settings, database: Database, stream: str, ingest: Reader
) -> None:
    publish(settings.amqp_url, stream, [*reviews(*range(300)), b"no review", *reviews(300)])
    with ingest():
        wait_for(database, 302)
    before = ledger.versions(database, *TABLES)
    with ingest("--from", "0"):
        ingest.wait("ingest.offset_set")
        ingest.wait("ingest.consuming", 2)
        wait_for(database, 302)
    assert "offset=0 stream=shop.reviews was=302" in ingest.log
    assert ledger.versions(database, *TABLES) == before
    assert ledger.count(database, "failures") == 1


def given_out(settings: Settings, rabbit: RabbitNode) -> int:
    """Messages that consumers have and have not acknowledged, as counted up to a few seconds ago."""
    host = settings.amqp_url.rsplit("/", 1)[1]
    channels: Any = rabbit.api("GET", f"/api/vhosts/{host}/channels")
    return sum(channel.get("messages_unacknowledged", 0) for channel in channels)


def test_what_is_held_is_stored_when_it_is_told_to_stop(
    settings: Settings, database: Database, stream: str, ingest: Reader, rabbit: RabbitNode
) -> None:
    publish(settings.amqp_url, stream, reviews(*range(50)))
    with ingest(OTZYV_LINGER_MS="60000") as process:
        ingest.wait("ingest.consuming")
        publish(settings.amqp_url, stream, reviews(*range(50, 150)))
        wait_until(lambda: given_out(settings, rabbit) > 0, "messages to be given out")
        assert names(database) == []
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    stored = len(names(database))
    assert position(database) == stored > 0


def test_a_full_queue_behind_it_is_waited_for_and_its_connection_kept(
    settings: Settings, database: Database, stream: str, ingest: Reader, rabbit: RabbitNode, tmp_path: Path
) -> None:
    publish(settings.amqp_url, stream, reviews(*range(300)))
    rabbit.limit(settings.amqp_url, "cpu.keywords", 1)
    # Many messages to send, however many reviews have come by the time of the first look.
    with ingest(OTZYV_BATCH_ROWS="10", **STORED_FIRST):
        ingest.wait("a queue is at its limit", 2)
        assert ingest.log.count("ingest.consuming") == 1
        assert "ingest.reconnect" not in ingest.log
        rabbit.limit(settings.amqp_url, "cpu.keywords", None)
        with started("worker", "cpu", settings=settings, log=tmp_path / "worker.log"):
            wait_for(database, 300)
            wait_until(lambda: ledger.count(database, "labels") == 300, "all to be labelled")
    assert ledger.astray(database) == []


# --- failures -----------------------------------------------------------------------------------------


def test_what_cannot_be_read_is_a_failure_with_its_stream_and_offset(
    settings: Settings, database: Database, stream: str, ingest: Reader
) -> None:
    bad = b'{"source": "shop", '
    mixed = json.dumps(
        {"reviews": [{"source": "shop", "id": "8", "text": " "}, *map(json.loads, reviews(7))]}
    )
    publish(settings.amqp_url, stream, [bad, *reviews(1), bad, mixed.encode()])
    publish(settings.amqp_url, stream, [b"x"], headers={"compression": "application/x-gzip"})
    with ingest():
        wait_for(database, 5)
        assert "ingest.reconnect" not in ingest.log
    found = ledger.rows(database, "SELECT queue, stream_offset, external_id FROM failures ORDER BY id")
    expected = [(0, None), (2, None), (3, "8"), (4, None)]
    assert found == [(f"stream {NAME}", offset, name) for offset, name in expected]
    assert names(database) == [1, 7]
    with Connection(settings.amqp_url) as connection:
        assert topology.dead_letter_queue(topology.INCOMING)(connection.channel()).get() is None


def take_step(
    database: Database, taxonomy: int, messages: list[Message], seen: int, offsets: tuple[int, ...]
) -> None:
    """Store messages of a stream that a reader has taken for being at the offset `seen`."""
    step = Step(NAME, seen, offsets[-1] + 1, offsets, b"")
    queue = f"stream {NAME}"
    take_in(database, messages, queue=queue, taxonomy_id=taxonomy, first_stage="keywords", step=step)


def test_the_same_bytes_at_two_offsets_are_two_failures_and_a_replay_adds_none(
    database: Database, taxonomy: int
) -> None:
    bad = Message([], [Rejected("unreadable", b"x"), Rejected("unreadable", b"y")])
    with database.transaction() as cursor:
        streams.place(cursor, NAME, 5, "")
    take_step(database, taxonomy, [bad, bad], 5, (5, 6))
    take_step(database, taxonomy, [bad, bad], 7, (5, 6))
    assert ledger.count(database, "failures") == 4
    take_in(database, [bad], queue=QUEUE, taxonomy_id=taxonomy, first_stage="keywords")
    assert ledger.rows(
        database, "SELECT stream_offset, count(*) FROM failures GROUP BY 1 ORDER BY 1 NULLS LAST"
    ) == [(5, 2), (6, 2), (None, 2)]


END_CLAIMS = """
SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted
AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


# --- one reader at a time -----------------------------------------------------------------------------


def test_a_second_reader_says_who_reads_and_takes_over_when_that_one_dies(
    settings: Settings, database: Database, stream: str, ingest: Reader, tmp_path: Path
) -> None:
    other = Reader(settings, tmp_path / "other")
    other.place.parent.mkdir()
    with ingest() as first:
        ingest.wait("ingest.consuming")
        with other():
            other.wait("ingest.standing_by")
            assert f"process {first.pid} on " in other.log
            ingest.goes_on(database, 1, 2, upto=2)
            assert "ingest.consuming" not in other.log
            kill(first)
            other.wait("ingest.consuming")
            ingest.goes_on(database, 3, upto=3)
    assert names(database) == [1, 2, 3]


def test_a_reader_that_stands_by_stops_when_it_is_told_to(
    settings: Settings, stream: str, ingest: Reader, tmp_path: Path
) -> None:
    other = Reader(settings, tmp_path / "other")
    other.place.parent.mkdir()
    with ingest():
        ingest.wait("ingest.consuming")
        with other() as second:
            other.wait("ingest.standing_by")
            second.send_signal(signal.SIGTERM)
            assert second.wait(PATIENCE_S) == 0


def test_a_reader_whose_session_has_ended_claims_the_stream_anew(
    settings: Settings, database: Database, stream: str, ingest: Reader
) -> None:
    with ingest():
        ingest.wait("ingest.consuming")
        assert ledger.rows(database, END_CLAIMS) == [(True,)]
        ingest.wait("ingest.consuming", 2)
        ingest.goes_on(database, 1, upto=1)
    assert "found it ended" in ingest.log
    assert names(database) == [1]


def test_a_reader_that_was_overtaken_stores_nothing(database: Database, taxonomy: int) -> None:
    with database.transaction() as cursor:
        streams.place(cursor, NAME, 0, "")

    one, two, other = (Message([review(name, "текст")], []) for name in "abc")
    take_step(database, taxonomy, [one, two], 0, (0, 1))
    with pytest.raises(
        PositionLost, match="expected it to be at offset 0, found that another process has moved"
    ):
        take_step(database, taxonomy, [other], 0, (0,))
    assert ledger.rows(database, "SELECT external_id FROM reviews ORDER BY 1") == [("a",), ("b",)]
    assert position(database) == 2


def test_a_reader_whose_position_was_moved_goes_on_from_the_stored_one(
    settings: Settings, database: Database, stream: str, ingest: Reader
) -> None:
    with ingest.having_read(database, 1, 2, 3, upto=3):
        with database.transaction() as cursor:
            streams.place(cursor, NAME, 1, "somebody")
        ingest.goes_on(database, 4, upto=4)
    assert "another process has moved it" in ingest.log
    assert names(database) == [1, 2, 3, 4]


def test_a_claim_ends_with_its_session(database: Database) -> None:
    with streams.claim(database, NAME) as mine, streams.claim(database, NAME) as yours:
        assert mine.take()
        mine.check()
        assert not yours.take()
        ledger.rows(database, END_CLAIMS)
        wait_until(yours.take, "the lock to be free")
        with pytest.raises(PositionLost, match="reading begins anew"):
            mine.check()


# --- crashes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("way", "text", "line"),
    [
        ({"OTZYV_CASCADE_STAGES": "keywords,zero_shot"}, "Трещотка {}", topology.GPU_LABEL),
        (STORED_FIRST, "Платье {}", topology.STAGE_QUEUES["cpu.keywords"]),
    ],
    ids=["judged first", "stored first"],
)
def test_reviews_whose_tasks_were_not_sent_are_sent_by_the_next_start(
    settings: Settings, database: Database, stream: str, ingest: Reader, tmp_path: Path,
    way: dict[str, str], text: str, line: topology.QueueSpec,
) -> None:  # fmt: skip
    publish(settings.amqp_url, stream, reviews(*range(120), text=text))
    file = tmp_path / "crash"
    file.write_text("")
    with ingest(TEST_OTZYV_CRASH_AT=f"ingest.stored={file}", **way) as process:
        assert process.wait(PATIENCE_S) == -signal.SIGKILL
    stored = len(names(database))
    assert position(database) == stored > 0
    assert left(settings, line) == 0, "nothing was sent"
    with ingest(**way):
        wait_for(database, 120)
        wait_until(lambda: left(settings, line) > 0, "tasks of all that wait")
        if way is STORED_FIRST:
            with started("worker", "cpu", settings=settings, log=tmp_path / "worker.log", **way):
                wait_until(lambda: ledger.count(database, "labels") == 120, "labels, without a sweep")
    assert f"reviews={stored}" in re.findall("ingest.sent_again.*", ingest.log)[0]


def left(settings: Settings, line: topology.QueueSpec) -> int:
    """Messages that wait in the queue of a line."""
    with Connection(settings.amqp_url) as connection:
        return int(topology.queue(line)(connection.channel()).queue_declare(passive=True).message_count)


# --- what is missing ----------------------------------------------------------------------------------


def test_a_stream_that_is_not_there_is_told(settings: Settings) -> None:
    failed = run("ingest", "--stream", "nothing", settings=settings)
    assert failed.returncode == 2
    assert "stream nothing: expected a stream of that name in RabbitMQ, found none" in failed.stderr


@pytest.mark.parametrize(("kind", "arguments"), [("classic", {}), ("quorum", {"x-queue-type": "quorum"})])
def test_a_queue_that_is_no_stream_is_told_and_none_of_its_messages_taken(
    settings: Settings, kind: str, arguments: dict[str, str]
) -> None:
    with Connection(settings.amqp_url) as connection, connection.channel() as channel:
        channel.queue_declare("normal", durable=True, auto_delete=False, arguments=arguments)
    publish(settings.amqp_url, "normal", reviews(1))
    failed = run("ingest", "--stream", "normal", settings=settings)
    assert failed.returncode == 2
    assert f"stream normal: expected a queue of type stream, found a {kind} queue" in failed.stderr
    with Connection(settings.amqp_url) as connection:
        message = connection.channel().basic_get("normal")
        assert message.delivery_info["redelivered"] is False


@pytest.mark.parametrize("arguments", [("--from", "first"), ("--stream", NAME, "--from", "yesterday")])
def test_a_start_that_cannot_be_is_told(settings: Settings, arguments: tuple[str, ...]) -> None:
    failed = run("ingest", *arguments, settings=settings)
    assert failed.returncode == 2
    assert "--from" in failed.stderr
    assert "expected" in failed.stderr


def test_an_offset_beyond_the_end_is_told_and_not_stored(
    settings: Settings, database: Database, stream: str
) -> None:
    publish(settings.amqp_url, stream, reviews(1, 2))
    failed = run("ingest", "--stream", stream, "--from", "3", settings=settings)
    assert failed.returncode == 2
    assert "--from: expected an offset of up to 2, where stream shop.reviews ends; found 3" in failed.stderr
    assert position(database) is None


def test_a_stream_that_was_made_anew_is_told_instead_of_waited_for_in_silence(
    settings: Settings, database: Database, stream: str, ingest: Reader
) -> None:
    with database.transaction() as cursor:
        streams.place(cursor, stream, 5_000, "")
    publish(settings.amqp_url, stream, reviews(1, 2))
    with ingest():
        ingest.wait("expected it to reach its stored offset 5000, found that it ends at 2")
    assert position(database) == 5_000
    with ingest("--from", "first"):
        wait_for(database, 2)
    assert names(database) == [1, 2]


def test_a_stream_that_was_made_anew_and_is_longer_by_now_is_told_instead_of_read_from_the_middle(
    settings: Settings, database: Database, stream: str, ingest: Reader
) -> None:
    ingest.reads(database, 1, 2, 3, upto=3)
    make_anew(settings, stream)
    failed = run("ingest", "--stream", stream, settings=settings)
    assert failed.returncode == 2
    assert "expected the message at offset 2 that was read last, found another" in failed.stderr
    assert (names(database), position(database)) == ([1, 2, 3], 3)
    with ingest("--from", "first"):
        wait_for(database, 5)
    assert names(database) == [1, 2, 3, 11, 12, 13, 14, 15]


def test_a_stream_that_is_made_anew_while_it_is_read_is_told(
    settings: Settings, database: Database, stream: str, ingest: Reader
) -> None:
    with ingest.having_read(database, 1, 2, 3, upto=3):
        make_anew(settings, stream)
        ingest.wait("expected the message at offset 2 that was read last, found another")
    assert names(database) == [1, 2, 3]


def test_messages_that_retention_has_removed_are_told(
    settings: Settings, database: Database, ingest: Reader
) -> None:
    small = {"x-max-length-bytes": 20_000, "x-stream-max-segment-size-bytes": 10_000}
    declare(settings.amqp_url, NAME, **small)
    publish(settings.amqp_url, NAME, reviews(1))
    with ingest():
        wait_for(database, 1)
    total = 1

    def removed() -> bool:
        nonlocal total
        total += publish(settings.amqp_url, NAME, reviews(*range(total + 1, total + 101)))
        with Connection(settings.amqp_url) as connection:
            return stream_bounds.bounds(connection, NAME).first > 1

    wait_until(removed, "retention to remove messages")
    found: list[int] = []
    with ingest():
        wait_until(lambda: total in names(database), "the stream to be read to its end")
        read(settings.amqp_url, NAME, 1, lambda delivery: found.append(delivery.headers["x-stream-offset"]))
    assert f"expected=1 found={found[0]} reason=" in ingest.log
    assert f"skipped={found[0] - 1} " in ingest.log
    assert ingest.log.count("ingest.offsets_missing") == 1, "entries of RabbitMQ's own are not missed"


# --- services that go away ----------------------------------------------------------------------------


def test_it_goes_on_from_the_stored_offset_when_the_broker_comes_back(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    with rabbit_node() as node:
        own = settings.model_copy(update={"amqp_url": f"amqp://guest:guest@127.0.0.1:{node.port}//"})
        declare(own.amqp_url, NAME)
        ingest = Reader(own, tmp_path)
        publish(own.amqp_url, NAME, reviews(1, 2))
        with ingest():
            wait_for(database, 2)
            node.crash()
            ingest.wait("ingest.reconnect")
            node.start()
            ingest.wait("ingest.consuming", 2)
            ingest.goes_on(database, 3, upto=3)
    assert names(database) == [1, 2, 3]


def test_a_stream_whose_leader_does_not_come_back_is_not_said_to_be_missing(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    with rabbit_node() as node:
        own = settings.model_copy(update={"amqp_url": f"amqp://guest:guest@127.0.0.1:{node.port}//"})
        declare(own.amqp_url, NAME)
        node.lose_leaders()
        ingest = Reader(own, tmp_path)
        with ingest():
            ingest.wait(f"stream {NAME}: expected its leader to be there, found it away")
        assert "declare it" not in ingest.log


# --- status -------------------------------------------------------------------------------------------


def test_status_shows_how_far_a_stream_is_read_and_by_whom(
    settings: Settings, database: Database, stream: str, ingest: Reader
) -> None:
    assert "Streams" not in run("status", settings=settings).stdout
    publish(settings.amqp_url, stream, reviews(1, 2, 3))
    with ingest() as process:
        wait_for(database, 3)
        shown = run("status", settings=settings).stdout
        assert re.search(rf"shop\.reviews\s+3\s+0\s+\d+\.\d s ago\s+process {process.pid} on ", shown), shown
    publish(settings.amqp_url, stream, reviews(4, 5))
    shown = run("status", settings=settings).stdout
    assert re.search(r"shop\.reviews\s+3\s+2\s+.* ago\s+nobody", shown), shown


@pytest.mark.parametrize("count", [1, 50_000])
def test_the_end_of_a_stream_is_known_as_soon_as_its_messages_are_confirmed(
    settings: Settings, stream: str, count: int
) -> None:
    with Connection(settings.amqp_url) as connection:
        assert stream_bounds.bounds(connection, stream) == stream_bounds.Bounds(0, 0)
        publish(settings.amqp_url, stream, (b"x" for _ in range(count)))
        assert stream_bounds.bounds(connection, stream) == stream_bounds.Bounds(0, count)
        with pytest.raises(ConfigurationError, match="found none"):
            stream_bounds.bounds(connection, "nothing")
        assert stream_bounds.bounds(connection, stream).end == count, "the connection is still good"
