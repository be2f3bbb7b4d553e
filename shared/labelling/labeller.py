"""One stage over one batch: read what waits, ask the stage, keep or pass on, in one transaction.

The same code serves the Celery tasks and the embedded run; it knows neither.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from operator import add
from typing import Final

import msgspec
import structlog
from psycopg2.extensions import cursor as Cursor

from shared.cascade.rule import StageRule
from shared.cascade.stage import ABSTAINED, Answer, Stage, StageSource, Verdict
from shared.catalogue import STAGES, STUDENT
from shared.errors import OtzyvError
from shared.labelling.rules import Rules
from shared.quality.withholding import is_withheld
from shared.store import Database, labels, places, verdicts
from shared.store import withheld as held_back
from shared.store.labels import Label
from shared.store.places import WaitingReview
from shared.text.masking import without_words

log = structlog.get_logger()


JudgedReview = tuple[WaitingReview, Verdict]


class StageCounts(msgspec.Struct, frozen=True):
    """How many reviews a stage has seen, kept, abstained from, and passed on to the next stage or to a person.

    `withheld` of those passed on would have been kept. `kept_after_s` and `to_people_after_s` are the seconds from the
    arrival of each review that got its label here to that label.
    """

    seen: int = 0
    kept: int = 0
    abstained: int = 0
    passed_on: int = 0
    withheld: int = 0
    kept_after_s: list[float] = []
    to_people_after_s: list[float] = []

    def __add__(self, other: StageCounts) -> StageCounts:
        """Both together."""
        mine, others = msgspec.structs.astuple(self), msgspec.structs.astuple(other)
        return StageCounts(*map(add, mine, others))


class StageOutcome(msgspec.Struct, frozen=True):
    """What a stage did with a batch. `forward` are the ids to send to `next_stage`.

    `unanswered` are ids that still wait for this stage because asking failed for a reason that may pass; `error` is the
    first such reason.
    """

    counts: StageCounts = StageCounts()
    next_stage: str | None = None
    forward: list[int] = []
    unanswered: list[int] = []
    error: OtzyvError | None = None

    def __add__(self, other: StageOutcome) -> StageOutcome:
        """What two parts of a batch come to, the later one second."""
        return StageOutcome(
            self.counts + other.counts,
            other.next_stage,
            self.forward + other.forward,
            self.unanswered + other.unanswered,
            self.error or other.error,
        )


class Reading(msgspec.Struct, frozen=True):
    """Those of some reviews that wait for a stage, as they were read, and what its verdicts were worth at that moment.

    `judge` is the stage as it was then, None where nothing judges in it; `next_stage` the one after it in which
    something does; `read_at` a moment of the monotonic clock.
    """

    stage: str
    judge: Stage | None
    next_stage: str | None
    review_ids: Sequence[int]
    waiting: list[WaitingReview]
    rule: StageRule
    read_at: float

    @property
    def revisions(self) -> dict[int, int]:
        """Which text of each review was read."""
        return {row.review_id: row.revision for row in self.waiting}


class Labeller:
    """The cascade over stored reviews of one taxonomy.

    `order` names the stages in use; `stages` holds those that this process can run, `rules` says which of their
    verdicts are kept. Of what the student would keep, the share `withhold` goes on all the same, to measure it.
    """

    def __init__(
        self,
        database: Database,
        taxonomy_id: int,
        order: Sequence[str],
        stages: Mapping[str, Stage | StageSource],
        rules: Rules,
        *,
        withhold: float = 0.0,
    ) -> None:
        self.database: Final = database
        self.taxonomy_id: Final = taxonomy_id
        self.order: Final = tuple(order)
        self._stages = stages
        self._rules = rules
        self._withhold = withhold

    def rule(self, stage_name: str) -> StageRule:
        """Which verdicts of a stage are kept now; none of one in which nothing judges."""
        stage, order = self._now(stage_name), self.awake
        with self.database.transaction() as cursor:
            return StageRule(None) if stage is None else self._rules.current(cursor, stage, order)

    def warm_up(self, names: Sequence[str]) -> None:
        """Build those of the named stages that are in use. Raises ConfigurationError for one that cannot be built."""
        for name in names:
            if name in self.order:
                self._now(name)

    def _now(self, name: str) -> Stage | None:
        """A stage as it judges this moment; None where nothing does."""
        found = self._stages[name]
        return found.now() if isinstance(found, StageSource) else found

    def student(self) -> Stage | None:
        """The stage `student` as it judges this moment; None where it is not in use, or rests."""
        return self._now(STUDENT) if STUDENT in self.order else None

    @property
    def awake(self) -> tuple[str, ...]:
        """Those of the stages in use in which something judges now."""
        return tuple(name for name in self.order if not (STAGES[name].may_rest and self._rests(name)))

    def _rests(self, name: str) -> bool:
        found = self._stages[name]
        return isinstance(found, StageSource) and found.rests()

    def revisions(self, stage_name: str, review_ids: Sequence[int]) -> dict[int, int]:
        """Those of the reviews that wait for a stage, with their revisions; the stage need not be built."""
        with self.database.transaction() as cursor:
            waiting = places.texts(cursor, review_ids, self.taxonomy_id, stage_name)
        return {row.review_id: row.revision for row in waiting}

    def run(self, stage_name: str, review_ids: Sequence[int]) -> StageOutcome:
        """Put the waiting ones among `review_ids` through a stage.

        Idempotent: reviews that are past the stage are left alone, and those that wait for the next one
        are returned once more, because the process may have died before it sent them on. No transaction is open
        while the stage judges; a text replaced meanwhile keeps its queue position.
        """
        return self.judge(self.read(stage_name, review_ids))

    def read(self, stage_name: str, review_ids: Sequence[int]) -> Reading:
        """The first half of `run`: none for a stage that is not in use, whose reviews the sweep sends on."""
        if stage_name not in self.order:
            return Reading(stage_name, None, None, review_ids, [], StageRule(None), time.monotonic())
        stage, order = self._now(stage_name), self.awake
        later = self.order[self.order.index(stage_name) + 1 :]
        next_stage = next((name for name in later if name in order), None)
        with self.database.transaction() as cursor:
            read_at = time.monotonic()
            waiting = places.texts(cursor, review_ids, self.taxonomy_id, stage_name)
            rule = StageRule(None) if stage is None else self._rules.current(cursor, stage, order)
            return Reading(stage_name, stage, next_stage, review_ids, waiting, rule, read_at)

    def judge(self, reading: Reading) -> StageOutcome:
        """The second half: ask the stage, keep or pass on, in one transaction."""
        if reading.stage not in self.order:
            return StageOutcome()
        answers = self._answers(reading)
        both = list(zip(reading.waiting, answers, strict=True))
        late = [(row.review_id, answer.error) for row, answer in both if answer.may_pass]
        refused = [answer.error for answer in answers if answer.error and not answer.may_pass]
        if refused:
            # No retry would mend them: they count as abstentions.
            log.warning("stage.no_answer", stage=reading.stage, reviews=len(refused), first=str(refused[0]))
        rule, next_stage = reading.rule, reading.next_stage
        judged = [(row, rule.weigh(answer.verdict)) for row, answer in both if not answer.may_pass]
        sure = [(row, verdict) for row, verdict in judged if verdict and rule.keeps(verdict)]
        withheld = self._withheld(reading.stage, sure)
        labelled = {row.review_id for row, _ in sure} - {row.review_id for row, _ in withheld}
        kept = [(row, verdict) for row, verdict in sure if row.review_id in labelled]
        unsure = [row for row, _ in judged if row.review_id not in labelled]
        forward = self._settle(reading, judged, kept, withheld, unsure)
        passed = time.monotonic() - reading.read_at
        counts = StageCounts(
            seen=len(reading.waiting),
            kept=len(kept),
            abstained=sum(verdict is None for _, verdict in judged),
            passed_on=len(unsure),
            withheld=len(withheld),
            kept_after_s=[row.age_s + passed for row, _ in kept],
            to_people_after_s=[] if next_stage else [row.age_s + passed for row in unsure],
        )
        unanswered = [review_id for review_id, _ in late]
        return StageOutcome(counts, next_stage, forward, unanswered, late[0][1] if late else None)

    def _withheld(self, stage: str, sure: Sequence[JudgedReview]) -> list[JudgedReview]:
        """Those of the sure that go on all the same."""
        share = self._withhold if stage == STUDENT else 0.0
        return [
            (row, verdict)
            for row, verdict in sure
            if is_withheld(self.taxonomy_id, row.review_id, row.revision, share)
        ]

    def _answers(self, reading: Reading) -> list[Answer]:
        if reading.judge is None:
            return [ABSTAINED] * len(reading.waiting)
        return reading.judge.answers([without_words(row.text) for row in reading.waiting])

    def _settle(
        self,
        reading: Reading,
        judged: Sequence[tuple[WaitingReview, Verdict | None]],
        kept: Sequence[JudgedReview],
        withheld: Sequence[JudgedReview],
        unsure: Sequence[WaitingReview],
    ) -> list[int]:
        """Write what a stage answered, and let the unsure wait for the next stage; their ids are returned."""
        next_stage = reading.next_stage
        labelled = {row.review_id for row, _ in kept}
        given = [(row, verdict) for row, verdict in judged if verdict and row.review_id not in labelled]
        accepted = [] if reading.judge is None else accepted_labels(kept, reading.stage, reading.judge.model)
        with self.database.transaction() as cursor:
            held = places.hold(cursor, reading.review_ids, self.taxonomy_id)
            if reading.judge is not None:
                told = self.taxonomy_id, reading.stage, reading.judge.model
                verdicts.write(cursor, given, *told)
                here = [
                    one for one in withheld if places.with_revision(held, one[0].review_id, one[0].revision)
                ]
                held_back.note(cursor, here, *told, self._withhold)
            if next_stage is None:
                accepted += for_people(cursor, unsure, self.taxonomy_id)
            labels.settle(cursor, accepted, self.taxonomy_id, held)
            if next_stage is None:
                return []
            there = [review_id for review_id, position in held.items() if position.stage == next_stage]
            moved = places.pass_on(cursor, unsure, self.taxonomy_id, next_stage, held)
            return sorted({*there, *moved})

    def resettle(self, limit: int) -> dict[str, list[int]]:
        """Reviews that wait for a stage which is no longer in use, up to `limit`: on to where they belong.

        That is the next stage in use after theirs, whose ids are returned to be sent, or else a person.
        Repeat it until nothing is returned.
        """
        forward: dict[str, list[int]] = {}
        with self.database.transaction() as cursor:
            for stage in set(STAGES) - set(self.order):
                stranded = places.stranded(cursor, self.taxonomy_id, stage, limit)
                held = places.hold(cursor, [row.review_id for row in stranded], self.taxonomy_id)
                next_stage = self._after(stage)
                if next_stage is None:
                    undecided = for_people(cursor, stranded, self.taxonomy_id)
                    labels.settle(cursor, undecided, self.taxonomy_id, held)
                elif stranded:
                    places.pass_on(cursor, stranded, self.taxonomy_id, next_stage, held)
                    forward.setdefault(next_stage, []).extend(row.review_id for row in stranded)
        return forward

    def _after(self, absent: str) -> str | None:
        """The stage that takes over from one that is not in use; None where nothing can follow it.

        In a cascade with an order of its own nobody knows what the absent stage would have stood before: the whole
        cascade is asked.
        """
        usual = list(STAGES).index
        if list(self.order) != sorted(self.order, key=usual):
            return self.order[0]
        return next((name for name in self.order if usual(name) > usual(absent)), None)


def for_people(cursor: Cursor, unsure: Sequence[WaitingReview], taxonomy_id: int) -> list[Label]:
    """Labels of reviews that no stage is to judge any more: the best guess so far, marked as needing a person."""
    guesses = verdicts.guesses(cursor, unsure, taxonomy_id)
    rows = []
    for row in unsure:
        guess = guesses.get(row.review_id)
        category, confidence, stage = msgspec.structs.astuple(guess) if guess else (None, None, None)
        rows.append(Label(row.review_id, row.revision, category, confidence, stage, "needs_review"))
    return rows


def accepted_labels(kept: Sequence[JudgedReview], stage: str, model: str) -> list[Label]:
    """Labels with the verdicts that a stage keeps."""
    return [
        Label(
            row.review_id,
            row.revision,
            verdict.category,
            verdict.confidence,
            stage,
            "accepted",
            verdict.score,
            verdict.evidence,
            model,
        )
        for row, verdict in kept
    ]
