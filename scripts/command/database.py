"""The database that a command works on: the server's, or one in a folder that `otzyv label --store` has made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import ConfigurationError
from shared.runtime import runtime
from shared.runtime.runtime import Runtime
from shared.settings import Settings
from shared.store.postgres import schema
from shared.store.postgres.embedded import embedded_server


@contextmanager
def opened(settings: Settings, store: Path | None, application: str) -> Iterator[Runtime]:
    """A runtime over it. Its settings name the database, for other processes."""
    if store is None:
        yield runtime.build(settings)
        return
    if not (store / "postgres").is_dir():
        raise ConfigurationError(
            f"--store: expected a folder that `otzyv label --store` has made, found none at {store}; label a file first"
        )
    with embedded_server(store) as url:
        chosen = settings.model_copy(update={"database_url": url})
        database = runtime.open_database(chosen, application)
        schema.upgrade(database)
        yield runtime.build(chosen, database)
        database.close()
