"""Judging before storing: what the stages at hand say of reviews that are on their way in.

Most reviews are settled by the first stage. Judgement before they are stored, they need no place in line, no message of
their own and no second look at their text. What is written of it is in `intake`.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import msgspec
import structlog
from msgspec.structs import replace
from psycopg2.extensions import cursor as Cursor

from shared.cascade.rule import StageRule
from shared.cascade.stage import Stage
from shared.errors import OtzyvError
from shared.labelling.labeller import Labeller
from shared.labelling.opinion import (
    StageCounts,
    StageOpinion,
    guess_key,
    labels_for_people,
    weighed,
)
from shared.serving.predictor import PredictedRows, Predictor, ServingModels
from shared.store import labels, places, predictions, verdicts
from shared.store import withheld as held_back
from shared.store.judged import judges
from shared.store.judged.judges import StageModel
from shared.store.labels import Label
from shared.store.places import WaitingReview
from shared.store.verdicts import Guess
from shared.text.masking import without_words

log = structlog.get_logger()


class StagesPresent(msgspec.Struct, frozen=True):
    """Who can judge this moment: stages at hand, from the first on.

    `then` is the stage for which those wait of whom none of them is sure; None where that is a person. `serving` are
    the models that predict, None where nobody asked for predictions.
    """

    stages: list[Stage]
    then: str | None
    serving: ServingModels | None


class Bench(msgspec.Struct, frozen=True):
    """Who judges, each stage with its rule; `numbers` are those of the stages with their models."""

    judges: list[tuple[Stage, StageRule]]
    then: str | None
    serving: ServingModels | None
    numbers: Mapping[StageModel, int]


class Judgement(msgspec.Struct, frozen=True):
    """What was said of reviews, by the numbers under which they will be stored.

    `opinions` are the stages' own, `numbers` those of the stages with their models; `waits` says for which stage a
    review waits that has no label, `withhold` which share of the student's labels was withheld. `answers` are
    predictions by model, None where nobody predicted.
    """

    labels: list[Label]
    opinions: list[tuple[Stage, StageOpinion]]
    waits: Mapping[int, str]
    then: str | None
    withhold: float
    judged_at: float
    numbers: Mapping[StageModel, int] = {}
    serving: ServingModels | None = None
    answers: PredictedRows | None = None

    def of(self, new: Collection[int]) -> Judgement:
        """The same of those of the reviews alone that are new: only of them anything is written."""
        if len(new) == len(self.labels) + len(self.waits):
            return self
        answers = self.answers or {}
        return replace(
            self,
            labels=[row for row in self.labels if row.review_id in new],
            opinions=[(stage, found.of(new)) for stage, found in self.opinions],
            waits={review_id: stage for review_id, stage in self.waits.items() if review_id in new},
            answers={model: [row for row in rows if row.review_id in new] for model, rows in answers.items()},
        )

    def counts(self) -> dict[str, StageCounts]:
        """What each stage did, by now."""
        passed, last = time.monotonic() - self.judged_at, len(self.opinions) - 1
        return {
            stage.name: found.counts(passed, is_last=at == last and self.then is None)
            for at, (stage, found) in enumerate(self.opinions)
        }

    def write(self, cursor: Cursor, taxonomy_id: int) -> None:
        """Write all that was said of reviews, which this transaction has stored."""
        for stage, found in self.opinions:
            if found.not_kept:
                judge = self.numbers[stage.name, stage.model]
                verdicts.add(cursor, found.not_kept, taxonomy_id, stage.name, judge)
            held_back.note(cursor, found.withheld, taxonomy_id, stage.name, stage.model, self.withhold)
        labels.add(cursor, self.labels, taxonomy_id, self.numbers)
        places.take(cursor, self.waits, taxonomy_id)
        for model_id, rows in (self.answers or {}).items():
            predictions.add(cursor, rows, model_id)


def unjudged(numbers: Iterable[int], stage: str) -> Judgement:
    """Of reviews of which nothing was said, which wait for a stage."""
    return Judgement([], [], dict.fromkeys(numbers, stage), stage, 0.0, time.monotonic())


class Judging:
    """The stages `at_hand` of a cascade, and a predictor where predictions are wanted."""

    def __init__(
        self, labeller: Labeller, at_hand: Collection[str], predictor: Predictor | None = None
    ) -> None:
        self._labeller: Final = labeller
        self.at_hand: Final = at_hand
        self._predictor: Final = predictor
        self._numbers: Final[dict[StageModel, int]] = {}

    def present(self) -> StagesPresent:
        """Who can judge now. A stage whose model is out of reach is left to its own queue, and all stages after it."""
        stages = []
        then: str | None = None
        for name in self._labeller.awake:
            stage = self.stage(name) if name in self.at_hand else None
            if stage is None:
                then = name
                break
            stages.append(stage)
        return StagesPresent(stages, then, None if self._predictor is None else self._predictor.serving())

    def bench(self, cursor: Cursor, present: StagesPresent) -> Bench:
        """Them with their present rules. Wants a transaction of its own, in which nothing else can fail."""
        rules = self._labeller.rules.currents(cursor, present.stages, self._labeller.awake)
        numbers = {
            (stage.name, stage.model): self._number(cursor, (stage.name, stage.model))
            for stage in present.stages
        }
        return Bench(list(zip(present.stages, rules, strict=True)), present.then, present.serving, numbers)

    def _number(self, cursor: Cursor, judge: StageModel) -> int:
        number = self._numbers.get(judge) or judges.find(cursor, judge)
        if number is None:
            # Remembered the next time: what is added now is lost where the transaction does not come to its end.
            return judges.add(cursor, judge)
        self._numbers[judge] = number
        return number

    def stage(self, name: str) -> Stage | None:
        """A stage as it judges now; None where nothing does, or it is out of reach."""
        try:
            return self._labeller.stage(name)
        except OtzyvError as error:
            log.warning("judging.without_stage", stage=name, error=str(error))
            return None

    def judge(self, bench: Bench, rows: Sequence[WaitingReview]) -> Judgement:
        """What the bench says of reviews. Raises whatever stands in the way: then nothing has been said of any."""
        began, labeller = time.monotonic(), self._labeller
        waits: dict[int, str] = {}
        accepted: list[Label] = []
        opinions: list[tuple[Stage, StageOpinion]] = []
        unsure = list(rows)
        for stage, rule in bench.judges:
            answers = stage.answers([without_words(row.text) for row in unsure])
            found = weighed(stage.name, rule, unsure, answers, labeller.taxonomy_id, labeller.withhold)
            opinions.append((stage, found))
            accepted += found.labels(stage.name, stage.model)
            waits.update(dict.fromkeys(found.late, stage.name))
            unsure = found.unsure
        if bench.then is None:
            accepted += labels_for_people(unsure, best_guesses(opinions, unsure))
        else:
            waits.update(dict.fromkeys((row.review_id for row in unsure), bench.then))
        answered = self.predicted(bench.serving, rows)
        return Judgement(
            accepted,
            opinions,
            waits,
            bench.then,
            labeller.withhold,
            began,
            bench.numbers,
            bench.serving,
            answered,
        )

    def predicted(self, serving: ServingModels | None, rows: Sequence[WaitingReview]) -> PredictedRows | None:
        """What the models that serve say; None where there is none, or it failed."""
        if self._predictor is None or serving is None or serving.champion is None:
            return None
        try:
            return self._predictor.answers(serving, rows)
        except Exception as error:  # noqa: BLE001  labels must not be lost over it; the tasks find out who is bad
            log.warning("judging.not_predicted", reviews=len(rows), error=f"{type(error).__name__}: {error}")
            return None


def best_guesses(
    opinions: Sequence[tuple[Stage, StageOpinion]], unsure: Sequence[WaitingReview]
) -> Mapping[int, Guess]:
    """The best verdict on each review of which nobody was sure, as `verdicts.guesses` finds it among stored ones."""
    wanted = {row.review_id for row in unsure}
    found: dict[int, Guess] = {}
    for stage, opinion in opinions:
        for row, verdict in opinion.not_kept:
            if row.review_id not in wanted:
                continue
            guess, known = Guess(verdict.category, verdict.confidence, stage.name), found.get(row.review_id)
            if known is None or guess_key(stage.name, verdict.confidence) < guess_key(
                known.stage, known.confidence
            ):
                found[row.review_id] = guess
    return found
