"""`otzyv` with a stage that it does not have: this file, and its row in the table. Run by tests."""

from __future__ import annotations

from collections.abc import Sequence

from shared.cascade.stage import ABSTAINED, Answer, Verdict
from shared.catalogue import STAGES, ListedStage
from shared.stages.parts import StageParts


class ShoutingStage:
    """Sure of whatever is written in capitals, silent on everything else."""

    name = "shouting"
    model = "shouting/1"
    default_threshold = 0.5

    def __init__(self, category: str) -> None:
        self._category = category

    def answers(self, texts: Sequence[str]) -> list[Answer]:
        return [Answer(Verdict(self._category, 1.0)) if text.isupper() else ABSTAINED for text in texts]


def build(parts: StageParts) -> ShoutingStage:
    return ShoutingStage(parts.taxonomy.slugs[0])


ROW = ListedStage(name="shouting", code="tests.support.shouting_stage:build", queue="cpu.shouting")

if __name__ == "__main__":
    STAGES[ROW.name] = ROW
    from scripts.cli import main

    main()
