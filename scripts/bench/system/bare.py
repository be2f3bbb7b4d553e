"""The ceiling: the keyword stage in a bare loop and COPY into one table, without a queue and without guarantees."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import msgspec
import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from shared.cascade.stage import Verdict, verdicts
from shared.stages.keywords.stage import KeywordStage
from shared.taxonomy import default_taxonomy

TABLE = "CREATE TABLE IF NOT EXISTS bare (external_id text, text text, category text, confidence real, evidence json)"
CHUNK = 500

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
        found = verdicts(_stage, part)
        rows = [
            (str(at + place), text, *_answer(verdict))
            for place, (text, verdict) in enumerate(zip(part, found, strict=True))
        ]
        with _connection, _connection.cursor() as cursor:
            _copy(cursor, rows)
    return len(texts)


def _copy(cursor: Cursor, rows: Sequence[Sequence[object]]) -> None:
    buffer = io.StringIO()
    csv.writer(buffer, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n").writerows(rows)
    buffer.seek(0)
    cursor.copy_expert(
        "COPY bare FROM STDIN WITH (FORMAT csv, FORCE_NULL (category, confidence, evidence))", buffer
    )


def _answer(verdict: Verdict | None) -> tuple[str, object, str]:
    if verdict is None:
        return "", "", ""
    return verdict.category, verdict.confidence, _encode(verdict.evidence).decode()
