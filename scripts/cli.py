"""The `otzyv` command: which commands there are. What each asks for is in the `commands.py` beside its work."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from scripts.command import console
from scripts.command.ending import ENDED, ended_by_signals
from scripts.command.help import OPTION, language_taken, spoken
from scripts.command.lazy import LazyCommand
from scripts.language import language
from scripts.language.language import translated
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
        "Take in the reviews of a stream, or beside CPU workers those of the queue, until stopped.",
    ),
    "status": (
        "service.commands",
        "Queues, backlog, oldest unlabelled review and labels by stage; or how far a batch is.",
    ),
    "health": (
        "service.commands",
        "Exit with 0 when RabbitMQ and PostgreSQL answer; says what is tried again and again all the same.",
    ),
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
        "F1 on gold, precision and coverage of labels, and what every shorter chain would give.",
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

    def make_context(self, info_name: str | None, args: list[str], *others: Any, **more: Any) -> Any:
        """The language is known before anything is shown, wherever its option stands."""
        asked, rest = language_taken(args)
        language.use(asked or language.of(os.environ))
        return super(Commands, spoken(self)).make_context(info_name, rest, *others, **more)


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
    _language: Annotated[
        Literal["en", "ru"] | None,
        typer.Option(
            OPTION,
            help="Language of help, summaries and reports; before or after the command. "
            "(default: OTZYV_LANGUAGE, else that of the locale)",
        ),
    ] = None,
) -> None:
    """What goes before every command."""


def main() -> None:
    """The console script: errors of ours are told in one line, others keep their traceback."""
    if sys.argv[1:2] == ["worker"] and "cpu" in sys.argv:
        # A CPU worker has a process for each core. More threads in each wait for one another: with two cores a review
        # that went through similarity and student cost 166 microseconds of CPU instead of 66. Numpy reads it once.
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ.setdefault(name, "1")
    console.never_fail_to_print()
    try:
        with ended_by_signals():
            app()
    except OtzyvError as error:
        console.tell(error)
        sys.exit(2 if isinstance(error, ConfigurationError) else 75)  # 75: EX_TEMPFAIL of sysexits.h
    except (KeyboardInterrupt, SystemExit) as end:
        # Typer makes an exit of Ctrl-C, and says nothing.
        status = end.code if isinstance(end, SystemExit) else ENDED[0]
        if status in ENDED:
            console.err.print(translated("interrupted"))
        sys.exit(status)
