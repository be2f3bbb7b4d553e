"""Many rows in one statement: they go to PostgreSQL as a JSON array, which `json_to_recordset` reads as a table.

For rows that may be there already; new ones are copied in, see `copying`. Measured against COPY into a temporary table,
and against arrays: cheaper on both sides, and nothing to clean up. Ids alone go as the text of an array: the driver's
own way makes a constant of each, which the server has to parse.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

_encode = msgspec.json.Encoder().encode


def recordset(rows: Sequence[msgspec.Struct | Mapping[str, object]]) -> str:
    """The rows as a parameter for `json_to_recordset(%s)`; its columns are named like the fields, or keys."""
    return _encode(rows).decode()


def array(numbers: Iterable[int]) -> str:
    """Whole numbers as a parameter for `%s::bigint[]` or `%s::integer[]`."""
    return "{" + ",".join(map(str, numbers)) + "}"
