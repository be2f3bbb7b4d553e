"""One stage over one batch: read what waits, ask the stage, keep or pass on, in one transaction.

The same code serves the Celery tasks and the embedded run; it knows neither.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import msgspec
import structlog
from psycopg2.extensions import cursor as Cursor

from shared.cascade.rule import StageRule
from shared.cascade.stage import RemoteStage, Stage, Verdict, decide, following
from shared.errors import ConfigurationError, OtzyvError, RetryableError
from shared.labelling.rules import Rules
from shared.settings import STAGE_NAMES
from shared.store import Database, labels, places, verdicts
from shared.store.labels import Label
from shared.store.places import WaitingReview
from shared.text.masking import without_words

log = structlog.get_logger()

MayPass = RetryableError | ConfigurationError
"""Errors about one review that are not its own: asking again may succeed, at once or after a person's change."""


class StageOutcome(msgspec.Struct, frozen=True):
    """What a stage did with a batch. `forward` are the ids to send to `next_stage`.

    `passed_on` counts those that went to that stage now, or to a person. `unanswered` are ids that still wait for this
    stage because asking failed for a reason that may pass; `error` is the first such reason. `kept_after_s` and
    `to_people_after_s` are the seconds from the arrival of each review that got its label here to that label.
    """

    seen: int
    kept: int
    abstained: int
    next_stage: str | None
    forward: list[int]
    unanswered: list[int] = []
    error: OtzyvError | None = None
    passed_on: int = 0
    kept_after_s: list[float] = []
    to_people_after_s: list[float] = []


NOTHING_DONE = StageOutcome(0, 0, 0, None, [])


class Labeller:
    """The cascade over stored reviews of one taxonomy.

    `order` names the stages in use; `stages` holds those that this process can run, `rules` says which of their
    verdicts are kept.
    """

    def __init__(
        self,
        database: Database,
        taxonomy_id: int,
        order: Sequence[str],
        stages: Mapping[str, Stage],
        rules: Rules,
    ) -> None:
        self._database = database
        self._taxonomy_id = taxonomy_id
        self._order = tuple(order)
        self._stages = stages
        self._rules = rules
        self.judged: dict[int, int] = {}
        """Review ids of the batch that is being run, or was last, with the revisions that were read."""

    @property
    def database(self) -> Database:
        """Where the reviews and labels are."""
        return self._database

    @property
    def order(self) -> tuple[str, ...]:
        """The stages in use, first to last."""
        return self._order

    @property
    def taxonomy_id(self) -> int:
        """The stored taxonomy whose labels this cascade makes."""
        return self._taxonomy_id

    def threshold(self, stage_name: str) -> float | None:
        """The confidence from which a stage's verdict is kept now; None where it keeps nothing."""
        with self._database.transaction() as cursor:
            return self._rules.current(cursor, self._stages[stage_name]).value

    def warm_up(self, names: Sequence[str]) -> None:
        """Build those of the named stages that are in use. Raises ConfigurationError for one that cannot be built."""
        for name in names:
            if name in self._order:
                self._stages[name]

    def look_at(self, stage_name: str, review_ids: Sequence[int]) -> None:
        """Note in `judged` which of the reviews wait for a stage, without asking it."""
        with self._database.transaction() as cursor:
            waiting = places.texts(cursor, review_ids, self._taxonomy_id, stage_name)
        self.judged = {row.review_id: row.revision for row in waiting}

    def run(self, stage_name: str, review_ids: Sequence[int]) -> StageOutcome:
        """Put the waiting ones among `review_ids` through a stage.

        Idempotent: reviews that are past the stage are left alone, and those that wait for the next one
        are returned once more, because the process may have died before it sent them on. No transaction is open
        while the stage judges; a text replaced meanwhile keeps its place in line.
        """
        self.judged = {}
        if stage_name not in self._order:
            return NOTHING_DONE  # The sweep sends them on, see `resettle`.
        stage = self._stages[stage_name]
        with self._database.transaction() as cursor:
            read_at = time.monotonic()
            waiting = places.texts(cursor, review_ids, self._taxonomy_id, stage_name)
            rule = self._rules.current(cursor, stage)
        self.judged = {row.review_id: row.revision for row in waiting}
        found = _outcomes(stage, [without_words(row.text) for row in waiting])
        late = [(row, error) for row, error in zip(waiting, found, strict=True) if isinstance(error, MayPass)]
        answered = [
            (row, rule.weigh(answer) if isinstance(answer, Verdict) else None)
            for row, answer in zip(waiting, found, strict=True)
            if not isinstance(answer, MayPass)
        ]
        _tell_refused(stage_name, found)
        outcome = self._settle(stage, rule, review_ids, answered)
        return msgspec.structs.replace(
            outcome,
            seen=len(waiting),
            unanswered=[row.review_id for row, _ in late],
            error=late[0][1] if late else None,
            kept_after_s=_later(outcome.kept_after_s, read_at),
            to_people_after_s=_later(outcome.to_people_after_s, read_at),
        )

    def _settle(
        self,
        stage: Stage,
        rule: StageRule,
        review_ids: Sequence[int],
        answered: Sequence[tuple[WaitingReview, Verdict | None]],
    ) -> StageOutcome:
        """Write what a stage answered, and let the unsure wait for the next stage or for a person."""
        next_stage = following(self._order, stage.name)
        waiting, found = [row for row, _ in answered], [verdict for _, verdict in answered]
        decision = decide(found, rule)
        passed_on = [waiting[position] for position in decision.passed_on]
        forward: list[int] = []
        with self._database.transaction() as cursor:
            held = places.hold(cursor, review_ids, self._taxonomy_id)
            self._write(cursor, stage, waiting, found)
            settled = _labels(waiting, found, decision.kept, stage.name)
            if next_stage is None:
                settled += for_people(cursor, passed_on, self._taxonomy_id)
            labels.settle(cursor, settled, self._taxonomy_id, held)
            if next_stage is not None:
                there = [review_id for review_id, place in held.items() if place.stage == next_stage]
                moved = places.pass_on(cursor, passed_on, self._taxonomy_id, next_stage, held)
                forward = sorted({*there, *moved})
        return StageOutcome(
            len(waiting),
            len(decision.kept),
            found.count(None),
            next_stage,
            forward,
            passed_on=len(passed_on),
            kept_after_s=[waiting[position].age_s for position in decision.kept],
            to_people_after_s=[row.age_s for row in passed_on] if next_stage is None else [],
        )

    def resettle(self, limit: int) -> dict[str, list[int]]:
        """Reviews that wait for a stage which is no longer in use, up to `limit`: on to where they belong.

        That is the next stage in use after theirs, whose ids are returned to be sent, or else a person.
        Repeat it until nothing is returned.
        """
        forward: dict[str, list[int]] = {}
        with self._database.transaction() as cursor:
            for stage in set(STAGE_NAMES) - set(self._order):
                stranded = places.stranded(cursor, self._taxonomy_id, stage, limit)
                held = places.hold(cursor, [row.review_id for row in stranded], self._taxonomy_id)
                next_stage = self._after(stage)
                if next_stage is None:
                    undecided = for_people(cursor, stranded, self._taxonomy_id)
                    labels.settle(cursor, undecided, self._taxonomy_id, held)
                elif stranded:
                    places.pass_on(cursor, stranded, self._taxonomy_id, next_stage, held)
                    forward.setdefault(next_stage, []).extend(row.review_id for row in stranded)
        return forward

    def _after(self, absent: str) -> str | None:
        """The stage that takes over from one that is not in use; None where nothing can follow it.

        In a cascade with an order of its own nobody knows what the absent stage would have stood before: the whole
        cascade is asked.
        """
        place = STAGE_NAMES.index
        if list(self._order) != sorted(self._order, key=place):
            return self._order[0]
        return next((name for name in self._order if place(name) > place(absent)), None)

    def _write(
        self, cursor: Cursor, stage: Stage, waiting: Sequence[WaitingReview], found: Sequence[Verdict | None]
    ) -> None:
        rows = [(row, verdict) for row, verdict in zip(waiting, found, strict=True) if verdict is not None]
        verdicts.write(cursor, rows, self._taxonomy_id, stage.name, stage.model)


def _later(ages_s: Sequence[float], since: float) -> list[float]:
    """Ages as they were at a moment of the monotonic clock, as they are now."""
    passed = time.monotonic() - since
    return [age + passed for age in ages_s]


def for_people(cursor: Cursor, unsure: Sequence[WaitingReview], taxonomy_id: int) -> list[Label]:
    """Labels of reviews that no stage is to judge any more: the best guess so far, marked as needing a person."""
    guesses = verdicts.guesses(cursor, unsure, taxonomy_id)
    rows = []
    for row in unsure:
        guess = guesses.get(row.review_id)
        category, confidence, stage = (
            (guess.category, guess.confidence, guess.stage) if guess else (None,) * 3
        )
        rows.append(Label(row.review_id, row.revision, category, confidence, stage, "needs_review"))
    return rows


def _outcomes(stage: Stage, texts: Sequence[str]) -> Sequence[Verdict | OtzyvError | None]:
    return stage.outcomes(texts) if isinstance(stage, RemoteStage) else stage.verdicts(texts)


def _tell_refused(stage: str, found: Sequence[object]) -> None:
    """Answers that no retry would mend count as abstentions; what was wrong with them is in the log."""
    refused = [error for error in found if isinstance(error, OtzyvError) and not isinstance(error, MayPass)]
    if refused:
        log.warning("stage.no_answer", stage=stage, reviews=len(refused), first=str(refused[0]))


def _labels(
    waiting: Sequence[WaitingReview], found: Sequence[Verdict | None], kept: Sequence[int], stage: str
) -> list[Label]:
    rows = []
    for position in kept:
        row, verdict = waiting[position], found[position]
        if verdict is not None:
            rows.append(
                Label(row.review_id, row.revision, verdict.category, verdict.confidence, stage, "accepted")
            )
    return rows
