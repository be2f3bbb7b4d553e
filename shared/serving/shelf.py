"""A folder with copies of models whose files PostgreSQL keeps: what is missing or damaged here comes from there.

So processes that share a database share its models, wherever each was started. A URL is a place that all of them reach;
there nothing is copied.
"""

from __future__ import annotations

import os
import shlex
import tempfile
from contextlib import suppress
from pathlib import Path

import structlog
from psycopg2.extensions import cursor as Cursor

from shared.classifiers import Artefact, Location
from shared.classifiers import manifest as manifests
from shared.errors import ModelError, ModelUnavailable
from shared.store import Database
from shared.store.processes import artefacts

log = structlog.get_logger()


class Shelf(Location):
    """A folder over a database. What is written is in the folder alone, until the model is registered."""

    def __init__(self, database: Database, folder: str) -> None:
        super().__init__(folder)
        self._database = database

    def read(self, path: str) -> bytes:
        """The content of a file: the copy here, or what the database has. Raises ModelError where neither has it."""
        try:
            return super().read(path)
        except (ModelError, ModelUnavailable) as error:
            content = self.original(path)
            if content is None:
                raise type(error)(f"{error}; {self._remedy(path)}") from error
            return content

    def size(self, path: str) -> int:
        """That of what the database has, or else of the copy here."""
        artefact, name = split(path)
        with self._database.transaction() as cursor:
            kept = artefacts.size(cursor, artefact, name)
        try:
            return super().size(path) if kept is None else kept
        except (ModelError, ModelUnavailable) as error:
            raise type(error)(f"{error}; {self._remedy(path)}") from error

    def _remedy(self, path: str) -> str:
        """The command, as it is to be typed, that puts the files of a model into the database."""
        with self._database.transaction() as cursor:
            number = artefacts.model_of(cursor, split(path)[0])
        here = Path(self.url)
        command = f"`otzyv models keep {number or 'NUMBER'} --folder FOLDER`"
        # What `otzyv label --store` has made has both below it.
        if (here.parent / "postgres").is_dir():
            place = shlex.quote(str(here.parent))
            command = f"`otzyv models keep {number or 'NUMBER'} --folder FOLDER --store {place}`"
        return (
            f"the database keeps no such file either: {command} puts it there, where FOLDER is the one that has the "
            "model's files: OTZYV_MODELS of the Otzyv that wrote it"
        )

    def original(self, path: str) -> bytes | None:
        """What the database has, which replaces the copy here."""
        artefact, name = split(path)
        with self._database.transaction() as cursor:
            content = artefacts.read(cursor, artefact, name)
        if content is not None:
            log.info("model.copied", file=path, bytes=len(content))
            try:
                self.write(path, content)
            except ModelError as error:
                log.warning("model.copy_not_written", error=str(error))
        return content

    def write(self, path: str, content: bytes) -> None:
        """Create or replace a file, which is there whole or not at all. Raises ModelError."""
        target = Path(self.url) / path
        unfinished = None
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, unfinished = tempfile.mkstemp(dir=target.parent, prefix=".")
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(unfinished).chmod(0o644)
            Path(unfinished).replace(target)
        except OSError as error:
            if unfinished is not None:
                with suppress(OSError):
                    Path(unfinished).unlink()
            raise ModelError(
                f"{self.url}: expected a folder that can be written, found: {error.strerror}; name another with "
                "OTZYV_MODELS"
            ) from error

    def keep(self, cursor: Cursor, number: int, artefact: Artefact) -> None:
        """Put an artefact, each file checked, into the database, as that of the model with this number."""
        for name in artefact.manifest.files:
            artefacts.write(cursor, number, {name: artefact.read(name)})
        artefacts.write(cursor, number, {manifests.NAME: artefact.document})


def split(path: str) -> tuple[str, str]:
    """A file's path below the place as that of its artefact, and its name there."""
    taxonomy, folder, name = path.split("/", 2)
    return f"{taxonomy}/{folder}", name


def place_of_models(database: Database, models: str) -> Location:
    """The place that the setting `models` names: a URL as it is, a folder over the database."""
    return Location(models) if "://" in models else Shelf(database, models)
