"""Who may do what in the database: one table, brought into force after every migration.

The roles belong to the whole server, and may be used by several databases of it. They own nothing but the migrator,
which owns the tables where a superuser has made them; another user who made them stays their owner. Nobody else can
drop, truncate, alter or create anything. Histories are written by triggers with their owner's rights.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import product
from typing import Final, get_args

import psycopg2.errors
from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.extensions import encrypt_password

from shared.settings import DatabaseRole

ROLES: Final[tuple[DatabaseRole, ...]] = get_args(DatabaseRole)
GRANTED: Final[tuple[DatabaseRole, ...]] = ("worker", "trainer", "operator", "reader")

# S select, I insert, U update, D delete; in brackets the only columns, or with a minus the ones left out.
# `ON CONFLICT DO UPDATE` and `FOR UPDATE` need an update right, on one column at least.
RIGHTS: Final[Mapping[str, tuple[str, str, str, str]]] = {
    # name                  worker              trainer         operator        reader
    "alembic_version":      ("S",               "S",            "S",            "S"),
    "taxonomies":           ("S I U(name)",     "S I U(name)",  "S I U(name)",  "S"),
    "batches":              ("S I U",           "",             "S",            "S"),
    "batch_messages":       ("S I",             "",             "S",            "S"),
    "streams":              ("S I U",           "",             "S",            "S"),
    "reviews":              ("S I U",           "S",            "S U(batch_id)", "S"),
    "reviews_id_seq":       ("USAGE",           "",             "",             ""),
    "review_history":       ("S(review_id, text_sha, received_at)", "S", "S",         "S"),
    "waiting":              ("S I U D",         "",             "S I U D",      "S"),
    "judges":               ("S I",             "",             "S",            "S"),
    "verdicts":             ("S I U",           "",             "S",            "S"),
    "all_verdicts":         ("S",               "",             "S",            "S"),
    "withheld":             ("S I U D",         "S",            "S",            "S"),
    "asked":                ("S I U D",         "S",            "S",            "S"),
    "labels":               ("S I U D",         "S",            "S I U D",      "S"),
    "label_history":        ("",                "",             "S",            "S"),
    "failures":             ("S(-payload) I",   "",             "S D",          "S(-payload)"),
    "labelled_reviews":     ("S",               "",             "S",            "S"),
    "threshold_versions":   ("S",               "",             "S I",          "S"),
    "thresholds":           ("S",               "",             "S I",          "S"),
    "llm_answers":          ("S I",             "",             "S I",          "S"),
    "llm_usage":            ("S I U",           "",             "S I U",        "S"),
    "gold":                 ("S",               "S",            "S I U",        "S"),
    "audits":               ("S",               "S",            "S I",          "S"),
    "audit_items":          ("S",               "S",            "S I U",        "S"),
    "models":               ("S",               "S I",          "S I",          "S"),
    "artefact_parts":       ("S",               "S I",          "S I D",        "S"),
    "model_aliases":        ("S",               "S I",          "S I",          "S"),
    "predictions":          ("S I U",           "",             "S",            "S"),
    "awaiting_prediction":  ("S I U D",         "",             "S I U",        "S"),
    "predicted_reviews":    ("S",               "",             "S",            "S"),
    "quality":              ("S I U D",         "",             "S I U D",      "S"),
    "alarms":               ("S I",             "",             "S I",          "S"),
    "waits":                ("S I U D",         "S I U D",      "S",            "S"),
    "backfills":            ("S",               "",             "S I",          "S"),
    "backfill_parts":       ("S U",             "",             "S I U",        "S"),
    "training_snapshots":   ("S I U(sha)",      "S I U(sha)",   "S I U(sha)",   "S"),
    "training_runs":        ("S I",             "S I U",        "S I U",        "S"),
    "training_metrics":     ("S",               "S I U",        "S",            "S"),
    "training_experiments": ("USAGE",           "USAGE",        "USAGE",        ""),
}  # fmt: skip
"""Tables, views and sequences, with the rights of each role."""

FUNCTIONS: Final = ("keep_review_history()", "keep_label_history()", "refuse_change()")

_LETTERS: Final = {"S": "SELECT", "I": "INSERT", "U": "UPDATE", "D": "DELETE"}
_RIGHT: Final = re.compile(r"(?P<usage>USAGE)|(?P<letter>[SIUD])(?:\((?P<minus>-?)(?P<columns>[a-z_, ]+)\))?")
_TRIES: Final = 20
_SHOWN: Final = 10

Right = tuple[str, str]
"""The column, or nothing for the whole relation, and the privilege."""


def role(name: DatabaseRole) -> str:
    """A role as the server knows it."""
    return f"otzyv_{name}"


def rights(written: str, columns: Iterable[str]) -> set[Right]:
    """What a cell of the table says about a relation with these columns."""
    found: set[Right] = set()
    for one in _RIGHT.finditer(written):
        if one["usage"]:
            found.add(("", "USAGE"))
        elif one["columns"] is None:
            found.add(("", _LETTERS[one["letter"]]))
        else:
            named = set(one["columns"].replace(" ", "").split(","))
            chosen = set(columns) - named if one["minus"] else named
            found.update((column, _LETTERS[one["letter"]]) for column in chosen)
    return found


def apply(connection: Connection, logins: Mapping[DatabaseRole, str]) -> list[str]:
    """Create the roles that are missing, give each its rights and take others away, let those in `logins` log in.

    Where all is as it should be nothing is written. Returns the statements that this user had no right to run.
    """
    with connection.cursor() as cursor:
        statements = _Statements(cursor)
        for name in ROLES:
            if not _exists(cursor, name):
                statements.run(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role(name))))
        present = [name for name in ROLES if _exists(cursor, name)]
        _open_database(cursor, statements, present)
        if "migrator" in present:
            _hand_over(cursor, statements)
        _grant(cursor, statements, [name for name in GRANTED if name in present])
        connection.commit()
        for name in present:
            if name in logins:
                _let_in(connection, statements, name, logins[name])
    connection.commit()
    return statements.refused


class _Statements:
    """Statements that may be refused, each on its own."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self.refused: list[str] = []

    def run(self, statement: sql.Composable, shown: str = "") -> None:
        """Run one; `shown` is how it is told instead where it is refused."""
        self._cursor.execute("SAVEPOINT statement")
        try:
            self._cursor.execute(statement)
        except psycopg2.errors.InsufficientPrivilege:
            self.refused.append(shown or statement.as_string(self._cursor))
            self._cursor.execute("ROLLBACK TO SAVEPOINT statement")
        except (psycopg2.errors.DuplicateObject, psycopg2.errors.UniqueViolation):
            # Roles are the whole server's: an upgrade of another database has just made it.
            self._cursor.execute("ROLLBACK TO SAVEPOINT statement")


def _exists(cursor: Cursor, name: DatabaseRole) -> bool:
    cursor.execute("SELECT FROM pg_roles WHERE rolname = %s", (role(name),))
    return cursor.fetchone() is not None


def _open_database(cursor: Cursor, statements: _Statements, present: Iterable[DatabaseRole]) -> None:
    """Let the roles connect and see the schema."""
    for name in present:
        cursor.execute(
            """
            SELECT granted, thing FROM (VALUES
                ('CONNECT ON DATABASE', current_database(),
                    has_database_privilege(%(role)s, current_database(), 'CONNECT')),
                ('USAGE ON SCHEMA', current_schema(), has_schema_privilege(%(role)s, current_schema(), 'USAGE')),
                ('CREATE ON SCHEMA', current_schema(),
                    NOT %(creates)s OR has_schema_privilege(%(role)s, current_schema(), 'CREATE')))
            AS needed (granted, thing, there) WHERE NOT there
            """,
            {"role": role(name), "creates": name == "migrator"},
        )
        for granted, thing in cursor.fetchall():
            statement = sql.SQL(f"GRANT {granted} {{}} TO {{}}")
            statements.run(statement.format(sql.Identifier(thing), sql.Identifier(role(name))))


def _hand_over(cursor: Cursor, statements: _Statements) -> None:
    """What a superuser has made goes to the migrator: functions that run as their owner are no superuser's then.

    The sequence of an identity column goes with its table.
    """
    cursor.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    if not cursor.fetchall()[0][0]:
        return
    cursor.execute(
        """
        SELECT 'TABLE', oid::regclass::text FROM pg_class c WHERE relnamespace = current_schema()::regnamespace
          AND relname = ANY(%s) AND relowner = current_user::regrole
          AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'i')
        UNION ALL SELECT 'FUNCTION', oid::regprocedure::text FROM pg_proc
        WHERE pronamespace = current_schema()::regnamespace AND oid::regprocedure::text = ANY(%s)
          AND proowner = current_user::regrole
        """,
        (list(RIGHTS), list(FUNCTIONS)),
    )
    migrator = sql.Identifier(role("migrator"))
    for kind, name in cursor.fetchall():
        # The server has quoted the name where that is needed.
        statements.run(sql.SQL(f"ALTER {kind} {name} OWNER TO {{}}").format(migrator))


def held(cursor: Cursor) -> dict[tuple[str, str], set[Right]]:
    """The rights that our roles have been granted on relations of the schema, by relation and role."""
    cursor.execute(
        """
        SELECT y.relation, r.rolname, y.name, x.privilege_type
        FROM (SELECT relname AS relation, ''::name AS name, relacl AS acl FROM pg_class
              WHERE relnamespace = current_schema()::regnamespace
              UNION ALL SELECT c.relname, a.attname, a.attacl FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
              WHERE c.relnamespace = current_schema()::regnamespace AND a.attacl IS NOT NULL) y,
            aclexplode(y.acl) x JOIN pg_roles r ON r.oid = x.grantee
        WHERE r.rolname = ANY(%s)
        """,
        ([role(name) for name in GRANTED],),
    )
    found: dict[tuple[str, str], set[Right]] = {}
    for relation, grantee, column, privilege in cursor.fetchall():
        found.setdefault((relation, grantee), set()).add((column, privilege))
    return found


def _grant(cursor: Cursor, statements: _Statements, names: list[DatabaseRole]) -> None:
    now = held(cursor)
    cursor.execute(
        """
        SELECT c.relname, CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, array(
            SELECT attname::text FROM pg_attribute
            WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum)
        FROM pg_class c
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = ANY(%s) ORDER BY c.relname
        """,
        (list(RIGHTS),),
    )
    for (relation, kind, columns), name in product(cursor.fetchall(), names):
        wanted = rights(RIGHTS[relation][GRANTED.index(name)], columns)
        if now.get((relation, role(name)), set()) == wanted:
            continue
        on = (sql.SQL(kind), sql.Identifier(relation), sql.Identifier(role(name)))
        statements.run(sql.SQL("REVOKE ALL ON {} {} FROM {}").format(*on))
        what = sql.SQL(", ").join(
            sql.SQL(privilege) + (sql.SQL(" ({})").format(sql.Identifier(column)) if column else sql.SQL(""))
            for column, privilege in sorted(wanted)
        )
        if wanted:
            statements.run(sql.SQL("GRANT {} ON {} {} TO {}").format(what, *on))


def _let_in(connection: Connection, statements: _Statements, name: DatabaseRole, password: str) -> None:
    """Give a role its password, hashed here: the server's log never shows it."""
    hashed = encrypt_password(password, role(name), connection)
    statement = sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(
        sql.Identifier(role(name)), sql.Literal(hashed)
    )
    for attempt in range(_TRIES):
        try:
            statements.run(statement, f"ALTER ROLE {role(name)} LOGIN PASSWORD '...'")
            connection.commit()
        except psycopg2.errors.InternalError_:
            # "tuple concurrently updated": an upgrade of another database sets the same password.
            connection.rollback()
            if attempt == _TRIES - 1:
                raise
        else:
            return


def sentence(refused: list[str], user: str) -> str:
    """What an administrator has to run."""
    shown = "; ".join(refused[:_SHOWN])
    more = f"; and {len(refused) - _SHOWN} more" if len(refused) > _SHOWN else ""
    return (
        f"database roles: expected the right to make them and to grant them theirs, found that {user} has not all of "
        f"it; an administrator runs `{shown}`{more}, and then somebody `otzyv db upgrade` once more"
    )
