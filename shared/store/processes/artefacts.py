"""The files of registered models, in parts, so that no statement carries a whole network. What they say is not read."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Final

from psycopg2.extensions import cursor as Cursor

from shared.store.postgres.fetched import first_value

PART_BYTES: Final = 2**20


def write(cursor: Cursor, model_id: int, files: Mapping[str, bytes]) -> None:
    """Keep files of a model by name. Those that are kept already stay as they are."""
    for name, content in files.items():
        for part, start in enumerate(range(0, max(1, len(content)), PART_BYTES)):
            cursor.execute(
                """
                INSERT INTO artefact_parts (model_id, name, part, content) VALUES (%s, %s, %s, %s)
                ON CONFLICT DO NOTHING
                """,
                (model_id, name, part, content[start : start + PART_BYTES]),
            )


def read(cursor: Cursor, artefact_path: str, name: str) -> bytes | None:
    """A file of the model whose artefact is called so; None where it is not kept."""
    found = bytearray()
    for part in count():
        cursor.execute(
            """
            SELECT content FROM artefact_parts JOIN models ON id = model_id
            WHERE artefact_path = %s AND name = %s AND part = %s
            """,
            (artefact_path, name, part),
        )
        content = first_value(cursor, memoryview)
        if content is None:
            return bytes(found) if part else None
        found += content
    return None


def size(cursor: Cursor, artefact_path: str, name: str) -> int | None:
    """How many bytes a file has; None where it is not kept."""
    cursor.execute(
        """
        SELECT sum(octet_length(content))::bigint FROM artefact_parts JOIN models ON id = model_id
        WHERE artefact_path = %s AND name = %s
        """,
        (artefact_path, name),
    )
    return first_value(cursor, int)


def kept(cursor: Cursor) -> dict[int, int]:
    """The models whose files are kept, and how many bytes they take."""
    cursor.execute(
        "SELECT model_id, sum(octet_length(content))::bigint FROM artefact_parts GROUP BY model_id"
    )
    return dict(cursor.fetchall())


def model_of(cursor: Cursor, artefact_path: str) -> int | None:
    """The model whose artefact is called so; None where none is registered."""
    cursor.execute("SELECT id FROM models WHERE artefact_path = %s ORDER BY id LIMIT 1", (artefact_path,))
    return first_value(cursor, int)


def discard(cursor: Cursor, model_id: int) -> int:
    """Keep the files of a model no longer; how many parts they had."""
    cursor.execute("DELETE FROM artefact_parts WHERE model_id = %s", (model_id,))
    return cursor.rowcount
