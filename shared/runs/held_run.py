"""A training run that this process holds, with everything that its steps work with."""

from __future__ import annotations

from typing import NamedTuple

from shared.runs.lease import Lease
from shared.serving.registry import Registry
from shared.settings import Settings
from shared.store import Database
from shared.store.runs import Run
from shared.taxonomy import Taxonomy
from shared.training.watch import Interrupted


class RunLost(Exception):
    """The run has gone to another process: nothing more of it is to be written."""


class HeldRun(NamedTuple):
    """What a run works with."""

    run: Run
    lease: Lease
    database: Database
    taxonomy: Taxonomy
    settings: Settings
    registry: Registry

    def go_on(self) -> None:
        """Raises Interrupted where the run is to stop: what comes next would be seen by others."""
        self.lease.flush()
        if self.lease.stop():
            raise Interrupted(0)
