"""A second try for what failed: put back by the store, then sent, and confirmed."""

from __future__ import annotations

from collections.abc import Iterator

from shared.labelling import second_try
from shared.labelling.second_try import RetriedPart
from shared.runtime.runtime import Runtime
from shared.settings import Settings
from shared.store.failures import FailureFilter
from workers.rabbitmq import topology
from workers.rabbitmq.confirmed import Confirmed
from workers.rabbitmq.publisher import PROPERTIES
from workers.tasks import labelling, prediction


def stages_of_queues(settings: Settings) -> list[tuple[str, str]]:
    """(queue, stage) of the stages in use, in the order of the cascade."""
    now, *ever = (
        {stage: line.queue for stage, line in lines.items()}
        for lines in (topology.stage_lines(settings), topology.STAGE_LINES, topology.NAVEC_LINES)
    )
    return second_try.stages_of_queues(settings.stages, now, ever)


class SecondTry:
    """Retries failures, a part at a time; each part that is handed out has been sent and confirmed.

    A process that dies between the commit and the confirmation leaves reviews that wait; the sweep sends them.
    """

    def __init__(self, here: Runtime, confirmed: Confirmed) -> None:
        self._here = here
        self._confirmed = confirmed

    def retry(self, choice: FailureFilter) -> Iterator[RetriedPart]:
        """Every failure that is chosen, whatever its kind."""
        yield from self._rejected(choice)
        yield from self._in_stages(choice)
        yield from self._predictions(choice)

    def _in_stages(self, choice: FailureFilter) -> Iterator[RetriedPart]:
        settings = self._here.settings
        stages = stages_of_queues(settings)
        for part in second_try.wait_again(self._here.database, choice, stages, settings.stages[0]):
            for (stage, taxonomy_id), ids in part.by_stage().items():
                labelling.send(stage, ids, taxonomy_id)
            yield part

    def _predictions(self, choice: FailureFilter) -> Iterator[RetriedPart]:
        for part in second_try.await_again(self._here.database, choice, self._here.taxonomy_id):
            prediction.send(part.unpredicted, self._here.taxonomy_id)
            yield part

    def _rejected(self, choice: FailureFilter) -> Iterator[RetriedPart]:
        def send(payload: bytes) -> None:
            # What a rejected message claimed to be may have been why it was rejected.
            self._confirmed.publish(payload, topology.REVIEWS, topology.INCOMING_KEY, PROPERTIES)

        return second_try.send_again(self._here.database, choice, send)
