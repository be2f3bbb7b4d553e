"""A CPU worker whose keyword stage can be held up by a test, for a moment that a test can choose: run by tests.

While the file GATE exists, a batch waits; who waits is in GATE.pid.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from shared.cascade.stage import Answer, Verdict
from shared.taxonomy import Taxonomy
from tests.support.stage_worker import InsteadOfKeywords, work_with


class GatedStage(InsteadOfKeywords):
    """Keeps everything, once the gate is open."""

    model = "gated"

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._taxonomy = taxonomy
        self._gate = Path(os.environ["GATE"])

    def answers(self, texts: Sequence[str]) -> list[Answer]:
        """The category depends on the text's first letter, so that a verdict tells which text it is on."""
        if self._gate.exists():
            self._gate.with_suffix(".pid").write_text(str(os.getpid()))
            while self._gate.exists():
                time.sleep(0.05)
        slugs = self._taxonomy.slugs
        return [Answer(Verdict(slugs[ord(text[0]) % 2], 0.9)) for text in texts]


if __name__ == "__main__":
    work_with(GatedStage)
