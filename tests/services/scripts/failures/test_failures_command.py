"""`otzyv failures` over a real RabbitMQ and PostgreSQL, with the processes that fail and those that go on."""

from __future__ import annotations

import base64
import json
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from kombu import Connection

from scripts.language.language import grouped
from shared.reviews.review import Review
from shared.reviews.wire import Message, Rejected
from shared.runtime import runtime
from shared.settings import Settings
from shared.store import Database, failures
from tests.support import ledger
from tests.support.batches import brittle_worker, send
from tests.support.processes import kill, run, running, started
from tests.support.producer import publish
from tests.support.servers import wait_until
from tests.support.stored import QUEUE, take_reviews
from workers.rabbitmq import topology
from workers.rabbitmq.confirmed import Confirmed
from workers.rabbitmq.dead_letters import DeadLetters, DeadQueue


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(update={"cascade_stages": "keywords"})


def command(*arguments: str, settings: Settings, code: int = 0) -> str:
    done = run("failures", *arguments, settings=settings)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def listed(settings: Settings) -> dict[str, object]:
    document = json.loads(command("list", "--json", settings=settings))
    assert isinstance(document, dict)
    return document


def dead(settings: Settings, queue: str) -> dict[str, object]:
    queues = listed(settings)["dead_letters"]
    assert isinstance(queues, list)
    return next(found for found in queues if found["queue"] == queue)


def stored(settings: Settings, database: Database, texts: Sequence[str]) -> list[int]:
    """Reviews that wait for the keyword stage."""
    here = runtime.build(settings, database)
    reviews = (Review("shop", str(number), text) for number, text in enumerate(texts))
    return take_reviews(database, here.taxonomy_id, *reviews).first_stage


def failed(settings: Settings, database: Database, texts: Sequence[str]) -> None:
    """Reviews that the keyword stage could not process."""
    here = runtime.build(settings, database)
    judged = dict.fromkeys(stored(settings, database, texts), 1)
    with database.transaction() as cursor:
        failures.record_failed(
            cursor, "cpu.keywords", judged, here.taxonomy_id, "keywords", "ValueError: \x1b[31mno", "0123abc"
        )


def rejected(database: Database, payloads: Sequence[bytes], reason: str = "message: bad") -> None:
    with database.transaction() as cursor:
        failures.record_rejected(
            cursor, QUEUE, [Message([], [Rejected(reason, payload)]) for payload in payloads]
        )


def rejected_each(database: Database, reasons: Sequence[str], queue: str = QUEUE) -> None:
    """One failure for each reason; where the queue is a stream, at the offsets 100, 101, ..."""
    messages = [Message([], [Rejected(reason, reason.encode())]) for reason in reasons]
    offsets = range(100, 100 + len(messages)) if queue.startswith("stream ") else None
    with database.transaction() as cursor:
        failures.record_rejected(cursor, queue, messages, offsets)


def taken(settings: Settings, queue: str) -> list[bytes]:
    """The bodies of all messages of a queue, which is empty afterwards."""
    found = []
    with Connection(settings.amqp_url) as connection, connection.channel() as channel:
        channel.auto_decode = False
        while (message := channel.basic_get(queue, no_ack=True)) is not None:
            found.append(bytes(message.body))
    return found


def put_aside(settings: Settings, texts: Sequence[str], reason: str = "text: bad") -> None:
    """Messages in the queue of rejected ones, with a reason on them; `{}` in it is the text."""
    with Connection(settings.amqp_url, transport_options={"confirm_publish": True}) as connection:
        topology.declare(connection)
        producer = connection.Producer(exchange=topology.DEAD)
        for text in texts:
            headers = {"reason": reason.format(text)}
            producer.publish(text.encode(), routing_key="reviews.rejected", headers=headers, delivery_mode=2)


@pytest.mark.everyday
def test_what_a_broken_worker_has_failed_is_labelled_by_a_mended_one(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    with brittle_worker(settings, tmp_path):
        send(settings, database, ["яд", "Платье село отлично", "яд снова"])
        wait_until(lambda: ledger.count(database, "failures") == 2, "two failures")
        wait_until(lambda: dead(settings, "cpu.keywords.dead")["messages"] == 2, "two dead letters")
    table = command("list", settings=settings)
    assert "ValueError: cannot digest this" in table
    assert "2 × rejected in cpu.keywords" in table
    told = command("retry", "--reason", "cannot digest", settings=settings)
    assert "sent again: 2 of 2" in told
    assert "look at `otzyv failures list` again in a while" in told
    with started("worker", "cpu", settings=settings, log=tmp_path / "mended.log"):
        wait_until(lambda: ledger.count(database, "labels") == 3, "all labels")
    assert ledger.count(database, "failures") == 0
    assert ledger.astray(database) == []


@pytest.mark.everyday
def test_a_rejected_review_is_stored_once_the_rule_that_refused_it_is_gone(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    text = "Платье село отлично. " * 6
    body = json.dumps({"reviews": [{"source": "shop", "id": "1", "text": text}]}, ensure_ascii=False).encode()
    with running(settings, tmp_path, OTZYV_MAX_TEXT_CHARS="100"):
        publish(settings, body)
        wait_until(lambda: ledger.count(database, "failures") == 1, "the rejection")
    shown = command("show", "1", settings=settings)
    assert "expected at most 100 characters" in shown
    assert text in shown
    with running(settings, tmp_path):
        command("retry", "1", settings=settings)
        wait_until(lambda: ledger.count(database, "reviews") == 1, "the review")
    assert ledger.count(database, "failures") == 0


def test_a_message_that_still_breaks_the_contract_is_rejected_anew_and_not_forgotten(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    numbers = "SELECT id FROM failures"
    with running(settings, tmp_path):
        publish(settings, b"\x1b[2J no JSON")
        wait_until(lambda: ledger.rows(database, numbers) == [(1,)], "the rejection")
        for _ in range(3):
            before = ledger.rows(database, numbers)
            command("retry", "--queue", QUEUE, settings=settings)
            wait_until(lambda: len(ledger.rows(database, numbers)) == 1, "the next one")
            wait_until(lambda: ledger.rows(database, numbers) != before, "a row of its own")  # noqa: B023


def test_an_unknown_number_changes_nothing(settings: Settings, database: Database) -> None:
    rejected(database, [b"one"])
    for verb in ("retry", "drop"):
        assert "found no failure 77" in command(verb, "1", "77", settings=settings, code=2)
    assert "found no failure 77" in command("show", "77", settings=settings, code=2)
    assert ledger.count(database, "failures") == 1


def test_failures_that_need_no_second_try_are_left_and_told(settings: Settings, database: Database) -> None:
    failed(settings, database, ["Платье село"])
    stored(settings, database, ["Платье порвалось"])
    assert "its text has been replaced" in command("show", "1", settings=settings)
    told = command("retry", "--all", settings=settings, code=3)
    assert "sent again: 0 of 1" in told
    assert "again in a while" not in told, "nothing can come back"
    assert "left 1: their text has been replaced" in told
    assert ledger.count(database, "failures") == 1


def test_a_dropped_review_goes_to_a_person_and_a_dropped_message_is_forgotten(
    settings: Settings, database: Database
) -> None:
    failed(settings, database, ["Платье село", "Чайник"])
    rejected(database, [b"one", b"two"])
    asked = run("failures", "drop", "--all", settings=settings)
    assert asked.returncode == 1
    assert "2 reviews that a stage could not process: only the row of the failure goes" in asked.stderr
    assert (
        "2 rejected messages or reviews: never stored as a review, so the payload is gone for good"
        in asked.stderr
    )
    assert "Delete 2 payloads for good, and forget the other failures?" in asked.stderr
    assert ledger.count(database, "failures") == 4, "nobody has said yes"
    told = command("drop", "--all", "--yes", settings=settings)
    assert "dropped: 4; 2 of these reviews need a person now" in told
    assert ledger.rows(database, "SELECT status, category FROM labels") == [("needs_review", None)] * 2
    assert ledger.count(database, "failures") == 0
    assert ledger.astray(database) == []


def test_nothing_hostile_reaches_the_terminal(settings: Settings, database: Database) -> None:
    failed(settings, database, ["Платье \x1b[2J\u202eело"])
    rejected(database, [b"\xff\x1b[2J" + "ж".encode() * 3_000], reason="message: \x1b]0;bad\x07")
    put_aside(settings, ["x"], reason="text: \x1b[31m")
    told = [
        command("list", settings=settings),
        command("show", "1", settings=settings),
        command("show", "2", settings=settings),
        command("show", "2", "--full", settings=settings),
        command("show", "1", "--json", settings=settings),
        command("list", "--json", settings=settings),
    ]
    assert all(set("\x1b\x07\u202e").isdisjoint(text) for text in told)
    assert "\\x1b[2J\\u202eело" in told[1]
    assert told[2].count("ж") == 997
    assert f"the first {grouped(2_000)} of them" in told[2]
    assert told[3].count("ж") == 3_000


NUMBERED = [
    "text: expected at most 20000 characters, found {}; shorten it or raise OTZYV_MAX_TEXT_CHARS",
    "message: expected a review in UTF-8 JSON; found: JSON is malformed: invalid character (byte {})",
    "created_at: expected a moment in the years 1 to 9999 of UTC, found 0001-01-{:02}T00:00:00+14:00",
    "KeyError: row{}",
]


def test_reasons_that_differ_in_numbers_are_one_group_with_the_newest_as_its_example(
    settings: Settings, database: Database
) -> None:
    for reason in NUMBERED:
        rejected_each(database, [reason.format(number) for number in range(1, 31)])
    rejected_each(database, [f"ValueError: no key {uuid.uuid4()}" for _ in range(50)])
    document = listed(settings)
    assert document["failures"] == 170
    groups = document["groups"]
    assert isinstance(groups, list)
    assert [group["count"] for group in groups] == [50, 30, 30, 30, 30]
    assert [group["reason"] for group in groups[1:]] == [reason.format(30) for reason in reversed(NUMBERED)]
    told = command("list", "--reason", "(byte", settings=settings)
    assert "(byte 30)" in told
    assert "30 failures in 1 group;" in told


def test_reasons_in_other_words_are_other_groups(settings: Settings, database: Database) -> None:
    rejected_each(
        database,
        [
            "KeyError: 'added'",
            "KeyError: 'faded'",
            "unknown field `rating`",
            "unknown field `face`",
            "bad 1",
            "bad x",
        ],
    )
    assert "6 failures in 6 groups" in command("list", settings=settings)


def test_a_list_fits_into_eighty_columns_with_each_reason_whole_in_a_line_below_its_group(
    settings: Settings, database: Database
) -> None:
    reason = "text: expected at most 20000 characters, found 20001; shorten it or raise OTZYV_MAX_TEXT_CHARS"
    rejected_each(database, [reason])
    rejected_each(database, [reason, reason], queue="stream a-rather-long-name-of-a-stream")
    put_aside(settings, [reason], reason=reason)
    for columns, dates in (("80", 0), ("100", 1), ("140", 2)):
        done = run("failures", "list", settings=settings, COLUMNS=columns)
        lines = done.stdout.splitlines()
        assert lines.count(f"    {reason}") == 2
        assert f"    1 × {reason}" in lines
        assert all(len(line) <= int(columns) for line in lines if reason not in line)
        assert lines[1].count("(UTC)") == dates


def test_a_failure_of_a_stream_is_shown_with_its_offset(settings: Settings, database: Database) -> None:
    rejected_each(database, ["bad 1", "bad 2"], queue="stream shop")
    rejected(database, [b"of a queue"])
    shown = command("show", "1", settings=settings)
    assert [line.split() for line in shown.splitlines() if "offset" in line] == [["stream", "offset", "100"]]
    assert "offset" not in command("show", "3", settings=settings)
    groups = listed(settings)["groups"]
    assert isinstance(groups, list)
    assert {group["queue"]: group["stream_offset"] for group in groups} == {QUEUE: None, "stream shop": 101}


def test_a_program_reads_one_failure_as_json(settings: Settings, database: Database) -> None:
    rejected(database, ['{"text": "ж :heart:"}'.encode(), b"\xff", "ж".encode() * 3_000])
    documents = [
        json.loads(command("show", number, "--json", settings=settings)) for number in ("1", "2", "3")
    ]
    assert documents[0]["payload"] == '{"text": "ж :heart:"}'
    assert base64.b64decode(documents[1]["payload_base64"]) == b"\xff"
    assert (documents[2]["cut"], documents[2]["size"], len(documents[2]["payload"])) == (True, 6_000, 1_000)
    whole = json.loads(command("show", "3", "--json", "--full", settings=settings))
    assert (whole["cut"], whole["payload"]) == (False, "ж" * 3_000)


def test_a_stored_review_that_failed_is_json_with_its_text(settings: Settings, database: Database) -> None:
    failed(settings, database, ["Платье село"])
    found = json.loads(command("show", "1", "--json", settings=settings))
    assert (found["kind"], found["text"], found["cut"]) == ("stage", "Платье село", False)
    assert (found["source"], found["external_id"], found["payload"]) == ("shop", "0", None)


def test_a_rejected_review_can_be_found_by_its_name_whichever_field_was_bad(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    bad = {"source": "shop", "id": "7", "text": "Платье село", "created_at": "yesterday"}
    good = {"source": "shop", "id": "8", "text": "Платье село"}
    with running(settings, tmp_path):
        publish(
            settings, json.dumps(bad).encode(), json.dumps({"reviews": [{**bad, "id": 9}, good]}).encode()
        )
        wait_until(lambda: ledger.count(database, "failures") == 2, "both rejections")
    found = ledger.rows(database, "SELECT source, external_id FROM failures ORDER BY external_id")
    assert found == [("shop", "7"), ("shop", "9")]
    assert "2 failures in 1 group;" in command("list", settings=settings), (
        "the reason is the same, alone or not"
    )
    shown = command("show", "1", settings=settings)
    assert "shop/7" in shown
    assert "such as 2026-01-02T03:04:05Z" in shown


def test_a_look_at_dead_letters_leaves_all_of_them_where_they_are_however_often(
    settings: Settings, database: Database
) -> None:
    texts = [f"message {number}" for number in range(250)]
    put_aside(settings, texts, reason="bad: {}")
    for _ in range(24):
        with Confirmed(settings, declare=False) as confirmed:
            letters = DeadLetters(confirmed)
            found = letters.look(topology.INCOMING)
            assert letters.count(topology.INCOMING) == 250, "they are back when the look is over"
        assert found == DeadQueue("reviews.rejected", 250, [(f"bad: {text}", 1) for text in texts[:100]], 100)
    bodies = [text.encode() for text in texts]
    assert taken(settings, "reviews.rejected") == bodies, "in the order in which they came"


def test_of_dead_letters_that_were_looked_at_the_oldest_are_dropped(
    settings: Settings, database: Database
) -> None:
    texts = [f"message {number}" for number in range(120)]
    put_aside(settings, texts)
    assert dead(settings, "reviews.rejected") == dead(settings, "reviews.rejected")
    with Confirmed(settings, declare=False) as confirmed:
        assert len(list(DeadLetters(confirmed).drop(topology.INCOMING, 3))) == 3
    assert taken(settings, "reviews.rejected") == [text.encode() for text in texts[3:]]


def test_rows_are_shown_while_rabbitmq_is_away_and_a_retry_changes_nothing(
    settings: Settings, database: Database
) -> None:
    failed(settings, database, ["Платье село"])
    rejected(database, [b"one"])
    away = settings.model_copy(update={"amqp_url": "amqp://guest:guest@127.0.0.1:1/none"})
    told = command("list", settings=away)
    assert "2 failures in 2 groups" in told
    assert "dead letters not shown: RabbitMQ did not answer" in told
    assert listed(away)["dead_letters"] is None
    before = ledger.versions(database, "failures", "waiting")
    assert "RabbitMQ did not answer" in command("retry", "--all", settings=away, code=75)
    assert ledger.versions(database, "failures", "waiting") == before


def test_dead_letters_go_back_to_their_queue_with_all_their_tries_ahead(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    with brittle_worker(settings, tmp_path, OTZYV_TASK_ATTEMPTS="2"):
        send(settings, database, ["сеть"])
        wait_until(lambda: dead(settings, "cpu.keywords.dead")["messages"] == 1, "the dead letter")
    assert "sent back to cpu.keywords: 1" in command(
        "retry", "--dead-letters", "cpu.keywords.dead", settings=settings
    )
    with Connection(settings.amqp_url) as connection, connection.channel() as channel:
        message = channel.basic_get("cpu.keywords")
        assert message.headers["retries"] == 0
        assert not [name for name in message.headers if "death" in name]
        channel.basic_reject(message.delivery_tag, requeue=True)
    with started("worker", "cpu", settings=settings, log=tmp_path / "mended.log"):
        wait_until(lambda: ledger.count(database, "labels") == 1, "the label")
    assert dead(settings, "cpu.keywords.dead")["messages"] == 0


def test_dead_letters_are_removed_once_somebody_says_so(settings: Settings, database: Database) -> None:
    put_aside(settings, ["one", "two"])
    rejected(database, [b"one"])
    arguments = ("drop", "--dead-letters", "reviews.rejected")
    assert "Remove 2 messages from reviews.rejected?" in command(*arguments, settings=settings, code=1)
    assert "removed from reviews.rejected: 2" in command(*arguments, "--yes", settings=settings)
    assert taken(settings, "reviews.rejected") == []
    assert ledger.count(database, "failures") == 1, "the row is the truth, the message a copy"


HOLD = """
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_advisory_xact_lock(7); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER hold AFTER DELETE ON failures DEFERRABLE INITIALLY {moment}
    FOR EACH ROW WHEN (OLD.id = {number}) EXECUTE FUNCTION hold();
"""


@contextmanager
def killed_at(
    settings: Settings, database: Database, moment: str, number: int, *arguments: str
) -> Iterator[None]:
    """A command killed, with its connection, while it deletes failure `number`: at once, or when it commits that."""
    held = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()"
    with database.connection() as connection, connection.cursor() as cursor:
        cursor.execute(HOLD.format(moment=moment, number=number))
        cursor.execute("SELECT pg_advisory_lock(7)")
        connection.commit()
        with started("failures", *arguments, settings=settings, log=Path(os.devnull)) as process:
            wait_until(lambda: ledger.rows(database, held), f"the command to come to failure {number}")
            kill(process)
        ledger.rows(database, f"SELECT pg_terminate_backend(pid) FROM ({held}) AS held")
        wait_until(lambda: not ledger.rows(database, held), "its connection to end")
        yield
        cursor.execute("SELECT pg_advisory_unlock(7)")
        cursor.execute("DROP TRIGGER hold ON failures; DROP FUNCTION hold()")
        connection.commit()


@pytest.mark.parametrize(("moment", "twice"), [("IMMEDIATE", 0), ("DEFERRED", 100)])
def test_a_retry_killed_before_or_after_sending_loses_no_rejected_message(
    settings: Settings, database: Database, moment: str, twice: int
) -> None:
    payloads = [b"payload %d" % number for number in range(500)]
    rejected(database, payloads)
    with killed_at(settings, database, moment, 250, "retry", "--all"):
        assert ledger.count(database, "failures") == 300
    command("retry", "--all", settings=settings)
    sent = taken(settings, QUEUE)
    assert set(sent) == set(payloads)
    assert len(sent) == 500 + twice
    assert ledger.count(database, "failures") == 0


@pytest.mark.parametrize("moment", ["IMMEDIATE", "DEFERRED"])
@pytest.mark.parametrize(
    ("arguments", "table"), [(("retry", "--all"), "waiting"), (("drop", "--all", "-y"), "labels")]
)
def test_a_stored_review_is_in_exactly_one_place_wherever_the_command_is_killed(
    settings: Settings, database: Database, moment: str, arguments: tuple[str, ...], table: str
) -> None:
    failed(settings, database, [f"Платье {number}" for number in range(1_500)])
    with killed_at(settings, database, moment, 700, *arguments):
        assert (ledger.count(database, "failures"), ledger.count(database, table)) == (1_000, 500)
        assert ledger.astray(database) == []
    command(*arguments, settings=settings)
    assert (ledger.count(database, "failures"), ledger.count(database, table)) == (0, 1_500)
    assert ledger.astray(database) == []
