"""Which model is champion and which is challenger: the newest row of a history that only grows."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec
from psycopg2.extensions import cursor as Cursor

from shared.errors import ModelError
from shared.quality.alias import Alias
from shared.store.postgres.fetched import all_of, first_column

Action = Literal["promote", "rollback", "withdraw"]


class Move(msgspec.Struct, frozen=True):
    """One change of an alias: who or what moved it, from which model to which, why. None is no model."""

    id: int
    alias: Alias
    action: Action
    model_id: int | None
    previous_id: int | None
    moved_by: str
    reason: str
    at: datetime


def current(cursor: Cursor, taxonomy: str) -> dict[str, int]:
    """The models that have an alias now."""
    cursor.execute(
        """
        SELECT DISTINCT ON (alias) alias, model_id FROM model_aliases WHERE taxonomy = %s ORDER BY alias, id DESC
        """,
        (taxonomy,),
    )
    return {alias: model_id for alias, model_id in cursor.fetchall() if model_id is not None}


def champion(cursor: Cursor, taxonomy: str, otherwise: str) -> int:
    """The model that serves. Raises ModelError, with the sentence `otherwise`, where none does."""
    number = current(cursor, taxonomy).get("champion")
    if number is None:
        raise ModelError(otherwise)
    return number


def taxonomies(cursor: Cursor) -> list[str]:
    """The names of all taxonomies for which a model ever served."""
    cursor.execute("SELECT DISTINCT taxonomy FROM model_aliases ORDER BY 1")
    return first_column(cursor)


def lock(cursor: Cursor, taxonomy: str) -> None:
    """Let one transaction at a time move the aliases of a taxonomy."""
    cursor.execute("SELECT pg_advisory_xact_lock(hashtext('model_aliases'), hashtext(%s))", (taxonomy,))


def move(
    cursor: Cursor,
    taxonomy: str,
    alias: Alias,
    model_id: int | None,
    action: Action,
    *,
    moved_by: str,
    reason: str = "",
) -> bool:
    """Give an alias to a model, or to none; False where it has it already. Call `lock` first."""
    previous = current(cursor, taxonomy).get(alias)
    if previous == model_id:
        return False
    cursor.execute(
        """
        INSERT INTO model_aliases (taxonomy, alias, action, model_id, previous_id, moved_by, reason)
        VALUES (%s, %s, %s, %s, %s, %s, %s)
        """,
        (taxonomy, alias, action, model_id, previous, moved_by, reason),
    )
    return True


def history(cursor: Cursor, taxonomy: str) -> list[Move]:
    """All moves of a taxonomy's aliases, oldest first."""
    cursor.execute(
        """
        SELECT id, alias, action, model_id, previous_id, moved_by, reason, at FROM model_aliases
        WHERE taxonomy = %s ORDER BY id
        """,
        (taxonomy,),
    )
    return all_of(cursor, Move)


def newest(cursor: Cursor, taxonomy: str, alias: Alias) -> Move | None:
    """The last move of an alias; None where it never had a model."""
    return next((move for move in reversed(history(cursor, taxonomy)) if move.alias == alias), None)


def champions(moves: list[Move]) -> list[int]:
    """The champions that a rollback goes back through, the present one last.

    A promotion adds one, a rollback takes the last away: two rollbacks lead two champions back, not to and fro. One
    that brings back who was withdrawn takes none. A champion that was withdrawn and promoted again is there once.
    """
    line: list[int] = []
    for step in moves:
        if step.alias != "champion":
            continue
        if step.action == "rollback" and line:
            if step.previous_id is not None:
                line.pop()
        elif step.model_id is not None and line[-1:] != [step.model_id]:
            line.append(step.model_id)
    return line
