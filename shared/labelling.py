"""One stage over one batch: read what waits, ask the stage, keep or pass on, in one transaction.

The same code serves the Celery tasks and the embedded run; it knows neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from psycopg2.extensions import cursor as Cursor

from shared.cascade import Stage, Verdict, decide, following
from shared.settings import STAGE_NAMES
from shared.store import Database, labels
from shared.store.labels import Label, Waiting


class Outcome(msgspec.Struct, frozen=True):
    """What a stage did with a batch. `forward` are the ids to send to `next_stage`."""

    seen: int
    kept: int
    abstained: int
    next_stage: str | None
    forward: list[int]


class Labeller:
    """The cascade over stored reviews of one taxonomy.

    `order` names the stages in use; `stages` holds those that this process can run, `thresholds` a
    confidence for each of them.
    """

    def __init__(
        self,
        database: Database,
        taxonomy_id: int,
        order: Sequence[str],
        stages: Mapping[str, Stage],
        thresholds: Mapping[str, float],
    ) -> None:
        self._database = database
        self._taxonomy_id = taxonomy_id
        self._order = tuple(order)
        self._stages = stages
        self._thresholds = thresholds
        self.judged: dict[int, int] = {}
        """Review ids of the batch that is being run, or was last, with the revisions that were read."""

    @property
    def database(self) -> Database:
        """Where the reviews and labels are."""
        return self._database

    @property
    def taxonomy_id(self) -> int:
        """The stored taxonomy whose labels this cascade makes."""
        return self._taxonomy_id

    def threshold(self, stage_name: str) -> float:
        """The confidence from which a stage's verdict is kept here."""
        return self._thresholds[stage_name]

    def run(self, stage_name: str, review_ids: Sequence[int]) -> Outcome:
        """Put the waiting ones among `review_ids` through a stage.

        Idempotent: reviews that are past the stage are left alone, and those that wait for the next one
        are returned once more, because the process may have died before it sent them on. The stage judges
        before any row is locked; a text replaced meanwhile keeps its place in line.
        """
        self.judged = {}
        if stage_name not in self._order:
            return Outcome(0, 0, 0, None, [])  # The sweep sends them on, see `resettle`.
        stage = self._stages[stage_name]
        next_stage = following(self._order, stage_name)
        with self._database.transaction() as cursor:
            waiting = labels.texts(cursor, review_ids, self._taxonomy_id, stage_name)
            self.judged = {row.review_id: row.revision for row in waiting}
            verdicts = stage.verdicts([row.text for row in waiting])
            decision = decide(verdicts, self._thresholds[stage_name])
            labels.lock(cursor, review_ids, self._taxonomy_id)
            self._write(cursor, stage, waiting, verdicts)
            labels.settle(cursor, _labels(waiting, verdicts, decision.kept, stage_name), self._taxonomy_id)
            passed_on = [waiting[position] for position in decision.passed_on]
            forward: list[int] = []
            if next_stage is None:
                self._give_to_people(cursor, passed_on)
            else:
                labels.pass_on(cursor, passed_on, self._taxonomy_id, next_stage)
                forward = labels.waiting_for(cursor, review_ids, self._taxonomy_id, next_stage)
        return Outcome(len(waiting), len(decision.kept), verdicts.count(None), next_stage, forward)

    def resettle(self, limit: int) -> dict[str, list[int]]:
        """Reviews that wait for a stage which is no longer in use, up to `limit`: on to where they belong.

        That is the next stage in use after theirs, whose ids are returned to be sent, or else a person.
        """
        forward: dict[str, list[int]] = {}
        with self._database.transaction() as cursor:
            for stage in set(STAGE_NAMES) - set(self._order):
                stranded = labels.stranded(cursor, self._taxonomy_id, stage, limit)
                later = STAGE_NAMES[STAGE_NAMES.index(stage) + 1 :]
                next_stage = next((name for name in later if name in self._order), None)
                if next_stage is None:
                    self._give_to_people(cursor, stranded)
                elif stranded:
                    labels.pass_on(cursor, stranded, self._taxonomy_id, next_stage)
                    forward.setdefault(next_stage, []).extend(row.review_id for row in stranded)
        return forward

    def _write(
        self, cursor: Cursor, stage: Stage, waiting: Sequence[Waiting], verdicts: Sequence[Verdict | None]
    ) -> None:
        rows = [(row, verdict) for row, verdict in zip(waiting, verdicts, strict=True) if verdict is not None]
        labels.write_verdicts(cursor, rows, self._taxonomy_id, stage.name, stage.model)

    def _give_to_people(self, cursor: Cursor, unsure: Sequence[Waiting]) -> None:
        """The last stage's doubt: the best guess so far, marked as needing a person."""
        guesses = labels.guesses(cursor, [row.review_id for row in unsure], self._taxonomy_id)
        rows = []
        for row in unsure:
            guess = guesses.get(row.review_id)
            category, confidence, stage = (
                (guess.category, guess.confidence, guess.stage) if guess else (None,) * 3
            )
            rows.append(Label(row.review_id, row.revision, category, confidence, stage, "needs_review"))
        labels.settle(cursor, rows, self._taxonomy_id)


def _labels(
    waiting: Sequence[Waiting], verdicts: Sequence[Verdict | None], kept: Sequence[int], stage: str
) -> list[Label]:
    rows = []
    for position in kept:
        row, verdict = waiting[position], verdicts[position]
        if verdict is not None:
            rows.append(
                Label(row.review_id, row.revision, verdict.category, verdict.confidence, stage, "accepted")
            )
    return rows
