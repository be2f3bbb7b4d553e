"""`otzyv bench`: what its commands are called and ask for. The work is in `scripts.bench`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from scripts.bench import report, store
from scripts.bench.options import Against, BenchOptions
from scripts.bench.system import arrival, champion, latency, pipeline, scale, scratch
from scripts.bench.system import report as system
from scripts.bench.system.against import latencies, measure, pipelines, scales
from scripts.bench.turns import compared
from scripts.command.options import takes
from scripts.command.settings import settings

commands = typer.Typer()
bench = typer.Typer(help="Measured comparisons, with the peers they run against.", no_args_is_help=True)
commands.add_typer(bench, name="bench")

Turns = Annotated[int, typer.Option(min=1, help="How often to measure each way, by turns.")]
ReviewsATurn = Annotated[int, typer.Option(min=1_000, help="Reviews that Otzyv gets in a turn.")]
NaiveReviews = Annotated[int, typer.Option(min=100, help="Reviews that the naive way gets in a turn.")]


@bench.command("pipeline")
@takes(BenchOptions)
def bench_pipeline(
    *,
    reviews: ReviewsATurn = 60_000,
    naive_reviews: NaiveReviews = 3_000,
    turns: Turns = 3,
    student: Annotated[
        bool,
        typer.Option("--student", help="What keywords leave goes to similarity and to a linear classifier."),
    ] = False,
    predictions: Annotated[
        champion.Kind | None,
        typer.Option(
            help="Predict each review as well, by a linear model or a network in rubert-tiny2's shape."
        ),
    ] = None,
    stored_first: Annotated[
        bool, typer.Option("--stored-first", help="With `otzyv ingest` and OTZYV_JUDGE_FIRST=false.")
    ] = False,
    alone: Annotated[bool, typer.Option("--alone", help="Only Otzyv, and nothing beside it.")] = False,
    against: Against = None,
    given: BenchOptions,
) -> None:
    """From RabbitMQ to labels in PostgreSQL, beside one Celery task a review, and a bare loop.

    On the servers in OTZYV_AMQP_URL and OTZYV_DATABASE_URL, in a database of its own; the virtual host must have no
    queues of an Otzyv.
    """
    work = pipeline.PipelineWork(student, predictions, stored_first)
    if against is not None:
        measure(given, settings(), against, pipelines(reviews, turns, work))
        return
    sizes = (reviews, naive_reviews)
    run = partial(pipeline.run, sizes=sizes, turns=turns, work=work, alone=alone)
    system.measure(given, settings(), run, turns, partial(pipeline.shown, work=work))


@bench.command("latency")
@takes(BenchOptions)
def bench_latency(
    *,
    seconds: Annotated[
        float, typer.Option(help="How long to measure in each turn without a backlog.")
    ] = 10.0,
    rate: Annotated[float, typer.Option(min=1, help="Single-review messages a second.")] = 100.0,
    backlog: Annotated[int, typer.Option(min=10_000, help="Reviews of the bulk backlog.")] = 100_000,
    turns: Turns = 3,
    against: Against = None,
    given: BenchOptions,
) -> None:
    """From publish to label, alone and while a bulk backlog waits. Needs what `bench pipeline` needs."""
    if against is not None:
        measure(given, settings(), against, latencies(seconds, rate, backlog, turns))
        return
    run = partial(latency.run, seconds=seconds, rate=rate, backlog=backlog, turns=turns)
    system.measure(given, settings(), run, turns, partial(latency.shown, rate=rate, backlog=backlog))


@bench.command("ingest")
@takes(BenchOptions)
def bench_ingest(
    *,
    reviews: Annotated[int, typer.Option(min=5_000, help="Reviews that Otzyv gets in a turn.")] = 60_000,
    naive_reviews: NaiveReviews = 3_000,
    turns: Turns = 3,
    given: BenchOptions,
) -> None:
    """From RabbitMQ to stored reviews, beside a consumer of single reviews. Needs what `bench pipeline` needs."""
    run = partial(arrival.run, sizes=(reviews, naive_reviews), turns=turns)
    system.measure(given, settings(), run, turns, lambda found: [compared(arrival.WAYS, found)])


@bench.command("store")
@takes(BenchOptions)
def bench_store(
    *,
    seconds: Annotated[float, typer.Option(help="How long to measure in all.")] = 45.0,
    given: BenchOptions,
) -> None:
    """Storing reviews and their places in line, in one process, beside the usual ways with psycopg2. No RabbitMQ."""
    run = partial(store.run, seconds=seconds / report.RUNS, turns=report.RUNS)
    system.measure(
        given, settings(), run, report.RUNS, lambda found: [compared(store.WAYS, found)], scratch.own_database
    )


@bench.command("scale")
@takes(BenchOptions)
def bench_scale(
    *,
    marks: Annotated[
        str,
        typer.Option(
            help="Numbers of stored reviews at which to measure, which adds 50,000 or a fifth of them."
        ),
    ] = "10000,100000,1000000",
    against: Against = None,
    given: BenchOptions,
) -> None:
    """What a review costs when many are stored already, and memory by process. Needs what `bench pipeline` needs."""
    wanted = scale.marks_of(marks)
    if against is not None:
        measure(given, settings(), against, scales(wanted))
        return
    system.measure(given, settings(), partial(scale.run, marks=wanted), len(wanted), scale.shown)


@bench.command("keywords")
@takes(BenchOptions)
def bench_keywords(
    *,
    seconds: Annotated[float, typer.Option(help="How long to measure in all.")] = 27.0,
    given: BenchOptions,
) -> None:
    """Reviews per second of the keyword stage on one core, evidence included."""
    report.keywords(given, seconds)


@bench.command("classifier")
@takes(BenchOptions)
def bench_classifier(
    *,
    seconds: Annotated[float, typer.Option(help="How long to measure in all.")] = 90.0,
    architecture: Annotated[
        Literal["linear", "full"], typer.Option(help="A network in rubert-tiny2's shape, or the linear one.")
    ] = "full",
    tokenizer: Annotated[
        Path | None,
        typer.Option(help="Folder with rubert-tiny2's tokenizer. Without it one is trained on the texts."),
    ] = None,
    given: BenchOptions,
) -> None:
    """Predictions per second on one core, beside transformers, torch and bare ONNX Runtime; or beside scikit-learn."""
    if architecture == "linear":
        report.linear(given, seconds)
    else:
        report.classifier(given, seconds, tokenizer)


@bench.command("zero-shot")
@takes(BenchOptions)
def bench_zero_shot(
    *,
    seconds: Annotated[float, typer.Option(help="How long to measure.")] = 60.0,
    device: Annotated[str, typer.Option(help="auto, cuda, cuda:1, mps or cpu.")] = "auto",
    given: BenchOptions,
) -> None:
    """Reviews per second of the zero-shot stage, and its share of what the device can do."""
    report.zero_shot(given, seconds, device)
