"""Settings that a session of PostgreSQL begins with, also where a pooler between drops what libpq sends as `options`.

PgBouncer takes no `options`: it refuses the connection, or with `ignore_startup_parameters = options` drops them in
silence. Then every transaction sets them for itself; for the session would reach whoever uses the server's end next.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from psycopg2.extensions import cursor as Cursor

# Any name with a dot may be set by anybody: what the session has of it tells whether the options have arrived.
_MARK: Final = "otzyv.options"
_SETTING: Final = re.compile(r"(?:-c\s*|--)([\w.]+)=((?:\\.|\S)+)")


class SessionOptions:
    """Settings such as `jit=off`, over `given`, which is the text of libpq's parameter `options`."""

    def __init__(self, settings: Iterable[str], given: str = "") -> None:
        self.text: Final = " -c ".join([given, *settings, f"{_MARK}=arrived"]).strip()
        """What libpq is to send."""
        self._settings = {name: re.sub(r"\\(.)", r"\1", value) for name, value in _SETTING.findall(self.text)}

    def have_arrived(self, cursor: Cursor) -> bool:
        """Whether the server was told them when the connection was made."""
        cursor.execute("SELECT current_setting(%s, true)", (_MARK,))
        row = cursor.fetchone()
        return row is not None and bool(row[0])

    def set_here(self, cursor: Cursor) -> None:
        """Set them for the transaction that is under way."""
        names, values = list(self._settings), list(self._settings.values())
        cursor.execute(
            "SELECT set_config(name, value, true) FROM unnest(%s, %s) AS s (name, value)", (names, values)
        )
