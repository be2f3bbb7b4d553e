"""`otzyv train` and `otzyv runs`: what these commands are called and ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scripts.command.options import JsonForTable, JsonForTables, Store
from scripts.command.settings import TaxonomyFile, settings
from scripts.training import runs as running
from scripts.training import train as training
from shared.catalogue import ARCHITECTURES
from shared.training.arguments import Arguments

commands = typer.Typer()
runs = typer.Typer(
    help="Training runs: how far they are, what came out, how they compare.", no_args_is_help=True
)
commands.add_typer(runs, name="runs")

RunNumber = Annotated[int, typer.Argument(help="Number of the run, see `otzyv runs list`.")]
Architectures = Annotated[
    list[str] | None,
    typer.Argument(help=f"{', '.join(ARCHITECTURES)}, or all. With --here, none: what is queued."),
]
Seeds = Annotated[
    int, typer.Option(min=1, max=100, help="Runs of each architecture, with seeds from --seed.")
]
OtherArguments = Annotated[
    list[str] | None,
    typer.Option("--set", help="Any other argument, as name=value; `--set help` lists them."),
]
AutoPromote = Annotated[
    bool, typer.Option("--auto-promote", help="Let a model serve that is better than the champion on gold.")
]
TimeLimit = Annotated[
    int | None, typer.Option(min=1, max=2_592_000, help="Seconds a run may take. (default: a day)")
]
Here = Annotated[bool, typer.Option("--here", help="Train in this terminal, without broker or worker.")]
GoldFile = Annotated[
    Path | None, typer.Option(help="Take this gold set in first: columns id (or source and id) and category.")
]


def _told(argument: str) -> str | None:
    """What `--set help` says of an argument, for those that have an option of their own."""
    return Arguments.model_fields[argument].description


@commands.command()
def train(
    architectures: Architectures = None,
    seeds: Seeds = 1,
    seed: Annotated[int, typer.Option(min=0, help="The first seed.")] = 0,
    base: Annotated[str | None, typer.Option(help=_told("base"))] = None,
    random_weights: Annotated[bool, typer.Option("--random-weights", help=_told("random_weights"))] = False,
    clean_labels: Annotated[bool, typer.Option("--clean-labels", help=_told("clean_labels"))] = False,
    given: OtherArguments = None,
    auto_promote: AutoPromote = False,
    time_limit: TimeLimit = None,
    follow: Annotated[bool, typer.Option("--follow", help="Watch until the runs have ended.")] = False,
    here: Here = False,
    store: Store = None,
    gold: GoldFile = None,
    taxonomy: TaxonomyFile = None,
) -> None:
    """Train classifiers on the accepted labels, and measure them on gold. A training worker does it, or --here."""
    own = {"base": base, "random_weights": random_weights or None, "clean_labels": clean_labels or None}
    request = training.TrainRequest(
        architectures=architectures or [],
        seeds=seeds,
        seed=seed,
        arguments=own,
        given=given or [],
        auto_promote=auto_promote,
        time_limit_s=time_limit,
        follow=follow,
        here=here,
        store=store,
        gold=gold,
    )
    # Log lines would disturb the table of runs in the same terminal.
    if code := training.train(request, settings(taxonomy=taxonomy, log_level="warning" if here else None)):
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
    report: Annotated[Path | None, typer.Option(help="Write an HTML page there.")] = None,
    json: JsonForTables = False,
    store: Store = None,
    taxonomy: TaxonomyFile = None,
) -> None:
    """One leaderboard on gold: F1 with intervals, costs, and whether an architecture beats the linear baseline."""
    # With scipy, which the other commands need not wait for.
    from scripts.training.compare import compare

    compare(numbers or [], experiment, report, settings(taxonomy=taxonomy), store, as_json=json)
