"""The `otzyv` command: what each subcommand is called and asks for. The work is in the modules beside it."""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from scripts.bench import commands as bench_commands
from scripts.command import console
from scripts.command.options import FileArgument, TextColumn
from scripts.command.settings import TaxonomyFile, settings
from scripts.failures import commands as failures_commands
from scripts.models import commands as models_commands
from scripts.quality import commands as quality_commands
from scripts.store_option import Store
from scripts.training import commands as training_commands
from shared.errors import ConfigurationError, OtzyvError

if TYPE_CHECKING:
    from scripts.files.review_rows import ReviewRows

app = typer.Typer(
    help="Product categories for Russian reviews: cheap methods first, costly ones only where they are unsure.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
db = typer.Typer(help="The database schema.", no_args_is_help=True)
taxonomy = typer.Typer(help="Taxonomy files.", no_args_is_help=True)
worker = typer.Typer(help="Celery workers.", no_args_is_help=True)
groups = {
    "db": db,
    "taxonomy": taxonomy,
    "worker": worker,
    "thresholds": quality_commands.thresholds,
    "audit": quality_commands.audit,
    "failures": failures_commands.failures,
    "models": models_commands.models,
    "runs": training_commands.runs,
    "labels": training_commands.labels,
    "bench": bench_commands.bench,
}
for name, group in groups.items():
    app.add_typer(group, name=name)
app.command()(training_commands.train)

IdColumn = Annotated[
    str | None, typer.Option(help="Column with the review's id. (default: id, else its row and text)")
]
SourceColumn = Annotated[str | None, typer.Option(help="Column with the review's source. (default: source)")]
CreatedColumn = Annotated[str | None, typer.Option(help="Column with the time of writing, ISO 8601.")]
SourceName = Annotated[
    str | None, typer.Option("--source", help="Source of all rows. (default: the file's name)")
]
Encoding = Annotated[str, typer.Option(help="Encoding of a text file, for example cp1251.")]
Delimiter = Annotated[str | None, typer.Option(help="Column delimiter of a CSV. (default: , ; or tab)")]


def _rows(
    file: Path, text: str, id_: str | None, source: str | None, created: str | None, name: str | None,
    encoding: str, delimiter: str | None,
) -> ReviewRows:  # fmt: skip
    # pandas and pyarrow, which commands without a file need not wait for.
    from scripts.files.input_file import InputFile
    from scripts.files.review_rows import Columns, ReviewRows

    columns = Columns(text=text, id=id_, created_at=created, source=source)
    return ReviewRows(InputFile(file, encoding=encoding, delimiter=delimiter), columns, name or _source(file))


def _source(file: Path) -> str:
    """A file's name without its endings, packed or not: both hold the same reviews."""
    return Path(file.name.removesuffix(".gz")).stem[:200] or file.name[:200]


def _version(wanted: bool) -> None:
    if wanted:
        console.out.print(f"otzyv {version('otzyv')}")
        raise typer.Exit


@app.callback()
def _options(
    _version_wanted: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def label(
    file: FileArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the labels go: .csv, .jsonl or .parquet.")],
    report: Annotated[
        Path | None, typer.Option(help="Where the HTML report goes. (default: beside --out)")
    ] = None,
    text_column: TextColumn = "text",
    id_column: IdColumn = None,
    source_column: SourceColumn = None,
    created_column: CreatedColumn = None,
    source: SourceName = None,
    encoding: Encoding = "utf-8",
    delimiter: Delimiter = None,
    taxonomy: TaxonomyFile = None,
    store: Annotated[
        Path | None, typer.Option(help="Folder in which the database is kept. (default: a temporary one)")
    ] = None,
) -> None:
    """Label a file here and now: no broker, no server."""
    from scripts.labelling.label import LabelRequest
    from scripts.labelling.label import label as run

    chosen = settings(taxonomy=taxonomy, log_level="warning")
    rows = _rows(file, text_column, id_column, source_column, created_column, source, encoding, delimiter)
    page = report or out.with_suffix(".html")
    run(LabelRequest(rows, out, page, chosen.stages, store, chosen))
    console.out.print(f"labels: {out}\nreport: {page}", soft_wrap=True)


@app.command()
def plan(
    file: FileArgument,
    sample: Annotated[int, typer.Option(min=1, max=100_000, help="Reviews that are tried.")] = 500,
    seed: Annotated[int, typer.Option(help="For the same sample again.")] = 0,
    ask: Annotated[
        int, typer.Option(min=0, max=1_000, help="Ask the language model about so many of them; that costs.")
    ] = 0,
    text_column: TextColumn = "text",
    id_column: IdColumn = None,
    encoding: Encoding = "utf-8",
    delimiter: Delimiter = None,
    taxonomy: TaxonomyFile = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """What labelling a file would take: coverage, time, tokens, cost; and one question as it would be asked."""
    from scripts.labelling.plan import plan as run

    chosen = settings(taxonomy=taxonomy)
    rows = _rows(file, text_column, id_column, None, None, None, encoding, delimiter)
    run(rows, sample, seed, ask, chosen, as_json=json)


@app.command()
def enqueue(
    file: FileArgument,
    follow: Annotated[
        bool, typer.Option("--follow", help="Show progress until everything is labelled.")
    ] = False,
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds to wait for a full queue that takes nothing.")
    ] = 600.0,
    live: Annotated[
        bool,
        typer.Option(
            "--live",
            help="By the live lane, among what comes by itself; without it by the bulk lane, which gives way.",
        ),
    ] = False,
    text_column: TextColumn = "text",
    id_column: IdColumn = None,
    source_column: SourceColumn = None,
    created_column: CreatedColumn = None,
    source: SourceName = None,
    encoding: Encoding = "utf-8",
    delimiter: Delimiter = None,
) -> None:
    """Send a file of reviews to RabbitMQ, confirmed message by message; prints the batch id."""
    from scripts.service import enqueue as sending

    chosen = settings()
    rows = _rows(file, text_column, id_column, source_column, created_column, source, encoding, delimiter)
    batch, sent = sending.enqueue(rows, chosen, patience, "live" if live else "bulk")
    if follow and not sending.follow(batch, sent, chosen, "live" if live else "bulk"):
        raise typer.Exit(3)


@app.command()
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
    from scripts.service import processes

    processes.ingest(settings(), stream, start)


@app.command()
def status(
    batch: Annotated[UUID | None, typer.Argument(help="Show one batch instead of everything.")] = None,
) -> None:
    """Queues, backlog, oldest unlabelled review and labels by stage; or how far a batch is."""
    from scripts.service import enqueue as sending
    from scripts.service import status as state

    chosen = settings()
    if batch is None:
        console.out.print(state.overall(chosen))
    else:
        sending.show_batch(batch, chosen)


@app.command()
def health(
    worker: Annotated[bool, typer.Option("--worker", help="Ask this machine's Celery worker too.")] = False,
) -> None:
    """Exit with 0 when RabbitMQ and PostgreSQL answer."""
    from scripts.service.status import check_health

    check_health(settings(), worker=worker)
    console.out.print("ok")


@app.command()
def predict(
    file: FileArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where predictions go: .csv, .jsonl or .parquet.")],
    model: Annotated[
        str | None,
        typer.Option(
            help="Number of a registered model, or a folder of `otzyv models export`, without a database. "
            "(default: the champion)"
        ),
    ] = None,
    store: Store = None,
    processes: Annotated[int | None, typer.Option(min=1, help="(default: one per core)")] = None,
    text_column: TextColumn = "text",
    id_column: IdColumn = None,
    source_column: SourceColumn = None,
    created_column: CreatedColumn = None,
    source: SourceName = None,
    encoding: Encoding = "utf-8",
    delimiter: Delimiter = None,
    taxonomy: TaxonomyFile = None,
) -> None:
    """Predict a file here with a registered or exported model: no broker."""
    from scripts.models.predict import predict as run

    rows = _rows(file, text_column, id_column, source_column, created_column, source, encoding, delimiter)
    run(rows, out, model, processes, settings(taxonomy=taxonomy), store)


@app.command()
def backfill(
    model: Annotated[int, typer.Option(help="Number of the model, see `otzyv models list`.")],
    follow: Annotated[bool, typer.Option("--follow", help="Watch until it is through.")] = False,
    taxonomy: TaxonomyFile = None,
) -> None:
    """Let CPU workers predict stored reviews anew with a model, whenever no live review waits."""
    from scripts.models.backfill import backfill as run

    run(model, settings(taxonomy=taxonomy), follow=follow)


@app.command()
def quality(
    days: Annotated[int, typer.Option(min=1, max=3_650, help="How many days, today included (UTC).")] = 14,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    taxonomy: TaxonomyFile = None,
) -> None:
    """How predictions hold up without labels: expected accuracy, disagreement with labels, drift, alarms."""
    from scripts.models.drift import show

    show(days, settings(taxonomy=taxonomy), as_json=json)


@app.command()
def evaluate(
    gold: Annotated[
        Path, typer.Option(help="Gold set: columns id or text, category, and optionally ambiguous.")
    ],
    stage: Annotated[str | None, typer.Option(help="Evaluate this stage alone.")] = None,
    chain: Annotated[
        str | None, typer.Option(help="Stages in order. (default: those of OTZYV_CASCADE_STAGES)")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Score the labels in this file instead: columns id or text, category.")
    ] = None,
    reviews: Annotated[
        Path | None,
        typer.Option(help="File with the gold reviews' texts. (default: reviews.csv beside gold)"),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write an HTML page, or the confusion matrix alone as .svg.")
    ] = None,
    calibrated: Annotated[
        bool, typer.Option("--calibrated", help="With the thresholds that `otzyv calibrate` has stored.")
    ] = False,
    taxonomy: TaxonomyFile = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """F1, precision and coverage against labels that people made, and what every shorter chain would give."""
    from scripts.quality.evaluate import EvaluateRequest, stage_order
    from scripts.quality.evaluate import evaluate as run

    if sum(option is not None for option in (stage, chain, labels)) > 1:
        raise ConfigurationError(
            "evaluate: expected one of --stage, --chain and --labels, found several; choose one"
        )
    chosen = settings(taxonomy=taxonomy)
    order = () if labels else stage_order(stage, chain, chosen)
    run(EvaluateRequest(gold, reviews, order, labels, report, calibrated, json), chosen)


@app.command()
def calibrate(
    gold: Annotated[
        Path | None, typer.Option(help="Gold set, as for evaluate. (default: the gold in the database)")
    ] = None,
    target_precision: Annotated[float, typer.Option(help="Share of kept labels that must be right.")] = 0.95,
    certainty: Annotated[float, typer.Option(help="How sure to be of that.")] = 0.95,
    per_category: Annotated[
        bool, typer.Option("--per-category", help="Certify categories with enough gold on their own.")
    ] = False,
    allow_uncertified: Annotated[
        bool, typer.Option("--allow-uncertified", help="Leave stages that fail their present threshold.")
    ] = False,
    plot: Annotated[Path | None, typer.Option(help="Draw precision against coverage: .html or .svg.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Store nothing.")] = False,
    reviews: Annotated[
        Path | None,
        typer.Option(help="File with the gold reviews' texts. (default: reviews.csv beside gold)"),
    ] = None,
    store: Annotated[
        Path | None, typer.Option(help="Folder of `otzyv label --store` instead of the server's database.")
    ] = None,
    taxonomy: TaxonomyFile = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Find thresholds that a gold set certifies, and let workers use them from their next batch on."""
    from scripts.quality.calibrate import CalibrateRequest
    from scripts.quality.calibrate import calibrate as run

    request = CalibrateRequest(
        gold,
        reviews,
        target_precision,
        certainty,
        per_category,
        allow_uncertified,
        plot,
        dry_run,
        json,
        store,
    )
    if code := run(request, settings(taxonomy=taxonomy)):
        raise typer.Exit(code)


@app.command()
def beat() -> None:
    """Send periodic tasks, until stopped."""
    from scripts.service import processes

    processes.beat(settings())


@app.command()
def flower() -> None:
    """Watch the Celery workers in a browser, behind basic authentication."""
    from scripts.service import processes

    processes.flower(settings())


@worker.command("cpu")
def worker_cpu(
    processes: Annotated[int | None, typer.Option(min=1, help="Processes. (default: one per core)")] = None,
    name: Annotated[str | None, typer.Option(help="Name, when several run on one machine.")] = None,
) -> None:
    """Keywords, similarity on word vectors, and upkeep, until stopped."""
    from scripts.service.processes import work

    work("cpu", settings(), processes, name)


@worker.command("gpu")
def worker_gpu(
    name: Annotated[str | None, typer.Option(help="Name, when several run on one machine.")] = None,
) -> None:
    """Zero-shot, similarity and LLM labelling, one batch at a time, until stopped."""
    from scripts.service.processes import work

    work("gpu", settings(), None, name)


@worker.command("train")
def worker_train(
    name: Annotated[str | None, typer.Option(help="Name, when several run on one machine.")] = None,
) -> None:
    """Training runs, one at a time, each in a process of its own, until stopped."""
    from scripts.service.processes import work

    work("train", settings(), None, name)


@db.command("upgrade")
def db_upgrade() -> None:
    """Create or update the tables, and the roles that may use them. Safe to repeat."""
    from shared.runtime.runtime import open_database
    from shared.store.postgres import schema

    chosen = settings()
    logins = {role: password.get_secret_value() for role, password in chosen.database_logins.items()}
    version = schema.upgrade(
        open_database(chosen, "otzyv db upgrade"),
        {role: password for role, password in logins.items() if password},
        lambda sentence: console.remark("note", sentence),
    )
    console.out.print(f"database schema is at version {version}")


@db.command("prune")
def db_prune(
    older_than: Annotated[int, typer.Option(min=1, help="Days since a review's text came.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say how many would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete old reviews and all that was made of them, but for what waits or people have judged.

    Runs as the user who upgrades the schema: no other may delete reviews.
    """
    from scripts.service.prune import prune

    prune(settings(), older_than, dry_run=dry_run, yes=yes)


@taxonomy.command("check")
def taxonomy_check(
    file: Annotated[Path, typer.Argument(help="Taxonomy file in YAML.")],
    show_all: Annotated[bool, typer.Option("--all", help="Show every warning.")] = False,
) -> None:
    """Say what is wrong with a taxonomy: where, why, and what to write instead."""
    from scripts.labelling.taxonomy import check

    if not check(file, show_all=show_all):
        raise typer.Exit(2)


def main() -> None:
    """The console script: errors of ours are told in one line, others keep their traceback."""
    try:
        app()
    except OtzyvError as error:
        console.tell(error)
        sys.exit(2 if isinstance(error, ConfigurationError) else 75)  # 75: EX_TEMPFAIL of sysexits.h
    except KeyboardInterrupt:
        console.err.print("interrupted")
        sys.exit(130)
