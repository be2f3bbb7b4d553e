"""Batches for the keyword stage, sent past ingest, and a worker that fails on some of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kombu import Connection

from shared.reviews.review import Review
from shared.runtime import runtime
from shared.settings import Settings
from shared.store import Database
from tests.support.processes import kill, module
from tests.support.stored import take_reviews
from workers.app import app
from workers.rabbitmq import topology


@contextmanager
def brittle_worker(settings: Settings, folder: Path, **more: str) -> Iterator[Path]:
    """A worker that fails on certain words; yields its log."""
    log = folder / "worker.log"
    tries = str(folder / "tries")
    with module("tests.support.brittle_worker", settings, log, BRITTLE_TRIES=tries, **more) as process:
        yield log
        kill(process)  # it may be in the middle of a task that never ends


def send(settings: Settings, database: Database, texts: list[str]) -> None:
    """Store reviews and send them to the keyword stage as one batch."""
    here = runtime.build(settings, database)
    reviews = (Review("shop", f"{number} {text}", text) for number, text in enumerate(texts))
    stored = take_reviews(database, here.taxonomy_id, *reviews, first_stage=settings.stages[0])
    with Connection(settings.amqp_url, transport_options={"confirm_publish": True}) as connection:
        topology.declare(connection)
        line = topology.STAGE_QUEUES["cpu.keywords"]
        app.send_task(
            "workers.labelling.keywords",
            args=(stored.first_stage, here.taxonomy_id),
            connection=connection,
            exchange=line.exchange.name,
            routing_key=line.routing_key,
        )
