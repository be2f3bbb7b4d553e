"""With OTZYV_MASK_PERSONAL_DATA no personal data gets into the database, on whatever way it comes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kombu import Connection

from shared.settings import Settings
from shared.store import Database
from tests.support import ledger
from tests.support.processes import run, running
from tests.support.producer import publish
from tests.support.row_files import read_rows
from tests.support.servers import wait_until
from tests.support.stored import ask
from workers.rabbitmq import topology

SECRET = ("9161234567", "916 123", "anna@example", "1111 1111", "11111111")
TEXT = "Кроссовки жмут, звоните 8 916 123-45-67 или anna@example.ru"
MASKED = "Кроссовки жмут, звоните [телефон] или [почта]"
ON: dict[str, Any] = {"OTZYV_MASK_PERSONAL_DATA": "true"}


def everything(database: Database) -> str:
    """All that is stored, as text."""
    tables = ("reviews", "review_history", "failures", "verdicts", "labels")
    found = [ask(database, f"SELECT t::text FROM {table} t") for table in tables]
    payloads = ask(database, "SELECT encode(payload, 'escape') FROM failures")
    return str(found) + str(payloads)


def rejected_messages(settings: Settings) -> list[bytes]:
    queue = topology.dead_letter_queue(topology.INCOMING)
    with Connection(settings.amqp_url) as connection:
        bound = queue(connection.channel())
        found = []
        while (message := bound.get(no_ack=True)) is not None:
            found.append(bytes(message.body))
    return found


def test_what_comes_from_the_queue_is_masked_before_it_is_stored(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    message = {
        "source": "shop", "id": "1", "text": TEXT,
        "meta": {"contact": "+79161234567", "rating": 5, "pay": ["4111 1111 1111 1111", 4111111111111111],
                 "sku": 79990001122},
    }  # fmt: skip
    bad = {"source": "shop", "id": "89161234567", "text": TEXT, "unknown": 1}
    log = tmp_path / "cpu.log"
    with running(settings, tmp_path, **ON):
        publish(settings, json.dumps({"reviews": [message, bad]}).encode(), "не JSON: +79161234567".encode())
        wait_until(lambda: ledger.count(database, "labels") == 1, "the label")
        wait_until(lambda: ledger.count(database, "failures") == 2, "both failures")
        publish(settings, json.dumps(message).encode(), json.dumps({**message, "id": "2"}).encode())
        wait_until(lambda: ledger.count(database, "labels") == 2, "the other label")
    assert ask(database, "SELECT text, revision FROM reviews ORDER BY id") == [(MASKED, 1), (MASKED, 1)]
    assert ask(database, "SELECT DISTINCT text_sha = sha256(convert_to(text, 'UTF8')) FROM reviews") == [
        (True,)
    ]
    assert ask(database, "SELECT meta FROM reviews WHERE external_id = '1'") == [
        ({"contact": "[телефон]", "rating": 5, "pay": ["[карта]", "[карта]"], "sku": 79990001122},)
    ]
    stored = everything(database)
    assert '"id": "89161234567"' in stored, "what names a review stays"
    copies = b"".join(rejected_messages(settings)).decode()
    assert "[телефон]" in copies
    for one in SECRET[1:]:
        assert one not in stored + copies + log.read_text()


def test_without_the_setting_texts_are_stored_as_they_came(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    with running(settings, tmp_path):
        publish(settings, json.dumps({"source": "shop", "id": "1", "text": TEXT}).encode())
        wait_until(lambda: ledger.count(database, "reviews") == 1, "the review")
    assert ask(database, "SELECT text FROM reviews") == [(TEXT,)]


def test_a_file_that_is_labelled_here_is_judged_by_its_masked_texts(tmp_path: Path) -> None:
    given, out = tmp_path / "reviews.csv", tmp_path / "labels.csv"
    given.write_text(f'id,text,contact\n1,"{TEXT}",anna@example.ru\n', encoding="utf-8")
    done = run("label", given, "--out", out, OTZYV_CASCADE_STAGES="keywords", **ON)
    assert done.returncode == 0, done.stderr
    (row,) = read_rows(out)
    assert (row["status"], row["category_slug"], row["text"]) == ("accepted", "shoes", MASKED)
    assert row["contact"] == "anna@example.ru", "only the text is Otzyv's, other columns are the user's"
    page = out.with_suffix(".html").read_text(encoding="utf-8")
    assert not [one for one in SECRET if one in page]
