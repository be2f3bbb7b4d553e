"""What a changed taxonomy would change: the keyword stage as it is and as it would be, on the same reviews."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Final

import msgspec

from shared.cascade.rule import StageRule
from shared.cascade.stage import Verdict, verdicts
from shared.stages.keywords.stage import KeywordStage
from shared.taxonomy import Taxonomy

ROWS: Final = 1_000
"""Reviews at a time."""
SAMPLES: Final = 3
"""Of each kind of change, the first ones."""
_GRID: Final = 200


class LabelChange(msgspec.Struct):
    """How many reviews are kept as `now` that were kept as `then`; None is not kept. `samples` are some texts."""

    then: str | None
    now: str | None
    count: int = 0
    samples: list[str] = msgspec.field(default_factory=list)


class Effect(msgspec.Struct):
    """What changes among `reviews`: how many labels keywords keep before and after, and which become others."""

    reviews: int = 0
    before: int = 0
    after: int = 0
    changes: list[LabelChange] = msgspec.field(default_factory=list)


def effect(old: Taxonomy, new: Taxonomy, rule: StageRule, texts: Sequence[str]) -> Effect:
    """Ask both stages about the texts. The most frequent change comes first."""
    stages = KeywordStage(old), KeywordStage(new)
    parts = [texts[start : start + ROWS] for start in range(0, len(texts), ROWS)]
    then, now = (
        [kept(rule, one) for one in chain.from_iterable(verdicts(stage, part) for part in parts)]
        for stage in stages
    )
    found = Effect(len(texts), len(texts) - then.count(None), len(texts) - now.count(None))
    changes: dict[tuple[str | None, str | None], LabelChange] = {}
    for text, was, would in zip(texts, then, now, strict=True):
        if was != would:
            change = changes.setdefault((was, would), LabelChange(was, would))
            change.count += 1
            if len(change.samples) < SAMPLES:
                change.samples.append(text)
    found.changes = sorted(changes.values(), key=lambda one: (-one.count, one.then or "", one.now or ""))
    return found


def kept(rule: StageRule, verdict: Verdict | None) -> str | None:
    """The category that a verdict is kept as."""
    weighed = rule.weigh(verdict)
    return weighed.category if weighed is not None and rule.keeps(weighed) else None


def least_kept(rule: StageRule, slug: str) -> float:
    """The least confidence of the stage itself, 0..1, in steps of 1/200, that is kept for a category; 2 for none."""
    tried = (number / _GRID for number in range(1, _GRID + 1))
    return next((score for score in tried if kept(rule, Verdict(slug, score)) is not None), 2.0)
