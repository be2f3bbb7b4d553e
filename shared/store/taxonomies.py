"""Taxonomies by name and version, so that every label can say by which list it was made."""

from __future__ import annotations

from psycopg2.extensions import cursor as Cursor


def register(cursor: Cursor, name: str, version: str, document: str) -> int:
    """The id of this version of the taxonomy, stored on first sight. `document` is JSON."""
    known = find(cursor, name, version)
    if known is not None:
        return known
    cursor.execute(
        """
        INSERT INTO taxonomies (name, version, document) VALUES (%s, %s, %s)
        ON CONFLICT (name, version) DO UPDATE SET name = excluded.name RETURNING id
        """,
        (name, version, document),
    )
    return int(_one(cursor))


def find(cursor: Cursor, name: str, version: str) -> int | None:
    """The id of this version of the taxonomy, or None where it is not stored."""
    cursor.execute("SELECT id FROM taxonomies WHERE name = %s AND version = %s", (name, version))
    row = cursor.fetchone()
    return None if row is None else int(row[0])


def document(cursor: Cursor, taxonomy_id: int) -> str | None:
    """The JSON of a stored taxonomy, or None."""
    cursor.execute("SELECT document::text FROM taxonomies WHERE id = %s", (taxonomy_id,))
    row = cursor.fetchone()
    return None if row is None else str(row[0])


def newest_slugs(cursor: Cursor, name: str) -> list[str]:
    """The categories of the version of a taxonomy that came last, in alphabetical order."""
    cursor.execute(
        """
        SELECT array(SELECT c->>'slug' FROM jsonb_array_elements(document->'categories') c ORDER BY 1)
        FROM taxonomies WHERE name = %s ORDER BY id DESC LIMIT 1
        """,
        (name,),
    )
    (found,) = cursor.fetchone() or ([],)
    return sorted(found)


def in_line(cursor: Cursor) -> list[int]:
    """The taxonomies for which reviews wait."""
    cursor.execute("SELECT DISTINCT taxonomy_id FROM waiting ORDER BY 1")
    return [row[0] for row in cursor.fetchall()]


def _one(cursor: Cursor) -> int:
    row = cursor.fetchone()
    assert row is not None  # noqa: S101  RETURNING always yields the row
    return int(row[0])
