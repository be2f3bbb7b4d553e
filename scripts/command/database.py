"""The database that a command works on: the server's, or one in a folder that `otzyv label --store` has made.

Some commands need one only for what was registered there, and do without where none answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from scripts.command.console import remark
from scripts.language.language import translated
from shared.catalogue import STAGES
from shared.errors import ConfigurationError, OtzyvError
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
        chosen = settings.model_copy(update={"database_url": url, "models": models_in(store, settings)})
        database = runtime.open_database(chosen, application)
        schema.upgrade(database, tell=lambda sentence: remark(translated("note"), sentence))
        yield runtime.build(chosen, database)
        database.close()


def models_in(store: Path, settings: Settings) -> str:
    """The folder of the models of a store. A URL stays what it is."""
    return settings.models if "://" in settings.models else str(store / "models")


@contextmanager
def opened_for(
    stages: Sequence[str], settings: Settings, store: Path | None, application: str
) -> Iterator[Runtime | None]:
    """A runtime for those of the stages whose model is registered in a database, and for no other purpose.

    None where no stage has one, or the server does not answer, which is told.
    """
    registered = [name for name in stages if STAGES[name].may_rest]
    if store is not None:
        with opened(settings, store, application) as there:
            yield there
        return
    here: Runtime | None = None
    if registered:
        try:
            here = runtime.build(settings.hasty)
        except OtzyvError as error:
            remark(translated("left out"), f"{', '.join(registered)}: {error}")
    yield here
