"""The versions that the schema can have, by the migrations that this Otzyv has."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from shared.errors import SchemaError


@cache
def versions() -> tuple[str, ...]:
    """All versions, the newest last, by the names of the migrations' files."""
    names = (path.name for path in (files("shared.store") / "migrations" / "versions").iterdir())
    return tuple(sorted(found[0] for name in names if (found := re.match(r"\d{4}(?=_\w+\.py$)", name))))


def refuse_unknown(current: str | None) -> None:
    """Raises SchemaError for a version that this Otzyv has no migration of; None stands for no tables."""
    if current is not None and current not in versions():
        raise SchemaError(
            f"database schema: expected a version of this Otzyv ({', '.join(versions())}), found {current}; "
            "install the newer Otzyv that made it"
        )
