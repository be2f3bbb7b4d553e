"""How much of the runtime's own rate arrives in the table `predictions` through a real RabbitMQ and PostgreSQL.

    python -m tests.benchmarks.prediction_queue reviews.csv --tokenizer folder

Both ways use as many processes as this machine has cores, a model of rubert-tiny2's shape and the same reviews, by
turns. The reviews are stored and their messages sent beforehand: what is measured is the worker, from its first
prediction to its last, with broker and database on the same cores.
"""

from __future__ import annotations

import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Annotated

import psutil
import typer

from scripts.files.input_file import InputFile
from scripts.models.predict import ModelHandle, _answers, _load
from shared.classifiers import Artefact, Location
from shared.classifiers.packaging.hugging_face import read_folder
from shared.classifiers.packaging.package import package
from shared.intake.intake import take_in
from shared.reviews.review import make
from shared.reviews.wire import Message
from shared.runtime import runtime
from shared.serving.registry import Registry
from shared.settings import Settings, load
from shared.store import Database
from shared.store.postgres import schema
from shared.taxonomy import default_taxonomy
from tests.benchmarks.small_encoder import SHAPES
from tests.support.postgres_node import postgres_server
from tests.support.processes import started
from tests.support.servers import RabbitNode, database_of, rabbit_node, wait_until
from workers.rabbitmq.topology import CPU_CLASSIFY

CHUNK = 500
REVIEWS = 40_000
TURNS = 3


def main(
    file: Path,
    tokenizer: Annotated[Path, typer.Option(help="Folder with rubert-tiny2's tokenizer.")],
    reviews: int = REVIEWS,
) -> None:
    """Measure, print, and say how much memory a worker's process takes."""
    texts = [str(row["text"]) for rows in InputFile(file).records() for row in rows if row["text"]]
    texts = (texts * (reviews // len(texts) + 1))[:reviews]
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        artefact = _model(Path(folder), tokenizer, texts[:1_000])
        rabbit = stack.enter_context(rabbit_node())
        server = stack.enter_context(postgres_server())
        ratios, memory = [], []
        for turn in range(TURNS):
            alone = _alone(artefact, Path(folder), texts, cores)
            queued, most = _queued(artefact, Path(folder), texts, cores, rabbit, server)
            ratios.append(queued / alone)
            memory.append(most)
            print(
                f"turn {turn + 1}: runtime {alone:,.0f} reviews/s on {cores} processes, through RabbitMQ "
                f"into predictions {queued:,.0f}, ratio {queued / alone:.2f}; "
                f"largest worker process {most / 2**20:.0f} MiB"
            )
    print(f"median ratio {median(ratios):.2f}, most memory {max(memory) / 2**20:.0f} MiB")


def _model(folder: Path, tokenizer: Path, sample: list[str]) -> Artefact:
    import torch
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    taxonomy = default_taxonomy()
    numbered = {slug: place for place, slug in enumerate(taxonomy.slugs)}
    torch.manual_seed(0)
    config = BertConfig(
        **SHAPES["rubert-tiny2"],
        max_position_embeddings=2_048,
        label2id=numbered,
        id2label={place: slug for slug, place in numbered.items()},
    )
    BertForSequenceClassification(config).save_pretrained(folder / "model")
    AutoTokenizer.from_pretrained(tokenizer).save_pretrained(folder / "model")
    made = read_folder(folder / "model", taxonomy)
    return package(made, taxonomy, sample, Location(str(folder / "models")))


def _alone(artefact: Artefact, folder: Path, texts: list[str], processes: int) -> float:
    """Reviews per second of the runtime on so many processes, with nothing else."""
    place = ModelHandle(str(folder / "models"), artefact.path, artefact.sha256)
    chunks = [texts[at : at + CHUNK] for at in range(0, len(texts), CHUNK)]
    with ProcessPoolExecutor(processes, get_context("spawn"), _load, (place,)) as pool:
        list(pool.map(_answers, chunks[: 2 * processes]))
        began = time.perf_counter()
        list(pool.map(_answers, chunks))
        return len(texts) / (time.perf_counter() - began)


def _queued(
    artefact: Artefact, folder: Path, texts: list[str], processes: int, rabbit: RabbitNode, server: str
) -> tuple[float, int]:
    """Reviews per second from RabbitMQ into the table, and the largest resident size of a worker's process."""
    with rabbit.virtual_host() as amqp_url, database_of(server) as database_url:
        settings = load(amqp_url=amqp_url, database_url=database_url, models=str(folder / "models"))
        database = Database(database_url)
        schema.upgrade(database)
        _fill(database, settings, artefact, texts)
        with started(
            "worker",
            "cpu",
            settings=settings,
            log=folder / "worker.log",
            OTZYV_MODELS=settings.models,
            OTZYV_WORKER_PROCESSES=str(processes),
        ) as worker:
            wait_until(lambda: _count(database) == len(texts), "all predictions")
            most = max(
                child.memory_info().rss for child in psutil.Process(worker.pid).children(recursive=True)
            )
        seconds, first = _span(database)
        database.close()
        return (len(texts) - first) / seconds, most


def _fill(database: Database, settings: Settings, artefact: Artefact, texts: list[str]) -> None:
    """Store the reviews, promote the model, and let the messages wait in the queue."""
    from kombu import Connection, Producer

    from workers.rabbitmq import topology

    here = runtime.build(settings, database)
    registry = Registry(database, Location(settings.models), here.taxonomy, here.taxonomy_id)
    registry.promote(registry.register(artefact), "champion", moved_by="benchmark")
    with Connection(settings.amqp_url, transport_options={"confirm_publish": True}) as connection:
        topology.declare(connection)
        for start in range(0, len(texts), CHUNK):
            part = texts[start : start + CHUNK]
            rows = [make("shop", str(start + n), text, max_text_chars=20_000) for n, text in enumerate(part)]
            stored = take_in(
                database,
                [Message(rows, [])],
                queue="benchmark",
                taxonomy_id=here.taxonomy_id,
                first_stage="keywords",
                predict_queue=CPU_CLASSIFY.queue,
            )
            _send(Producer(connection), stored.unpredicted, here.taxonomy_id)


def _send(producer: object, ids: list[int], taxonomy_id: int) -> None:
    """A task's message as Celery writes it (protocol 2), without the application, which knows another broker."""
    import uuid

    from workers.rabbitmq import topology

    number = str(uuid.uuid4())
    producer.publish(  # type: ignore[attr-defined]
        [[ids, taxonomy_id], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}],
        serializer="json",
        exchange=topology.TASKS,
        routing_key=topology.CPU_CLASSIFY.routing_key,
        headers={"lang": "py", "task": topology.CLASSIFY, "id": number, "root_id": number, "group": None},
        correlation_id=number,
        delivery_mode=2,
    )


def _count(database: Database) -> int:
    with database.transaction() as cursor:
        cursor.execute("SELECT count(*) FROM predictions")
        return int((cursor.fetchone() or (0,))[0])


def _span(database: Database) -> tuple[float, int]:
    """Seconds from the end of the first batch to that of the last, and how many reviews the first had."""
    with database.transaction() as cursor:
        cursor.execute(
            """
            WITH ends AS (SELECT at, count(*) AS n FROM predictions GROUP BY at)
            SELECT extract(epoch FROM max(at) - min(at)), (SELECT n FROM ends ORDER BY at LIMIT 1) FROM ends
            """
        )
        seconds, first = cursor.fetchone() or (1, 0)
        return float(seconds), int(first)


if __name__ == "__main__":
    typer.run(main)
