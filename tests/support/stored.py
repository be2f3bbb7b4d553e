"""What tests of the store need: reviews to store, a stage that judges them, and a look at the tables."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg2

from shared.cascade.stage import Answer, Match, Verdict
from shared.intake.intake import Stored, take_in
from shared.reviews.review import Review, make
from shared.reviews.wire import Message
from shared.store import Database, places, reviews
from shared.store.reviews import Upserted

QUEUE = "reviews.incoming"
TO_PREDICT = {"predict_queue": "cpu.classify"}
"""What takes reviews in that await a prediction too."""
TABLES = ("reviews", "review_history", "waiting", "verdicts", "labels", "label_history", "failures")


class ByFirstLetter:
    """A stage for tests: sure of words with т, unsure of words with о, silent on all others."""

    name = "keywords"
    model = "first letters"
    default_threshold = 0.8

    def answers(self, texts: Sequence[str]) -> list[Answer]:
        return [Answer(self._verdict(text)) for text in texts]

    def _verdict(self, text: str) -> Verdict | None:
        match = Match(text, 0, len(text), text[0], "shoes")
        return {"т": Verdict("shoes", 0.9, (match,)), "о": Verdict("toys", 0.4, (match,))}.get(text[0])


def review(name: str, text: str, source: str = "shop", **fields: Any) -> Review:
    return make(source, name, text, max_text_chars=20_000, **fields)


def take_reviews(database: Database, taxonomy_id: int, *given: Review, **more: Any) -> Stored:
    """Store reviews for a taxonomy as one message would bring them; they wait for the keyword stage."""
    message = Message(list(given), [])
    chosen: dict[str, Any] = {"queue": QUEUE, "first_stage": "keywords", **more}
    return take_in(database, [message], taxonomy_id=taxonomy_id, **chosen)


def upserted(cursor: Any, messages: Sequence[Message], taxonomy_id: int, stage: str) -> Upserted:
    """Store the reviews of messages inside a transaction; new ones wait for a stage."""
    incoming = reviews.newest(messages)
    numbers = reviews.draw_numbers(cursor, incoming)
    stored = reviews.upsert(cursor, messages, incoming, taxonomy_id, stage, numbers)
    places.take(cursor, dict.fromkeys(stored.added, stage), taxonomy_id)
    return stored


def ask(database: Database, query: str, *values: object) -> list[tuple[Any, ...]]:
    with database.transaction() as cursor:
        cursor.execute(query, values)
        return cursor.fetchall()


def dump(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, with the place it lies at and the transaction that wrote it."""
    return {
        table: ask(database, f"SELECT ctid::text, xmin::text, t.*::text FROM {table} t ORDER BY ctid")
        for table in TABLES
    }


def blocked(database: Database) -> bool:
    """Whether a transaction waits for another one."""
    query = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    return bool(ask(database, query))


def waiting(database: Database) -> list[tuple[str, int, str]]:
    query = (
        "SELECT external_id, w.revision, stage FROM waiting w JOIN reviews r ON r.id = review_id ORDER BY 1"
    )
    return ask(database, query)


@contextmanager
def weak_user(url: str) -> Iterator[str]:
    """A URL for a user who may connect and nothing else."""
    name = f"u_{uuid.uuid4().hex[:12]}"
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {name} LOGIN")
    connection.close()
    yield url.replace("postgres:@", f"{name}:@")
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP ROLE {name}")
    connection.close()
