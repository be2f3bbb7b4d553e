"""The database that a command works on: the server's, or one in a folder that `otzyv label --store` has made.

Some commands need one only for what was registered there, and do without where none answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from scripts.command.console import remark
from scripts.command.progress import phase
from scripts.language.language import Sentence, translated
from shared.catalogue import STAGES
from shared.errors import ConfigurationError, OtzyvError
from shared.runtime import runtime
from shared.runtime.runtime import Runtime
from shared.settings import Settings
from shared.store.postgres import schema
from shared.store.postgres.embedded import embedded_server

NO_SERVER: Final = Sentence(
    "its model would be in a database, and none answers here; name a folder with --store, or a server with "
    "OTZYV_DATABASE_URL"
)


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
    with started(store) as url:
        chosen = settings.model_copy(update={"database_url": url, "models": models_in(store, settings)})
        database = runtime.open_database(chosen, application)
        schema.upgrade(database, tell=lambda sentence: remark(translated("note"), sentence))
        yield runtime.build(chosen, database)
        database.close()


@contextmanager
def started(folder: Path) -> Iterator[str]:
    """The URL of a PostgreSQL of the folder's own. That it starts, which takes seconds, is told."""
    with ExitStack() as servers:
        with phase(translated("starting PostgreSQL")):
            url = servers.enter_context(embedded_server(folder))
        yield url


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
            named = settings.database_url != Settings.model_fields["database_url"].default
            why = error if named else NO_SERVER
            told = translated("{stages}, which rests: {why}", stages=", ".join(registered), why=why)
            remark(translated("left out"), told)
    yield here
