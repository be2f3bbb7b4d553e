"""A CPU worker whose keyword stage fails in ways that the real one must never be seen to: run by tests.

`яд` in a text is an error that cannot pass; `сеть` one that passes at the third try; `память` asks for more
memory than there is; `долго` never ends; `смерть` kills the process; `ключ` is a wrong set-up, mended at the third
try; `стена` one that is never mended.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from shared.cascade.stage import Answer, Verdict
from shared.errors import ConfigurationError, DatabaseUnavailable
from shared.taxonomy import Taxonomy
from tests.support.stage_worker import InsteadOfKeywords, work_with


class BrittleStage(InsteadOfKeywords):
    """Keeps everything it survives."""

    model = "brittle"

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._category = taxonomy.categories[0].slug
        self._tries = Path(os.environ["BRITTLE_TRIES"])

    def answers(self, texts: Sequence[str]) -> list[Answer]:
        """One sure verdict per text, or a failure."""
        everything = " ".join(texts)
        if "яд" in everything:
            raise ValueError("cannot digest this")
        if "память" in everything:
            raise MemoryError
        if "смерть" in everything:
            os.kill(os.getpid(), signal.SIGKILL)
        if "долго" in everything:
            time.sleep(3_600)
        if "стена" in everything:
            raise ConfigurationError("there is a wall")
        if "ключ" in everything and self._try() < 3:
            raise ConfigurationError("the key is wrong")
        if "сеть" in everything and self._try() < 3:
            raise DatabaseUnavailable("the network is away")
        return [Answer(Verdict(self._category, 0.9)) for _ in texts]

    def _try(self) -> int:
        with self._tries.open("a") as handle:
            handle.write(".")
        return len(self._tries.read_text())


if __name__ == "__main__":
    work_with(BrittleStage)
