"""Registered models loaded out of their artefacts, for one taxonomy. A damaged one is tried again after a minute."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
import structlog

from shared.classifiers import Artefact, Classifier, Location
from shared.errors import ModelError, ModelUnavailable
from shared.store import Database, models
from shared.store.models import Model
from shared.store.processes.waits import Waiting

log = structlog.get_logger()

RETRY_S: Final = 60.0
"""Seconds before a model that could not be loaded is tried again."""
AWAY_S: Final = 5.0
"""The same where only the place of its files did not answer."""


class Loaded(msgspec.Struct, frozen=True):
    """A model in memory."""

    model_id: int
    classifier: Classifier


def fits(model: Model, categories: Iterable[str]) -> bool:
    """Whether a model is one for these categories."""
    return sorted(model.labels) == sorted(categories)


def waiting(database: Database, location: Location, number: int) -> Waiting:
    """For a model, by all processes that read the same place: the first that loads it ends the wait of all."""
    what = f"model {number}"
    return Waiting(database, what, key=f"{socket.gethostname()} {location.url} {what}")


class Loader:
    """Loads models for one taxonomy, whose slugs are `categories`; a model for others is none for it."""

    def __init__(
        self,
        database: Database,
        location: Location,
        taxonomy_id: int,
        categories: Sequence[str],
    ) -> None:
        self._database = database
        self._location = location
        self._taxonomy_id = taxonomy_id
        self._categories = categories
        self._clock = time.monotonic
        self._refused: dict[int, tuple[float, ModelError | ModelUnavailable]] = {}

    def refusal(self, number: int) -> ModelError | ModelUnavailable | None:
        """Why a model could not be loaded a moment ago; None where it could, or nobody has tried."""
        refused = self._refused.get(number)
        return refused[1] if refused is not None and self._clock() < refused[0] else None

    def load(self, number: int) -> Loaded | None:
        """A model from its artefact; None for one with other categories. Raises ModelError and ModelUnavailable."""
        if (refused := self.refusal(number)) is not None:
            raise refused
        with self._database.transaction() as cursor:
            model = models.get(cursor, number)
        if model is None or not fits(model, self._categories):
            log.warning("model.has_other_categories", model_id=number, taxonomy_id=self._taxonomy_id)
            return None
        try:
            classifier = Artefact(self._location, model.path, model.sha256).classifier()
        except (ModelError, ModelUnavailable) as error:
            # Now and then, not for every batch.
            log.error("model.cannot_be_loaded", model_id=number, error=str(error))  # noqa: TRY400
            pause = AWAY_S if isinstance(error, ModelUnavailable) else RETRY_S
            self._refused[number] = self._clock() + pause, error
            waiting(self._database, self._location, number).again(error, pause)
            raise
        self._refused.pop(number, None)
        waiting(self._database, self._location, number).over(certainly=True)
        return Loaded(number, classifier)
