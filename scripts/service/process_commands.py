"""`otzyv ingest`, `beat`, `flower` and `worker`: the commands that run until they are stopped."""

from __future__ import annotations

from typing import Annotated

import typer

from scripts.command.settings import settings
from scripts.service import processes

commands = typer.Typer()
worker = typer.Typer(help="Celery workers.", no_args_is_help=True)
commands.add_typer(worker, name="worker")

WorkerName = Annotated[str | None, typer.Option(help="Name, when several run on one machine.")]


@commands.command()
def ingest(
    stream: Annotated[
        str | None, typer.Option(help="Read this stream of RabbitMQ instead of the queue reviews.incoming.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Begin there: first, next, an offset or a time such as 2026-01-02T03:04:05Z. "
            "(default: the stored offset, else first)",
        ),
    ] = None,
) -> None:
    """Store incoming reviews and send their first tasks, until stopped."""
    processes.ingest(settings(), stream, start)


@commands.command()
def beat() -> None:
    """Send periodic tasks, until stopped."""
    processes.beat(settings())


@commands.command()
def flower() -> None:
    """Watch the Celery workers in a browser, behind basic authentication."""
    processes.flower(settings())


@worker.command("cpu")
def worker_cpu(
    count: Annotated[
        int | None, typer.Option("--processes", min=1, help="Processes. (default: one per core)")
    ] = None,
    name: WorkerName = None,
) -> None:
    """Keywords, similarity on word vectors, and upkeep, until stopped."""
    processes.work("cpu", settings(), count, name)


@worker.command("gpu")
def worker_gpu(name: WorkerName = None) -> None:
    """Zero-shot, similarity and LLM labelling, one batch at a time, until stopped."""
    processes.work("gpu", settings(), None, name)


@worker.command("train")
def worker_train(name: WorkerName = None) -> None:
    """Training runs, one at a time, each in a process of its own, until stopped."""
    processes.work("train", settings(), None, name)
