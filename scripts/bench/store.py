"""Storing reviews and their places in line: Otzyv's way beside the usual ones with psycopg2."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path

from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_batch, execute_values

from scripts.bench.turns import CHUNK, Peer, chunked, rates
from shared.intake.intake import take_in
from shared.reviews.review import make
from shared.reviews.wire import Message
from shared.runtime import runtime
from shared.settings import Settings
from shared.store import Database

WAYS = {
    "ours": "Otzyv: names looked up, then COPY",
    "values": "execute_values for reviews, and for their places in line",
    "batch": "execute_batch",
    "rows": "a statement a row",
    "copy": "COPY into a table without an index: the ceiling",
}
INSERT = """
INSERT INTO {table} (source, external_id, text, text_sha) VALUES {values}
ON CONFLICT (source, external_id) DO UPDATE SET text = excluded.text, text_sha = excluded.text_sha,
    revision = {table}.revision + 1 WHERE {table}.text_sha <> excluded.text_sha RETURNING id
"""
LINE = "INSERT INTO {table}_waiting (review_id, taxonomy_id, revision, stage) VALUES {values}"
TABLES = """
CREATE TABLE {table} (LIKE reviews INCLUDING ALL);
CREATE TABLE {table}_waiting (LIKE waiting INCLUDING ALL);
"""


NamedTexts = list[tuple[str, str]]


def run(
    settings: Settings, texts: Sequence[str], _folder: Path, seconds: float, turns: int
) -> Iterator[dict[str, float]]:
    """One dict a turn, of `seconds`: reviews per second in one process of `ours`, `values`, `batch`, `rows`, `copy`.

    All but `copy` keep the names apart, store a digest and put every review in line; `copy` is the ceiling.
    """
    here = runtime.for_batches(settings)
    names = map(str, count())

    def ours(chunk: Sequence[str]) -> None:
        rows = [make("store", next(names), text, max_text_chars=20_000) for text in chunk]
        take_in(
            here.database,
            [Message(rows, [])],
            queue="bench",
            taxonomy_id=here.taxonomy_id,
            first_stage="keywords",
        )

    ways: dict[str, Peer] = {"ours": ours}
    with here.database.transaction() as cursor:
        for table, way in (("values", _values), ("batch", _batch), ("rows", _rows)):
            cursor.execute(TABLES.format(table=table))
            ways[table] = partial(_put, here.database, names, table, way)
        cursor.execute("CREATE TABLE copied (external_id text, text text)")
    ways["copy"] = partial(_put, here.database, names, "COPY copied FROM STDIN CSV", copy)
    for _ in range(turns):
        yield rates(ways, chunked(texts), seconds)
    here.database.close()


def _put(
    database: Database,
    names: Iterator[str],
    where: str,
    way: Callable[[Cursor, str, NamedTexts], None],
    chunk: Sequence[str],
) -> None:
    with database.transaction() as cursor:
        way(cursor, where, [(next(names), text) for text in chunk])


def _values(cursor: Cursor, table: str, rows: NamedTexts) -> None:
    """`execute_values`, a page for all."""
    reviews = INSERT.format(table=table, values="%s")
    template = "('bench', %s, %s, sha256(convert_to(%s, 'UTF8')))"
    ids = execute_values(
        cursor, reviews, [(name, text, text) for name, text in rows], template, page_size=CHUNK, fetch=True
    )
    execute_values(
        cursor, LINE.format(table=table, values="%s"), ids, "(%s, 1, 1, 'keywords')", page_size=CHUNK
    )


def _batch(cursor: Cursor, table: str, rows: NamedTexts) -> None:
    """`execute_batch`, a hundred statements a round trip; then who is in line, by name."""
    values = "('bench', %s, %s, sha256(convert_to(%s, 'UTF8')))"
    reviews = INSERT.format(table=table, values=values)
    execute_batch(cursor, reviews, [(name, text, text) for name, text in rows])
    cursor.execute(
        f"INSERT INTO {table}_waiting SELECT id, 1, 1, 'keywords' FROM {table} WHERE external_id = ANY(%s)",  # noqa: S608
        ([name for name, _ in rows],),
    )


def _rows(cursor: Cursor, table: str, rows: NamedTexts) -> None:
    """A statement a row."""
    reviews = INSERT.format(table=table, values="('bench', %s, %s, sha256(convert_to(%s, 'UTF8')))")
    line = LINE.format(table=table, values="(%s, 1, 1, 'keywords')")
    for name, text in rows:
        cursor.execute(reviews, (name, text, text))
        with suppress(TypeError):
            cursor.execute(line, cursor.fetchone())


def copy(cursor: Cursor, statement: str, rows: Iterable[Sequence[object]]) -> None:
    """COPY rows as CSV in which every text is quoted."""
    buffer = io.StringIO()
    csv.writer(buffer, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n").writerows(rows)
    buffer.seek(0)
    cursor.copy_expert(statement, buffer)
