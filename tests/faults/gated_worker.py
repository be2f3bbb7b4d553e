"""A CPU worker whose keyword stage can be held up by a test, for a moment that a test can choose: run by tests.

While the file GATE exists, a batch waits; who waits is in GATE.pid.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

from scripts.service.processes import work
from shared.cascade.stage import Answer, Verdict
from shared.runtime import stages
from shared.settings import settings
from shared.taxonomy import Taxonomy


class GatedStage:
    """Keeps everything, once the gate is open."""

    name = "keywords"
    model = "gated"
    default_threshold = 0.5

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
    stages.build = lambda _name, taxonomy, *_rest: GatedStage(taxonomy)
    work("cpu", settings(), 2, None)
