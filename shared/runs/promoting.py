"""Carries a promotion out: finds the champion of now, asks `shared.quality.promotion`, and moves the alias."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import msgspec
from psycopg2.extensions import cursor as Cursor

from shared.errors import ModelError, ModelRefused
from shared.quality.promotion import PromotionDecision, decide
from shared.runs.held_run import HeldRun, RunLost
from shared.runs.measuring import answers_of
from shared.store import aliases, runs, taxonomies
from shared.store.aliases import Move
from shared.store.snapshots import GoldText
from shared.training.watch import Interrupted


class ChampionMoved(Exception):
    """Somebody has moved the champion meanwhile: what was decided about it has to be decided anew."""


class Serving(NamedTuple):
    """Who serves and how that came about; the categories of the taxonomy's newest version."""

    move: Move | None
    categories: list[str]

    @classmethod
    def now(cls, cursor: Cursor, taxonomy: str) -> Serving:
        """That of a taxonomy, by its name."""
        return cls(aliases.newest(cursor, taxonomy, "champion"), taxonomies.newest_slugs(cursor, taxonomy))

    @property
    def champion(self) -> int | None:
        """The model that serves."""
        return None if self.move is None else self.move.model_id

    @property
    def held(self) -> str:
        """Why nothing may be moved without a person: one has taken a champion back. Empty where nobody has."""
        if self.move is None or self.move.action == "promote":
            return ""
        what = "rolled back" if self.move.action == "rollback" else "withdrawn"
        return f"the champion was {what} by {self.move.moved_by}, and stays so until somebody promotes one"


def promoted(
    held: HeldRun, model_id: int, answers: Sequence[str], gold: Sequence[GoldText]
) -> PromotionDecision:
    """Judge the model against the champion of now, and move aliases where the run may.

    Raises RunLost, or Interrupted where the run is to stop.
    """
    while True:
        with held.database.transaction() as cursor:
            before = Serving.now(cursor, held.taxonomy.name)
        if before.move is not None and before.move.model_id == model_id:
            return PromotionDecision("champion", before.move.reason)
        decision = _decided(held, before, answers, gold)
        held.go_on()
        if decision.place is None:
            return decision
        try:
            held.registry.promote(
                model_id,
                decision.place,
                moved_by=f"training run {held.run.id} ({held.run.asked_by})",
                reason=decision.reason,
                guard=partial(_check_still, held, before),
            )
        except ChampionMoved:
            continue
        except ModelRefused as error:
            return msgspec.structs.replace(decision, place=None, reason=str(error))
        return decision


def _check_still(held: HeldRun, before: Serving, cursor: Cursor) -> None:
    """In the transaction that promotes: the run is still ours and wanted, and nobody has moved the champion meanwhile.

    Raises RunLost, Interrupted or ChampionMoved.
    """
    cancelled = runs.hold(cursor, held.run.id, held.run.attempt)
    if cancelled is None:
        raise RunLost
    if cancelled:
        held.lease.why = "cancelled"
        raise Interrupted(0)
    if Serving.now(cursor, held.taxonomy.name) != before:
        raise ChampionMoved


def _decided(
    held: HeldRun, before: Serving, answers: Sequence[str], gold: Sequence[GoldText]
) -> PromotionDecision:
    held.lease.say("compares with the champion")
    slugs, champion = sorted(held.taxonomy.slugs), before.champion
    automatic = held.run.auto_promote
    if automatic and before.categories != slugs:
        return PromotionDecision(
            None, f"the taxonomy {held.taxonomy.name} has a newer version with other categories"
        )
    theirs = None
    if champion is not None and gold:
        try:
            classifier = held.registry.artefact(champion).classifier()
        except ModelError as error:
            return PromotionDecision(
                None, f"the champion, model {champion}, cannot be loaded to compare with: {error}"
            )
        if sorted(classifier.labels) != slugs:
            return PromotionDecision(None, f"the champion, model {champion}, is for other categories")
        theirs = answers_of(classifier, gold)
    with held.database.transaction() as cursor:
        comparisons = len(runs.of_experiment(cursor, held.run.experiment))
    return decide(
        [row.category for row in gold],
        answers,
        theirs,
        automatic=automatic,
        held=before.held,
        most_fall=held.settings.promote_most_fall,
        comparisons=comparisons,
    )
