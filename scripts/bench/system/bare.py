"""The ceiling: the keyword stage in a bare loop and COPY into one table, without a queue and without guarantees."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import psycopg2
from psycopg2.extensions import connection as Connection

from scripts.bench.store import copy
from scripts.bench.turns import CHUNK
from shared.cascade.stage import verdicts
from shared.stages.keywords.stage import KeywordStage
from shared.taxonomy import default_taxonomy

TABLE = "CREATE TABLE IF NOT EXISTS bare (external_id text, text text, category text, confidence real, evidence json)"
COPY = "COPY bare FROM STDIN WITH (FORMAT csv, FORCE_NULL (category, confidence, evidence))"

_stage: KeywordStage
_connection: Connection
_encode = msgspec.json.Encoder().encode


def prepare(database_url: str) -> None:
    """Build the stage and connect, once per process."""
    global _stage, _connection
    _stage, _connection = KeywordStage(default_taxonomy()), psycopg2.connect(database_url)


def label(texts: Sequence[str]) -> int:
    """Label texts and COPY what was found, a transaction for every 500; returns how many there were."""
    for at in range(0, len(texts), CHUNK):
        part = texts[at : at + CHUNK]
        rows = []
        for number, (text, verdict) in enumerate(zip(part, verdicts(_stage, part), strict=True), at):
            answer: tuple[object, ...] = ("", "", "")
            if verdict is not None:
                answer = (verdict.category, verdict.confidence, _encode(verdict.evidence).decode())
            rows.append((str(number), text, *answer))
        with _connection, _connection.cursor() as cursor:
            copy(cursor, COPY, rows)
    return len(texts)
