"""Predictions for stored reviews by the models that serve now: read, predict, write, in two short transactions.

The same code serves the Celery task and tests; it knows no broker. Which model serves is looked up for every batch, so
that a promotion counts from the next batch on, and no batch is mixed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

import msgspec
import structlog

from shared.classifiers import Classifier, Location
from shared.errors import InvalidAnswer, ModelError, ModelUnavailable, OtzyvError
from shared.serving.loader import Loaded, Loader, fits
from shared.store import Database, aliases, awaiting, models, predictions
from shared.store.places import WaitingReview
from shared.store.predictions import Prediction
from shared.store.processes.waits import Waiting
from shared.text.masking import without_words

log = structlog.get_logger()

CHALLENGED_S: Final = 60.0
"""Seconds within which the next batch for a challenger is expected."""


PredictedRows = Mapping[int, Sequence[Prediction]]
"""Predictions by the number of the model that gave them."""


class ServingModels(msgspec.Struct, frozen=True):
    """Who predicts this moment; nobody where there is no champion, or none that can be loaded."""

    champion: Loaded | None = None
    challenger: Loaded | None = None


class AwaitedPredictions(msgspec.Struct, frozen=True):
    """Reviews that await a prediction as they were read at a moment of the monotonic clock, and who is to give it.

    `parked` is how many there were instead where nobody is.
    """

    waiting: list[WaitingReview]
    read_at: float
    serving: ServingModels = ServingModels()
    parked: int = 0

    @property
    def revisions(self) -> dict[int, int]:
        """Which text of each review was read."""
        return {row.review_id: row.revision for row in self.waiting}


class PredictionOutcome(msgspec.Struct, frozen=True):
    """What became of a batch: how many reviews got a prediction from which model, and how many wait for a champion.

    `after_s` are the seconds from the arrival of each review to its prediction.
    """

    predicted: int
    parked: int
    model_id: int | None
    after_s: list[float] = []


class Predictor:
    """Predicts reviews that await it, for one taxonomy of the database.

    `categories` are the taxonomy's slugs; a model for others does not serve it.
    """

    def __init__(
        self,
        database: Database,
        location: Location,
        taxonomy_id: int,
        taxonomy: str,
        categories: Sequence[str],
    ) -> None:
        self.database: Final = database
        self.taxonomy_id: Final = taxonomy_id
        self.taxonomy: Final = taxonomy
        self._categories = categories
        self._loader = Loader(database, location, taxonomy_id, categories)
        self._loaded: dict[str, Loaded] = {}
        self._challenging = Waiting(database, f"challenger of {taxonomy}")

    def run(self, review_ids: Sequence[int]) -> PredictionOutcome:
        """Predict those among `review_ids` that await it. Idempotent: the others are left alone.

        Without a champion they wait for one, without error; also while neither it nor any before it can be loaded.
        """
        return self.predict(self.read(review_ids))

    def read(self, review_ids: Sequence[int]) -> AwaitedPredictions:
        """The first half of `run`: who serves now, and which texts await it; all are parked if nobody does."""
        serving = self.serving()
        with self.database.transaction() as cursor:
            read_at = time.monotonic()
            if serving.champion is None:
                parked = awaiting.park(cursor, review_ids, self.taxonomy_id)
                return AwaitedPredictions([], read_at, parked=parked)
            waiting = awaiting.texts(cursor, review_ids, self.taxonomy_id)
        return AwaitedPredictions(waiting, read_at, serving)

    def serving(self) -> ServingModels:
        """Who serves now, loaded."""
        with self.database.transaction() as cursor:
            wanted = aliases.current(cursor, self.taxonomy)
        try:
            champion = self._champion(wanted.get("champion"))
            return ServingModels(champion, self._challenger(wanted.get("challenger")))
        except (ModelError, ModelUnavailable) as error:
            # Not tried again here: a sweep would take what is between two tries for lost, and send it once more.
            log.error("model.none_can_serve", error=str(error))  # noqa: TRY400
            return ServingModels()

    def predict(self, awaited: AwaitedPredictions) -> PredictionOutcome:
        """The second half: predictions of the champion, and of the challenger if it gives any, in one transaction."""
        waiting, champion = awaited.waiting, awaited.serving.champion
        if champion is None:
            return PredictionOutcome(0, awaited.parked, None)
        answers = self.answers(awaited.serving, waiting)
        with self.database.transaction() as cursor:
            settled = {row.review_id for row in awaiting.settle(cursor, waiting, self.taxonomy_id)}
            for model_id, rows in answers.items():
                predictions.write(cursor, [row for row in rows if row.review_id in settled], model_id)
        passed = time.monotonic() - awaited.read_at
        after_s = [row.age_s + passed for row in waiting if row.review_id in settled]
        return PredictionOutcome(len(settled), 0, champion.model_id, after_s)

    def answers(self, serving: ServingModels, rows: Sequence[WaitingReview]) -> PredictedRows:
        """What the champion says, and the challenger if it says anything. Nothing is written."""
        champion, challenger = serving.champion, serving.challenger
        answers = {} if champion is None else {champion.model_id: rows_of(champion.classifier, rows)}
        if challenger is not None:
            try:
                answers[challenger.model_id] = rows_of(challenger.classifier, rows)
                self._challenging.over()
            except Exception as error:  # noqa: BLE001  the champion's predictions must not be lost
                log.warning("model.challenger_failed", model_id=challenger.model_id, error=str(error))
                self._challenging.again(f"model {challenger.model_id}: {error}", CHALLENGED_S)
        return answers

    def revisions(self, review_ids: Sequence[int]) -> dict[int, int]:
        """Those of the reviews that await a prediction, with their revisions; no model is loaded."""
        with self.database.transaction() as cursor:
            waiting = awaiting.texts(cursor, review_ids, self.taxonomy_id)
        return {row.review_id: row.revision for row in waiting}

    def has_champion(self) -> bool:
        """Whether a model could serve now, by its registration."""
        with self.database.transaction() as cursor:
            number = aliases.current(cursor, self.taxonomy).get("champion")
            model = None if number is None else models.get(cursor, number)
        return model is not None and fits(model, self._categories)

    def _champion(self, number: int | None) -> Loaded | None:
        """The champion; where it cannot be loaded, the one that served before."""
        if number is None:
            return None
        known = self._loaded.get("champion")
        if known is not None and known.model_id == number:
            return known
        try:
            champion = self._load(number)
        except (ModelError, ModelUnavailable):
            earlier = known or self._earlier(number)
            if earlier is None:
                raise
            return earlier
        if champion is not None:
            self._loaded["champion"] = champion
            log.info("model.serves", model_id=number)
        return champion

    def _earlier(self, number: int) -> Loaded | None:
        """The last champion before this one that can be loaded; it serves until another can be."""
        with self.database.transaction() as cursor:
            line = aliases.champions(aliases.history(cursor, self.taxonomy))
        for earlier in reversed(line):
            with suppress(ModelError, ModelUnavailable):
                if earlier != number and (champion := self._load(earlier)) is not None:
                    self._loaded["champion"] = champion
                    log.warning("model.earlier_one_serves", wanted=number, serving=earlier)
                    return champion
        return None

    def _challenger(self, number: int | None) -> Loaded | None:
        """The challenger; one that cannot be loaded holds nobody up."""
        if number is None:
            self._loaded.pop("challenger", None)
            return None
        with suppress(OtzyvError):
            if (challenger := self._load(number)) is not None:
                self._loaded["challenger"] = challenger
                return challenger
        return None

    def _load(self, number: int) -> Loaded | None:
        """A model of those in memory, or from its artefact; None for one with other categories. Raises ModelError."""
        known = next((one for one in self._loaded.values() if one.model_id == number), None)
        return known or self._loader.load(number)


def rows_of(classifier: Classifier, waiting: Sequence[WaitingReview]) -> list[Prediction]:
    """What a classifier answers about reviews, as rows for the store in the same order."""
    labels, found = classifier.labels, classifier.predict([without_words(row.text) for row in waiting])
    columns, confidences = found.probabilities.argmax(axis=1), found.probabilities.max(axis=1)
    return [
        Prediction(
            row.review_id,
            row.revision,
            labels[column],
            min(1.0, float(confidence)),
            bool(truncated),
            shares,
        )
        for row, column, confidence, truncated, shares in zip(
            waiting, columns, confidences, found.truncated, found.probabilities.tolist(), strict=True
        )
    ]


def answered(classifier: Classifier, waiting: Sequence[WaitingReview]) -> tuple[list[Prediction], list[int]]:
    """Rows for all reviews that a classifier can answer, and the ids of the others."""
    try:
        return rows_of(classifier, waiting), []
    except InvalidAnswer:
        if len(waiting) == 1:
            return [], [waiting[0].review_id]
    middle = len(waiting) // 2
    (rows, failed), (more, others) = (
        answered(classifier, half) for half in (waiting[:middle], waiting[middle:])
    )
    return rows + more, failed + others
