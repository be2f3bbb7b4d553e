"""What every stage of the cascade promises, whatever its method. Each stage's own tests call `check_stage`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from shared.cascade.stage import Stage, StageSource, Verdict, verdicts
from shared.runtime import stages
from shared.taxonomy import Taxonomy

AWKWARD = (
    "",
    " ",
    "\0",
    "Платье\0отличное",
    "😀😀😀",
    "👩‍👩‍👧 платье ❤️ супер",
    "שלום платье مرحبا",
    "\ud800 платье \udfff",
    "İSTANBUL платьем ẞ ŉ ǰ",
    "пла\u0301тье \u00adкоф\u00adта",
    "﻿платье",
    "ПЛАТЬЕ!!!" * 50,
    "оооооочень кра-си-во",
    "платьe с лaтинской буквой",
    "a" * 5000,
    "\n\n\t платье \r\n",
)
"""Texts that must be survived; some name a product behind what nobody sees."""


def check_stage(stage: Stage, taxonomy: Taxonomy, texts: tuple[str, ...]) -> None:
    """Fails unless `stage` keeps its promises on `texts` and on awkward strings."""
    batch = (*texts, *AWKWARD)
    answers = verdicts(stage, batch)
    assert len(answers) == len(batch), "one entry per text"
    assert verdicts(stage, []) == [], "an empty batch"
    assert verdicts(stage, batch) == answers, "the same texts give the same verdicts"
    backwards = verdicts(stage, batch[::-1])
    for text, together, reversed_ in zip(batch, answers, backwards[::-1], strict=True):
        check_verdict(together, text, taxonomy)
        check_same(verdicts(stage, [text])[0], together)
        check_same(reversed_, together)
    assert stage.name
    assert stage.model
    assert stage.default_threshold is None or 0.0 <= stage.default_threshold <= 1.0


def check_verdict(verdict: Verdict | None, text: str, taxonomy: Taxonomy) -> None:
    """A category of the taxonomy, a confidence in 0..1, evidence that stands where it says."""
    if verdict is None:
        return
    assert verdict.category in taxonomy.slugs
    assert 0.0 <= verdict.confidence <= 1.0
    if isinstance(verdict.evidence, Mapping):
        assert msgspec.json.encode(verdict.evidence)
        return
    for match in verdict.evidence:
        assert text[match.start : match.end] == match.word
        assert match.word
        assert match.category in taxonomy.slugs


def check_same(one: Verdict | None, other: Verdict | None) -> None:
    """The same answer alone, in a batch and in another order; models may differ in the last digits."""
    if one is None or other is None:
        assert one is other
        return
    assert one.category == other.category
    assert one.confidence == pytest.approx(other.confidence, abs=1e-4)
    if isinstance(one.evidence, tuple):
        assert one.evidence == other.evidence


def built(*parts: Any) -> Stage:
    """A stage that never rests, as `shared.runtime.stages.build` makes it."""
    made = stages.build(*parts)
    assert not isinstance(made, StageSource)
    return made
