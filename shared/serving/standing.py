"""Which model judges in the stage `student`, if any may: what the register, the certificates and the alarms say.

The champion does, or the model that has the alias `student`. A champion that is not certified yet leaves the stage to
the one before it that is; one that was rolled back or withdrawn judges no more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec
from psycopg2.extensions import cursor as Cursor

from shared.cascade.rule import is_certified_chain
from shared.catalogue import STUDENT
from shared.quality.drift import Alarm
from shared.serving.loader import fits
from shared.store import aliases, models, quality, thresholds
from shared.store.models import Model
from shared.store.thresholds import Permission

NOBODY: Final = "no model: promote one with `otzyv models promote`, as champion or as student"
UNCERTIFIED: Final = "not certified: nothing is kept of what it says until `otzyv calibrate` has certified it"


_JUDGE: Final = re.compile(rf"{STUDENT}/1 model (\d+) \S+ [0-9a-f]{{12}}")


class Standing(msgspec.Struct, frozen=True):
    """`model` judges, unless it is None; then `reason` says why nobody does.

    It also says why nothing is kept of a model's answers, which are guesses then. `wanted` is the model that the
    register names, which another one stands in for until it is certified.
    """

    model: Model | None
    reason: str = ""
    wanted: int | None = None

    @property
    def certified(self) -> bool:
        """Whether the thresholds of now were made for this model."""
        return self.model is not None and not self.reason

    def __str__(self) -> str:
        """One sentence for people."""
        if self.model is None:
            return f"nobody judges: {self.reason}"
        told = f"model {self.model.id} judges"
        if self.wanted not in (None, self.model.id):
            told += f" in the place of model {self.wanted}, which is not certified yet: `otzyv calibrate`"
        return f"{told}; {self.reason}" if self.reason else told


def chooses(thresholds: Iterable[str]) -> bool:
    """Whether thresholds that a person has set, by `stage` or `stage/category`, name the student."""
    return any(name.partition("/")[0] == STUDENT for name in thresholds)


def judge_of(model: Model) -> str:
    """What the stage's verdicts and thresholds call a model, exactly enough to tell two apart."""
    return f"{STUDENT}/1 model {model.id} {model.architecture} {model.sha256[:12]}"


def judge_number(judge: str) -> int | None:
    """The number of the model that is called so; None where it is no name of ours."""
    found = _JUDGE.fullmatch(judge)
    return int(found[1]) if found else None


def candidate(cursor: Cursor, taxonomy: str, slugs: Sequence[str]) -> Standing:
    """The model that the register names, certified or not."""
    wanted = _wanted(aliases.current(cursor, taxonomy))
    return Standing(None, NOBODY) if wanted is None else _of(cursor, wanted, slugs)


def standing(
    cursor: Cursor,
    taxonomy: str,
    taxonomy_id: int,
    slugs: Sequence[str],
    order: Sequence[str],
    *,
    chosen: bool = False,
) -> Standing:
    """Who judges now in a cascade of the stages `order`.

    With `chosen`, a person has set the stage's threshold, and no certificate is asked for.

    An alarm about the model, raised after it was certified or, without a certificate, after it was promoted, suspends
    it until it is certified anew.
    """
    now = aliases.current(cursor, taxonomy)
    wanted = _wanted(now)
    if wanted is None:
        return Standing(None, NOBODY)
    permitted = None if chosen else _permission(cursor, taxonomy_id, order)
    certified = None if permitted is None else judge_number(permitted.model)
    # Only a champion is stood in for, by one before it that was not rolled back since.
    if certified not in (None, wanted) and (STUDENT in now or certified not in _line(cursor, taxonomy)):
        certified = None
    found = _of(cursor, certified or wanted, slugs)
    if permitted and certified and (found.model is None or judge_of(found.model) != permitted.model):
        certified, found = None, _of(cursor, wanted, slugs)
    if found.model is None:
        return found
    since = permitted.since if permitted and certified else _moved(cursor, taxonomy, found.model.id)
    if since and (alarm := quality.alarm_after(cursor, found.model.id, since)) is not None:
        return Standing(None, _suspended(alarm), wanted)
    return Standing(found.model, "" if certified or chosen else UNCERTIFIED, wanted)


def _suspended(alarm: Alarm) -> str:
    return (
        f"model {alarm.model_id} is suspended by the alarm {alarm.kind} of {alarm.day} ({alarm.value:.3f}, limit "
        f"{alarm.limit:.3f}): train a new one, or calibrate on newer gold"
    )


def _permission(cursor: Cursor, taxonomy_id: int, order: Sequence[str]) -> Permission | None:
    """What the thresholds of now permit; nothing where they were certified for another chain."""
    found = thresholds.permission(cursor, taxonomy_id, STUDENT)
    if found is None or (found.chain is not None and not is_certified_chain(found.chain, order)):
        return None
    return found


def _wanted(now: Mapping[str, int]) -> int | None:
    """The model that the register names: the student, or else the champion."""
    return now.get(STUDENT, now.get("champion"))


def _line(cursor: Cursor, taxonomy: str) -> list[int]:
    """The champions before this one that were not rolled back, nor withdrawn, from whatever alias, since."""
    moves = aliases.history(cursor, taxonomy)
    taken = [at for at, move in enumerate(moves) if (move.alias, move.action) == ("champion", "withdraw")]
    since = moves[taken[-1] + 1 :] if taken else moves
    dismissed = {move.previous_id for move in since if (move.alias, move.action) == (STUDENT, "withdraw")}
    return [number for number in aliases.champions(since) if number not in dismissed]


def _of(cursor: Cursor, number: int, slugs: Sequence[str]) -> Standing:
    model = models.get(cursor, number)
    if model is None or not fits(model, slugs):
        return Standing(None, f"model {number} is for other categories than the taxonomy's", number)
    return Standing(model, wanted=number)


def _moved(cursor: Cursor, taxonomy: str, number: int) -> datetime | None:
    moves = [move for move in aliases.history(cursor, taxonomy) if move.model_id == number]
    return moves[-1].at if moves else None
