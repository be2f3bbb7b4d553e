"""Every stage once over a list of texts, with what it cost: the ground for `evaluate` and `calibrate`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import msgspec

from scripts.command.console import remark, review_progress
from shared.cascade.rule import StageRule
from shared.cascade.stage import Stage, Verdict
from shared.errors import ConfigurationError, OtzyvError, RetryableError
from shared.labelling.rules import resolve
from shared.runtime import stages
from shared.settings import Settings
from shared.stages.llm import LlmStage
from shared.store import Database
from shared.store.thresholds import StoredRule
from shared.taxonomy import Taxonomy

ROWS = 256
"""Texts given to a stage at a time, so that progress can be shown."""


class Judged(msgspec.Struct):
    """What one stage said about every text. Seconds are of wall time, model loading left out."""

    stage: Stage
    verdicts: list[Verdict | None]
    seconds: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0
    failed: int = 0

    @property
    def tokens(self) -> int:
        """All that were paid for."""
        return self.tokens_in + self.tokens_out


def judge(
    names: Sequence[str],
    texts: Sequence[str],
    taxonomy: Taxonomy,
    settings: Settings,
    database: Database | None = None,
    taxonomy_id: int = 0,
) -> dict[str, Judged]:
    """Put all texts through each stage. A row that got no answer counts as an abstention and is told.

    Raises ConfigurationError or RetryableError where a stage answered nothing at all for such a reason.
    """
    judged = {}
    with review_progress() as progress:
        for name in names:
            task = progress.add_task(name, total=len(texts), note="loading")
            stage = stages.build(name, taxonomy, settings, database, taxonomy_id)
            found, errors = Judged(stage, []), list[OtzyvError]()
            progress.update(task, note="")
            for start in range(0, len(texts), ROWS):
                errors += _add(found, texts[start : start + ROWS])
                progress.update(task, completed=len(found.verdicts))
            if errors:
                told = f"{name}: {found.failed} of {len(found.verdicts)} reviews; first: {errors[0]}"
                remark("no answer", told)
            judged[name] = found
    return judged


def _add(found: Judged, texts: Sequence[str]) -> list[OtzyvError]:
    """One part of the texts through a stage; returns the errors of single rows."""
    stage, began, errors = found.stage, time.monotonic(), list[OtzyvError]()
    if isinstance(stage, LlmStage):
        for answer in stage.answers(texts):
            found.verdicts.append(answer.verdict)
            found.tokens_in += answer.tokens_in
            found.tokens_out += answer.tokens_out
            errors += [answer.error] if answer.error else []
    else:
        found.verdicts += stage.verdicts(texts)
    found.seconds += time.monotonic() - began
    found.failed += len(errors)
    outside = [error for error in errors if isinstance(error, ConfigurationError | RetryableError)]
    if len(outside) == len(texts):
        raise outside[0]
    return errors


def rules(
    judged: Mapping[str, Judged], settings: Settings, stored: Mapping[str, StoredRule]
) -> dict[str, StageRule]:
    """The rule that holds for each stage, where these are stored."""
    return {name: resolve(one.stage, settings.thresholds, stored.get(name)) for name, one in judged.items()}
