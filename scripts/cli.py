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

TRAINING = "scripts.training.commands"
LABELLING = "scripts.labelling.commands"
TAXONOMY = "scripts.labelling.taxonomy_commands"
SERVICE = "scripts.service.commands"
PROCESSES = "scripts.service.process_commands"
MODELS = "scripts.models.commands"
QUALITY = "scripts.quality.commands"

COMMANDS = {
    "train": (
        TRAINING,
        "Train classifiers on the accepted labels, and measure them on gold. A training worker does it, or --here.",
    ),
    "label": (LABELLING, "Label a file here and now: no broker, no server."),
    "plan": (
        LABELLING,
        "What labelling a file would take: coverage, time, tokens, cost; and one question as it would be asked.",
    ),
    "enqueue": (
        SERVICE,
        "Send a file of reviews to RabbitMQ, confirmed message by message; prints the batch id.",
    ),
    "ingest": (PROCESSES, "Store incoming reviews and send their first tasks, until stopped."),
    "status": (
        SERVICE,
        "Queues, backlog, oldest unlabelled review and labels by stage; or how far a batch is.",
    ),
    "health": (SERVICE, "Exit with 0 when RabbitMQ and PostgreSQL answer."),
    "predict": (MODELS, "Predict a file here with a registered or exported model: no broker."),
    "backfill": (
        MODELS,
        "Let CPU workers predict stored reviews anew with a model, whenever no live review waits.",
    ),
    "quality": (
        MODELS,
        "How predictions hold up without labels: expected accuracy, disagreement with labels, drift, alarms.",
    ),
    "evaluate": (
        QUALITY,
        "F1, precision and coverage against labels that people made, and what every shorter chain would give.",
    ),
    "calibrate": (
        QUALITY,
        "Find thresholds that a gold set certifies, and let workers use them from their next batch on.",
    ),
    "beat": (PROCESSES, "Send periodic tasks, until stopped."),
    "flower": (PROCESSES, "Watch the Celery workers in a browser, behind basic authentication."),
    "db": (SERVICE, "The database schema."),
    "taxonomy": (TAXONOMY, "Taxonomy files."),
    "worker": (PROCESSES, "Celery workers."),
    "thresholds": (QUALITY, "Thresholds that calibrations have stored."),
    "audit": (QUALITY, "Labels checked by hand."),
    "failures": ("scripts.failures.commands", "What failed, and what to do about it."),
    "models": (MODELS, "Registered classifiers, and which of them serves."),
    "runs": (TRAINING, "Training runs: how far they are, what came out, how they compare."),
    "labels": (LABELLING, "Labels from elsewhere."),
    "bench": ("scripts.bench.commands", "Measured comparisons, with the peers they run against."),
}
"""Name, module, and the line of help as it stands there too."""


class Commands(TyperGroup):
    """All of them, in the order of their table."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, (module, line) in COMMANDS.items():
            self.add_command(LazyCommand(name, module, line))


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
