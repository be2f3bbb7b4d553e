"""Taxonomies by name and version, so that every label can say by which list it was made."""

from __future__ import annotations

from psycopg2.extensions import cursor as Cursor

from shared.store.postgres.fetched import first_value, returned


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
    return returned(cursor)


def find(cursor: Cursor, name: str, version: str) -> int | None:
    """The id of this version of the taxonomy, or None where it is not stored."""
    cursor.execute("SELECT id FROM taxonomies WHERE name = %s AND version = %s", (name, version))
    return first_value(cursor, int)


def document(cursor: Cursor, taxonomy_id: int) -> str | None:
    """The JSON of a stored taxonomy, or None."""
    cursor.execute("SELECT document::text FROM taxonomies WHERE id = %s", (taxonomy_id,))
    return first_value(cursor, str)


def newest_slugs(cursor: Cursor, name: str) -> list[str]:
    """The categories of the version of a taxonomy that came last, in alphabetical order."""
    cursor.execute(
        """
        SELECT array(SELECT c->>'slug' FROM jsonb_array_elements(document->'categories') c ORDER BY 1)
        FROM taxonomies WHERE name = %s ORDER BY id DESC LIMIT 1
        """,
        (name,),
    )
    return sorted(first_value(cursor, list) or ())
