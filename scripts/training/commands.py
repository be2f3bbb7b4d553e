"""`otzyv train` and `otzyv runs`: what these commands are called and ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scripts.command.options import JsonForTable, JsonForTables, Store, takes
from scripts.command.settings import TaxonomyFile, settings
from scripts.training import runs as running
from scripts.training import train as training
from scripts.training.options import TrainOptions

commands = typer.Typer()
runs = typer.Typer(
    help="Training runs: how far they are, what came out, how they compare.", no_args_is_help=True
)
commands.add_typer(runs, name="runs")

RunNumber = Annotated[int, typer.Argument(help="Number of the run, see `otzyv runs list`.")]


@commands.command()
@takes(TrainOptions)
def train(*, given: TrainOptions, taxonomy: TaxonomyFile = None) -> None:
    """Train classifiers on the accepted labels, and measure them on gold. A training worker does it, or --here."""
    # Log lines would disturb the table of runs in the same terminal.
    chosen = settings(taxonomy=taxonomy, log_level="warning" if given.here else None)
    if code := training.train(given, chosen):
        raise typer.Exit(code)


@runs.command("list")
def runs_list(
    n: Annotated[int, typer.Option("--n", min=1, max=1_000, help="How many, the newest.")] = 20,
    json: JsonForTable = False,
    store: Store = None,
    taxonomy: TaxonomyFile = None,
) -> None:
    """Which runs there are, how far they are, and what they have reached."""
    running.show_all(n, settings(taxonomy=taxonomy), store, as_json=json)


@runs.command("show")
def runs_show(number: RunNumber, store: Store = None, taxonomy: TaxonomyFile = None) -> None:
    """All about a run: arguments, data, metrics, verdict."""
    running.show(number, settings(taxonomy=taxonomy), store)


@runs.command("watch")
def runs_watch(
    numbers: Annotated[
        list[int] | None, typer.Argument(help="Runs. (default: all that have not ended)")
    ] = None,
    store: Store = None,
    taxonomy: TaxonomyFile = None,
) -> None:
    """Progress, loss and metrics of runs, until they have ended."""
    if not running.watch(numbers or [], settings(taxonomy=taxonomy), store):
        raise typer.Exit(3)


@runs.command("cancel")
def runs_cancel(number: RunNumber, store: Store = None, taxonomy: TaxonomyFile = None) -> None:
    """Cancel a run: a running one stops at its next step."""
    running.cancel(number, settings(taxonomy=taxonomy), store)


@runs.command("compare")
def runs_compare(
    numbers: Annotated[
        list[int] | None, typer.Argument(help="Runs. (default: those of the newest experiment that has any)")
    ] = None,
    experiment: Annotated[int | None, typer.Option(help="The runs of this `otzyv train`.")] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every run on the labels and gold of the newest one.")
    ] = False,
    report: Annotated[Path | None, typer.Option(help="Write an HTML page there.")] = None,
    json: JsonForTables = False,
    store: Store = None,
    taxonomy: TaxonomyFile = None,
) -> None:
    """One leaderboard on gold: F1 with intervals, costs, and whether an architecture beats the linear baseline."""
    # With scipy, which the other commands need not wait for.
    from scripts.training.compare import compare

    chosen = settings(taxonomy=taxonomy)
    compare(numbers or [], experiment, report, chosen, store, every=every, as_json=json)
