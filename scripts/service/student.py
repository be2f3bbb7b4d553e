"""What `otzyv status` says of the stage `student`: who judges, or why nobody does, and what it is measured by."""

from __future__ import annotations

import msgspec
from psycopg2.extensions import cursor as Cursor

from scripts.language.language import decimal, grouped, translated
from shared.catalogue import STUDENT
from shared.quality.withholding import WithheldCount
from shared.serving import standing
from shared.serving.standing import Standing
from shared.settings import Settings
from shared.store import withheld
from shared.taxonomy import Taxonomy


class StudentState(msgspec.Struct, frozen=True):
    """Who judges, and what has become of the labels that were withheld from reviews to measure that model.

    `awake` are the stages in use in which something judges.
    """

    found: Standing
    withheld: WithheldCount | None
    awake: tuple[str, ...]

    def __str__(self) -> str:
        """One line for people, or two."""
        told, one = translated("student: {standing}", standing=sentence(self.found)), self.withheld
        if one is None:
            return told
        told += "\n  " + translated(
            "labels withheld to measure it: {withheld}, answered since: {answered} ({people} by people)",
            withheld=grouped(one.withheld),
            answered=grouped(one.answered),
            people=grouped(one.by_people),
        )
        answers, _ = one.judged
        if answers:
            right = decimal(one.precision, 3)
            told += translated(
                "; of {number} that count {right} are right", number=grouped(answers), right=right
            )
        return told


def sentence(found: Standing) -> str:
    """The sentence of a standing, translated as far as it does not depend on an alarm."""
    reason = translated(found.reason)
    if found.model is None:
        return translated("nobody judges: {reason}", reason=reason)
    told = translated("model {number} judges", number=found.model.id)
    if found.wanted not in (None, found.model.id):
        told += translated(
            " in the place of model {number}, which is not certified yet: `otzyv calibrate`",
            number=found.wanted,
        )
    return f"{told}; {reason}" if reason else told


def state(cursor: Cursor, settings: Settings, taxonomy: Taxonomy, taxonomy_id: int) -> StudentState:
    """What there is now."""
    order, chosen = settings.stages, standing.chooses(settings.thresholds)
    found = standing.standing(cursor, taxonomy.name, taxonomy_id, taxonomy.slugs, order, chosen=chosen)
    if found.model is None:
        return StudentState(found, None, tuple(name for name in order if name != STUDENT))
    judge = standing.judge_of(found.model)
    counts = (one for one in withheld.counts(cursor, taxonomy.name, STUDENT) if one.model == judge)
    return StudentState(found, next(counts, None), order)
