"""`otzyv bench`: what its commands are called and ask for. The work is in `scripts.bench`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from scripts.bench import report
from scripts.bench.system import report as system
from scripts.bench.system.scale import marks_of
from scripts.command.settings import settings
from scripts.files.input_file import InputFile
from scripts.files.options import FileArgument, TextColumn
from shared.errors import ConfigurationError

commands = typer.Typer()
bench = typer.Typer(help="Measured comparisons, with the peers they run against.", no_args_is_help=True)
commands.add_typer(bench, name="bench")


def _can_be_written(path: Path | None) -> Path | None:
    """Said before the measurement, not after it."""
    if path is not None and (path.is_dir() or not os.access(path.absolute().parent, os.W_OK)):
        raise ConfigurationError(
            f"--json {path}: expected a file in a folder that can be written to, found none; make the folder, or "
            "choose another"
        )
    return path


JsonFile = Annotated[
    Path | None,
    typer.Option("--json", help="Write the figures there as well.", callback=_can_be_written),
]
Turns = Annotated[int, typer.Option(min=1, help="How often to measure each way, by turns.")]
ReviewsATurn = Annotated[int, typer.Option(min=1_000, help="Reviews that Otzyv gets in a turn.")]
NaiveReviews = Annotated[int, typer.Option(min=100, help="Reviews that the naive way gets in a turn.")]


@bench.command("pipeline")
def bench_pipeline(
    file: FileArgument,
    reviews: ReviewsATurn = 60_000,
    naive_reviews: NaiveReviews = 3_000,
    turns: Turns = 3,
    text_column: TextColumn = "text",
    json: JsonFile = None,
) -> None:
    """From RabbitMQ to labels in PostgreSQL, beside one Celery task a review, and a bare loop.

    On the servers in OTZYV_AMQP_URL and OTZYV_DATABASE_URL, in a database of its own; the virtual host must have no
    queues of an Otzyv.
    """
    system.run_pipeline(settings(), InputFile(file), text_column, (reviews, naive_reviews), turns, json)


@bench.command("latency")
def bench_latency(
    file: FileArgument,
    seconds: Annotated[
        float, typer.Option(help="How long to measure in each turn without a backlog.")
    ] = 10.0,
    rate: Annotated[float, typer.Option(min=1, help="Single-review messages a second.")] = 100.0,
    backlog: Annotated[int, typer.Option(min=10_000, help="Reviews of the bulk backlog.")] = 100_000,
    turns: Turns = 3,
    text_column: TextColumn = "text",
    json: JsonFile = None,
) -> None:
    """From publish to label, alone and while a bulk backlog waits. Needs what `bench pipeline` needs."""
    system.run_latency(settings(), InputFile(file), text_column, seconds, rate, backlog, turns, json)


@bench.command("ingest")
def bench_ingest(
    file: FileArgument,
    reviews: Annotated[int, typer.Option(min=5_000, help="Reviews that Otzyv gets in a turn.")] = 60_000,
    naive_reviews: NaiveReviews = 3_000,
    turns: Turns = 3,
    text_column: TextColumn = "text",
    json: JsonFile = None,
) -> None:
    """From RabbitMQ to stored reviews, beside a consumer of single reviews. Needs what `bench pipeline` needs."""
    system.run_ingest(settings(), InputFile(file), text_column, (reviews, naive_reviews), turns, json)


@bench.command("store")
def bench_store(
    file: FileArgument,
    seconds: Annotated[float, typer.Option(help="How long to measure in all.")] = 45.0,
    text_column: TextColumn = "text",
    json: JsonFile = None,
) -> None:
    """Storing reviews and their places in line, in one process, beside the usual ways with psycopg2. No RabbitMQ."""
    system.run_store(settings(), InputFile(file), text_column, seconds, json)


@bench.command("scale")
def bench_scale(
    file: FileArgument,
    marks: Annotated[
        str,
        typer.Option(
            help="Numbers of stored reviews at which to measure, which adds 50,000 or a fifth of them."
        ),
    ] = "10000,100000,1000000",
    text_column: TextColumn = "text",
    json: JsonFile = None,
) -> None:
    """What a review costs when many are stored already, and memory by process. Needs what `bench pipeline` needs."""
    system.run_scale(settings(), InputFile(file), text_column, marks_of(marks), json)


@bench.command("keywords")
def bench_keywords(
    file: FileArgument,
    seconds: Annotated[float, typer.Option(help="How long to measure in all.")] = 27.0,
    text_column: TextColumn = "text",
    json: JsonFile = None,
) -> None:
    """Reviews per second of the keyword stage on one core, evidence included."""
    report.keywords(InputFile(file), text_column, seconds, json)


@bench.command("classifier")
def bench_classifier(
    file: FileArgument,
    seconds: Annotated[float, typer.Option(help="How long to measure in all.")] = 90.0,
    tokenizer: Annotated[
        Path | None,
        typer.Option(help="Folder with rubert-tiny2's tokenizer. Without it one is trained on the texts."),
    ] = None,
    text_column: TextColumn = "text",
    json: JsonFile = None,
) -> None:
    """Predictions per second on one core, beside transformers, torch and bare ONNX Runtime."""
    report.classifier(InputFile(file), text_column, seconds, tokenizer, json)


@bench.command("zero-shot")
def bench_zero_shot(
    file: FileArgument,
    seconds: Annotated[float, typer.Option(help="How long to measure.")] = 60.0,
    device: Annotated[str, typer.Option(help="auto, cuda, cuda:1, mps or cpu.")] = "auto",
    text_column: TextColumn = "text",
    json: JsonFile = None,
) -> None:
    """Reviews per second of the zero-shot stage, and its share of what the device can do."""
    report.zero_shot(InputFile(file), text_column, seconds, device, json)
