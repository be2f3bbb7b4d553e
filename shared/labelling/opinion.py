"""What a stage's answers about some reviews come to, before anything is written: pure functions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from operator import add

import msgspec
import structlog

from shared.cascade.rule import StageRule
from shared.cascade.stage import Answer, Verdict
from shared.catalogue import STAGES, STUDENT
from shared.errors import OtzyvError
from shared.quality.withholding import is_withheld
from shared.store.labels import Label
from shared.store.places import WaitingReview
from shared.store.verdicts import Guess

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


class StageOpinion(msgspec.Struct, frozen=True):
    """A stage's answers, weighed by its rule.

    `kept` are verdicts that become labels, `not_kept` all others, `withheld` those of them that would. `unsure` are the
    reviews that travel on, the withheld among them; `late` the ids of those whose answer may come on another try, with
    the first reason.
    """

    kept: list[JudgedReview]
    not_kept: list[JudgedReview]
    withheld: list[JudgedReview]
    unsure: list[WaitingReview]
    late: list[int]
    error: OtzyvError | None
    abstained: int

    def of(self, ids: Collection[int]) -> StageOpinion:
        """The same of some of the reviews."""

        def those(rows: Sequence[JudgedReview]) -> list[JudgedReview]:
            return [one for one in rows if one[0].review_id in ids]

        unsure, not_kept = [row for row in self.unsure if row.review_id in ids], those(self.not_kept)
        late = [review_id for review_id in self.late if review_id in ids]
        lists = those(self.kept), not_kept, those(self.withheld), unsure, late
        return StageOpinion(*lists, self.error, len(unsure) - len(not_kept))

    def counts(self, passed_s: float, *, is_last: bool) -> StageCounts:
        """In numbers, so many seconds after the reviews were read; with `is_last` the unsure are a person's now."""
        return StageCounts(
            seen=len(self.kept) + len(self.unsure) + len(self.late),
            kept=len(self.kept),
            abstained=self.abstained,
            passed_on=len(self.unsure),
            withheld=len(self.withheld),
            kept_after_s=[row.age_s + passed_s for row, _ in self.kept],
            to_people_after_s=[row.age_s + passed_s for row in self.unsure] if is_last else [],
        )

    def labels(self, stage: str, model: str | None) -> list[Label]:
        """The kept verdicts as labels of that stage, by what it calls its model."""
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
            for row, verdict in self.kept
        ]


def weighed(
    stage: str,
    rule: StageRule,
    rows: Sequence[WaitingReview],
    answers: Sequence[Answer],
    taxonomy_id: int,
    withhold: float,
) -> StageOpinion:
    """What answers come to by a rule; of what the student would keep, the share `withhold` (0..1) travels on."""
    late: list[tuple[int, OtzyvError]] = []
    refused: list[OtzyvError] = []
    kept, not_kept, withheld, unsure = [], [], [], []
    share = withhold if stage == STUDENT else 0.0
    verdicts = rule.weigh_all([answer.verdict for answer in answers])
    for row, answer, verdict in zip(rows, answers, verdicts, strict=True):
        if answer.error is not None:
            if answer.may_pass:
                late.append((row.review_id, answer.error))
                continue
            refused.append(answer.error)
        if verdict is None:
            unsure.append(row)
        elif not rule.keeps(verdict):
            not_kept.append((row, verdict))
            unsure.append(row)
        elif share and is_withheld(taxonomy_id, row.review_id, row.revision, share):
            not_kept.append((row, verdict))
            withheld.append((row, verdict))
            unsure.append(row)
        else:
            kept.append((row, verdict))
    if refused:
        # No retry would mend them: they count as abstentions.
        log.warning("stage.no_answer", stage=stage, reviews=len(refused), first=str(refused[0]))
    abstained = len(rows) - len(kept) - len(not_kept) - len(late)
    ids, error = [review_id for review_id, _ in late], late[0][1] if late else None
    return StageOpinion(kept, not_kept, withheld, unsure, ids, error, abstained)


def guess_key(stage: str, confidence: float) -> tuple[int, float, str]:
    """By which guesses about a review are ordered, the best first."""
    return -STAGES[stage].guess_rank, -confidence, stage


def labels_for_people(rows: Sequence[WaitingReview], guesses: Mapping[int, Guess]) -> list[Label]:
    """Labels of reviews that no stage is to judge any more: the best guess so far, marked as needing a person."""
    labels = []
    for row in rows:
        guess = guesses.get(row.review_id)
        category, confidence, stage = msgspec.structs.astuple(guess) if guess else (None, None, None)
        labels.append(Label(row.review_id, row.revision, category, confidence, stage, "needs_review"))
    return labels
