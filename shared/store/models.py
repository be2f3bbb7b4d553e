"""Registered models: what each is, and where its artefact lies."""

from __future__ import annotations

from datetime import datetime

import msgspec
from psycopg2.extensions import cursor as Cursor

from shared.store.postgres.fetched import all_of, first_of, first_value, returned


class Model(msgspec.Struct, frozen=True):
    """A registered model. `path` is below the location of artefacts, `sha256` that of its manifest, in hexadecimal."""

    id: int
    taxonomy: str
    taxonomy_version: str
    architecture: str
    path: str
    sha256: str
    labels: list[str]
    created_at: datetime


_SELECT = """
    SELECT m.id, t.name, t.version, m.architecture, m.artefact_path, encode(m.artefact_sha, 'hex'),
           m.labels, m.created_at
    FROM models m JOIN taxonomies t ON t.id = m.taxonomy_id
"""


def register(
    cursor: Cursor,
    taxonomy_id: int,
    *,
    architecture: str,
    path: str,
    sha256: str,
    labels: tuple[str, ...],
    manifest: bytes,
) -> int:
    """The number of a model, noted on first sight: the same artefact again is the same model."""
    cursor.execute(
        """
        INSERT INTO models (taxonomy_id, architecture, artefact_path, artefact_sha, labels, manifest)
        VALUES (%s, %s, %s, decode(%s, 'hex'), %s, %s) ON CONFLICT (artefact_sha) DO NOTHING
        """,
        (taxonomy_id, architecture, path, sha256, list(labels), manifest.decode()),
    )
    cursor.execute("SELECT id FROM models WHERE artefact_sha = decode(%s, 'hex')", (sha256,))
    return returned(cursor)


def get(cursor: Cursor, model_id: int) -> Model | None:
    """A model by its number."""
    cursor.execute(f"{_SELECT} WHERE m.id = %s", (model_id,))
    return first_of(cursor, Model)


def manifest(cursor: Cursor, model_id: int) -> bytes:
    """The manifest of a model that is there, as JSON."""
    cursor.execute("SELECT manifest::text FROM models WHERE id = %s", (model_id,))
    return (first_value(cursor, str) or "{}").encode()


def of_taxonomy(cursor: Cursor, name: str) -> list[Model]:
    """All models for any version of a taxonomy, newest first."""
    cursor.execute(f"{_SELECT} WHERE t.name = %s ORDER BY m.id DESC", (name,))
    return all_of(cursor, Model)
