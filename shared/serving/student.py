"""The stage `student`: a classifier that was trained on the labels of dearer stages judges what they need not see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import structlog
from psycopg2.extensions import cursor as Cursor

from shared.cascade.stage import Answer, Stage, Verdict
from shared.catalogue import STUDENT
from shared.classifiers import Classifier
from shared.compute.arrays import Float32s
from shared.errors import InvalidAnswer, ModelError
from shared.serving.loader import Loaded, Loader
from shared.serving.standing import Standing, judge_of
from shared.store import Database

log = structlog.get_logger()

OTHERS: Final = 2
"""Further categories that a verdict's evidence names."""


class StudentStage:
    """Implements `shared.cascade.stage.Stage`. The confidence is the classifier's probability of its category."""

    name: Final = STUDENT
    default_threshold: Final = None
    """Nothing is kept before a gold set has certified it, or a person has set a threshold."""

    def __init__(self, classifier: Classifier, model: str) -> None:
        self.model: Final = model
        self._classifier = classifier

    def answers(self, texts: Sequence[str]) -> list[Answer]:
        """One verdict per text; a text whose answer is no number has that as its error."""
        if not texts:
            return []
        try:
            found = self._classifier.predict(texts).probabilities
        except InvalidAnswer as error:
            if len(texts) == 1:
                return [Answer(error=error)]
            middle = len(texts) // 2
            return self.answers(texts[:middle]) + self.answers(texts[middle:])
        return [Answer(verdict) for verdict in verdicts_of(self._classifier.labels, found)]


def verdicts_of(labels: Sequence[str], probabilities: Float32s) -> list[Verdict]:
    """The likeliest category of each row of probabilities, shape [n, k]; the next ones are the evidence."""
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, : 1 + OTHERS]
    shares = np.minimum(np.take_along_axis(probabilities, order, axis=1), 1.0).tolist()
    return [
        Verdict(
            labels[first], sure, {labels[at]: round(share, 3) for at, share in zip(rest, others, strict=True)}
        )
        for (first, *rest), (sure, *others) in zip(order.tolist(), shares, strict=True)
    ]


class Student:
    """Implements `shared.cascade.stage.StageSource` over the register: a promotion counts from the next batch on.

    `standing` and `candidate` say who judges, from a cursor.
    """

    def __init__(
        self,
        database: Database,
        loader: Loader,
        standing: Callable[[Cursor], Standing],
        candidate: Callable[[Cursor], Standing],
    ) -> None:
        self._database = database
        self._loader = loader
        self._standing = standing
        self._candidate = candidate
        self._loaded: Loaded | None = None
        self._told = ""

    def now(self) -> Stage | None:
        """The stage with the model that may judge. One whose files are damaged rests. Raises ModelUnavailable."""
        return self._stage(self._told_once(self._found(self._standing)))

    def candidate(self) -> Stage | None:
        """The stage with the model that the register names. Raises ModelError and ModelUnavailable."""
        found = self._found(self._candidate)
        if found.model is None:
            self._told_once(found)
            return None
        return StudentStage(self._in_memory(found.model.id).classifier, judge_of(found.model))

    def rests(self) -> bool:
        """Whether nobody judges, or the files of who should were found damaged by this process a moment ago."""
        model = self._found(self._standing).model
        return model is None or isinstance(self._loader.refusal(model.id), ModelError)

    def _found(self, look: Callable[[Cursor], Standing]) -> Standing:
        with self._database.transaction() as cursor:
            return look(cursor)

    def _told_once(self, found: Standing) -> Standing:
        """A line in the log when the standing changes, not for every batch."""
        if str(found) != self._told:
            self._told = str(found)
            log.info("student.standing", says=self._told)
        return found

    def _stage(self, found: Standing) -> Stage | None:
        if found.model is None:
            return None
        try:
            return StudentStage(self._in_memory(found.model.id).classifier, judge_of(found.model))
        except ModelError as error:
            log.warning("student.rests", model_id=found.model.id, error=str(error))
            return None

    def _in_memory(self, number: int) -> Loaded:
        if self._loaded is None or self._loaded.model_id != number:
            loaded = self._loader.load(number)
            if loaded is None:
                raise ModelError(f"model {number}: expected one for the taxonomy's categories, found another")
            self._loaded = loaded
        return self._loaded
