"""Every stage once over a list of texts, with what it cost: the ground for `evaluate` and `calibrate`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import msgspec

from scripts.command.console import remark, review_progress
from shared.cascade.rule import StageRule
from shared.cascade.stage import Stage, Verdict, raise_if_nothing_came
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


def judge(
    names: Sequence[str],
    texts: Sequence[str],
    taxonomy: Taxonomy,
    settings: Settings,
    here: Runtime | None = None,
) -> dict[str, Judged]:
    """Put all texts through each stage. A row that got no answer counts as an abstention and is told.

    With a runtime, stages keep what they have to keep in its database. Raises ConfigurationError or RetryableError
    where a stage answered nothing at all for such a reason.
    """
    judged = {}
    database, taxonomy_id = (here.database, here.taxonomy_id) if here else (None, 0)
    with review_progress() as progress:
        for name in names:
            task = progress.add_task(name, total=len(texts), note="loading")
            found = Judged(stages.build(name, taxonomy, settings, database, taxonomy_id), [])
            errors: list[OtzyvError] = []
            progress.update(task, note="")
            for start in range(0, len(texts), ROWS):
                began = time.monotonic()
                answers = found.stage.answers(texts[start : start + ROWS])
                found.seconds += time.monotonic() - began
                raise_if_nothing_came(answers)
                found.verdicts += [answer.verdict for answer in answers]
                found.tokens += sum(answer.tokens_in + answer.tokens_out for answer in answers)
                errors += [answer.error for answer in answers if answer.error]
                progress.update(task, completed=len(found.verdicts))
            if errors:
                remark("no answer", f"{name}: {len(errors)} of {len(texts)} reviews; first: {errors[0]}")
            judged[name] = found
    return judged


def rules(
    judged: Mapping[str, Judged], settings: Settings, stored: Mapping[str, StoredRule]
) -> dict[str, StageRule]:
    """The rule that holds for each stage, where these are stored."""
    return {name: resolve(one.stage, settings.thresholds, stored.get(name)) for name, one in judged.items()}
