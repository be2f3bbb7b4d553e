"""The `otzyv` command: which commands there are. What each asks for is in the `commands.py` beside its work."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from scripts.command import console
from scripts.command.lazy import LazyCommand
from shared.errors import ConfigurationError, OtzyvError

COMMANDS = {
    "train": (
        "training.commands",
        "Train classifiers on the accepted labels, and measure them on gold. A training worker does it, or --here.",
    ),
    "label": ("labelling.commands", "Label a file here and now: no broker, no server."),
    "plan": (
        "labelling.commands",
        "What labelling a file would take: coverage, time, tokens, cost; and one question as it would be asked.",
    ),
    "enqueue": (
        "service.commands",
        "Send a file of reviews to RabbitMQ, confirmed message by message; prints the batch id.",
    ),
    "ingest": (
        "service.process_commands",
        "Store incoming reviews and send their first tasks, until stopped.",
    ),
    "status": (
        "service.commands",
        "Queues, backlog, oldest unlabelled review and labels by stage; or how far a batch is.",
    ),
    "health": ("service.commands", "Exit with 0 when RabbitMQ and PostgreSQL answer."),
    "predict": ("models.commands", "Predict a file here with a registered or exported model: no broker."),
    "backfill": (
        "models.commands",
        "Let CPU workers predict stored reviews anew with a model, whenever no live review waits.",
    ),
    "quality": (
        "models.commands",
        "How predictions hold up without labels: expected accuracy, disagreement with labels, drift, alarms.",
    ),
    "evaluate": (
        "quality.commands",
        "F1, precision and coverage against labels that people made, and what every shorter chain would give.",
    ),
    "calibrate": (
        "quality.commands",
        "Find thresholds that a gold set certifies, and let workers use them from their next batch on.",
    ),
    "beat": ("service.process_commands", "Send periodic tasks, until stopped."),
    "flower": (
        "service.process_commands",
        "Watch the Celery workers in a browser, behind basic authentication.",
    ),
    "db": ("service.commands", "The database schema."),
    "taxonomy": ("labelling.taxonomy_commands", "Taxonomy files."),
    "worker": ("service.process_commands", "Celery workers."),
    "thresholds": ("quality.commands", "Thresholds that calibrations have stored."),
    "audit": ("quality.commands", "Labels checked by hand."),
    "failures": ("failures.commands", "What failed, and what to do about it."),
    "models": ("models.commands", "Registered classifiers, and which of them serves."),
    "runs": ("training.commands", "Training runs: how far they are, what came out, how they compare."),
    "labels": ("labelling.commands", "Labels from elsewhere."),
    "bench": ("bench.commands", "Measured comparisons, with the peers they run against."),
}
"""Name, module of `scripts`, and the line of help as it stands there too."""


class Commands(TyperGroup):
    """All of them, in the order of their table."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, (module, line) in COMMANDS.items():
            self.add_command(LazyCommand(name, f"scripts.{module}", line))


app = typer.Typer(
    cls=Commands,
    help="Product categories for Russian reviews: cheap methods first, costly ones only where they are unsure.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        console.out.print(f"otzyv {version('otzyv')}")
        raise typer.Exit


@app.callback()
def options(
    _version_wanted: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """What goes before every command."""


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
