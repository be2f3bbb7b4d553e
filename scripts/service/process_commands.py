"""`otzyv ingest`, `beat`, `flower` and `worker`: the commands that run until they are stopped."""

from __future__ import annotations

from typing import Annotated

import typer

from scripts.command.settings import settings
from scripts.service import processes
from scripts.service.dry_run import SAMPLE, dry_run
from shared.errors import ConfigurationError
from workers.ingest import stream_start

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
    dry: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Only show what would be stored and what refused, and take nothing; exit code 3 where some would be.",
        ),
    ] = False,
    sample: Annotated[
        int | None,
        typer.Option(min=1, max=10_000, help="Messages that --dry-run looks at. (default: 100)"),
    ] = None,
) -> None:
    """Take in the reviews of a stream, or beside CPU workers those of the queue, until stopped."""
    if sample is not None and not dry:
        raise ConfigurationError(
            f"--sample {sample}: expected --dry-run beside it, found none; ingest takes all"
        )
    stream_start.check(stream, start)
    if not dry:
        processes.ingest(settings(), stream, start)
    elif dry_run(settings(), stream, start, sample or SAMPLE):
        raise typer.Exit(3)


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
    """Incoming reviews, stages without a GPU, and upkeep, until stopped."""
    processes.work("cpu", settings(), count, name)


@worker.command("gpu")
def worker_gpu(name: WorkerName = None) -> None:
    """Zero-shot, similarity and LLM labelling, one batch at a time, until stopped."""
    processes.work("gpu", settings(), None, name)


@worker.command("train")
def worker_train(name: WorkerName = None) -> None:
    """Training runs, one at a time, each in a process of its own, until stopped."""
    processes.work("train", settings(), None, name)
