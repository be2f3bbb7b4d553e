"""A second try for what failed: put back by the store, then sent, and confirmed."""

from __future__ import annotations

from collections.abc import Iterator

from shared.labelling import second_try
from shared.labelling.second_try import RetriedPart
from shared.reviews.origin import Origin
from shared.runtime.runtime import Runtime
from shared.store.failures import FailureFilter
from workers.rabbitmq import topology
from workers.rabbitmq.confirmed import Confirmed
from workers.rabbitmq.publisher import PROPERTIES
from workers.tasks import sending


def retry(here: Runtime, confirmed: Confirmed, choice: FailureFilter) -> Iterator[RetriedPart]:
    """Retry every failure that is chosen, whatever its kind; each part that is handed out has been sent and confirmed.

    A process that dies between the commit and the confirmation leaves reviews that wait; the sweep sends them.
    """

    def publish(payload: bytes, came: Origin) -> None:
        # What a rejected message claimed to be may have been why it was rejected.
        properties = {**PROPERTIES, "application_headers": came.headers}
        confirmed.publish(payload, topology.REVIEWS, topology.INCOMING_KEY, properties)

    yield from second_try.send_again(here.database, choice, publish)
    stages = second_try.stages_of_queues(here.settings)
    for part in second_try.wait_again(here.database, choice, stages, here.settings.stages[0]):
        for (stage, taxonomy_id), ids in part.by_stage().items():
            sending.to_stage(stage, ids, taxonomy_id)
        yield part
    for part in second_try.await_again(here.database, choice, here.taxonomy_id):
        sending.to_be_predicted(part.unpredicted, here.taxonomy_id)
        yield part
