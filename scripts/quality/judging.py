"""Every stage once over a list of texts, with what it cost: the ground for `evaluate` and `calibrate`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import msgspec

from scripts.command.console import remark, tell_unanswered
from scripts.command.progress import phase, review_progress
from scripts.language.language import translated
from shared.cascade.rule import StageRule
from shared.cascade.stage import Stage, StageSource, Verdict, raise_if_nothing_came
from shared.catalogue import STAGES
from shared.errors import OtzyvError
from shared.labelling.rules import resolve
from shared.runtime import stages
from shared.runtime.runtime import Runtime
from shared.settings import Settings
from shared.store.thresholds import StoredRule
from shared.taxonomy import Taxonomy

ROWS = 256
"""Texts given to a stage at a time, so that progress can be shown."""


class Judged(msgspec.Struct):
    """What one stage said about every text. Seconds are of wall time, model loading left out."""

    stage: Stage
    verdicts: list[Verdict | None]
    seconds: float = 0.0
    tokens: int = 0


def in_use(
    names: Sequence[str],
    taxonomy: Taxonomy,
    settings: Settings,
    here: Runtime | None = None,
    registered: Runtime | None = None,
    *,
    certified: bool = False,
) -> dict[str, Stage]:
    """The stages of these names, in their order; one without a model is left out, and that is told.

    With `here`, stages keep what they have to keep in its database. Models are looked up in that of `registered`, or
    else there: the one that judges now if it has to be `certified`, or else the one that the register names. Raises
    ConfigurationError where a stage cannot be built.
    """
    found = {}
    for name in names:
        place = (registered or here) if STAGES[name].may_rest else here
        database, taxonomy_id = (place.database, place.taxonomy_id) if place else (None, 0)
        if STAGES[name].may_rest and place is None:
            continue
        chosen = settings.model_copy(update={"models": place.settings.models}) if place else settings
        with phase(translated("loading {stage}", stage=name)):
            stage = _of(stages.build(name, taxonomy, chosen, database, taxonomy_id), certified=certified)
        if stage is None:
            told = translated("{stage}: no model may judge; see `otzyv status`", stage=name)
            remark(translated("left out"), told)
        else:
            found[name] = stage
    return found


def _of(made: Stage | StageSource, *, certified: bool) -> Stage | None:
    if not isinstance(made, StageSource):
        return made
    return made.now() if certified else made.candidate()


def judge(made: Mapping[str, Stage], texts: Sequence[str]) -> dict[str, Judged]:
    """Put all texts through each stage. A row that got no answer counts as an abstention and is told.

    Raises ConfigurationError or RetryableError where a stage answered nothing at all for such a reason.
    """
    judged = {}
    with review_progress() as progress:
        for name, stage in made.items():
            task = progress.add_task(name, total=len(texts), note="")
            found = Judged(stage, [])
            errors: list[OtzyvError] = []
            for start in range(0, len(texts), ROWS):
                began = time.monotonic()
                answers = stage.answers(texts[start : start + ROWS])
                found.seconds += time.monotonic() - began
                raise_if_nothing_came(answers)
                found.verdicts += [answer.verdict for answer in answers]
                found.tokens += sum(answer.tokens_in + answer.tokens_out for answer in answers)
                errors += [answer.error for answer in answers if answer.error]
                progress.update(task, completed=len(found.verdicts))
            if errors:
                tell_unanswered(name, errors, len(texts))
            judged[name] = found
    return judged


def rules(
    judged: Mapping[str, Judged], settings: Settings, stored: Mapping[str, StoredRule]
) -> dict[str, StageRule]:
    """The rule that holds for each stage of this chain, where these are stored."""
    return {
        name: resolve(one.stage, settings.thresholds, stored.get(name), tuple(judged))
        for name, one in judged.items()
    }
