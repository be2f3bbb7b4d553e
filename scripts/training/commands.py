"""`otzyv train`, `otzyv runs` and `otzyv labels`: what these commands are called and ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scripts.command.settings import TaxonomyFile, settings
from scripts.store_option import Store
from shared.catalogue import ARCHITECTURES

runs = typer.Typer(
    help="Training runs: how far they are, what came out, how they compare.", no_args_is_help=True
)

labels = typer.Typer(help="Labels from elsewhere.", no_args_is_help=True)

_ENCODERS = ", ".join(name for name, row in ARCHITECTURES.items() if row.pretrained)

RunNumber = Annotated[int, typer.Argument(help="Number of the run, see `otzyv runs list`.")]


def train(
    architectures: Annotated[
        list[str] | None,
        typer.Argument(help=f"{', '.join(ARCHITECTURES)}, or all. With --here, none: what is queued."),
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, max=100, help="Runs of each architecture, with seeds from --seed.")
    ] = 1,
    seed: Annotated[int, typer.Option(min=0, help="The first seed.")] = 0,
    base: Annotated[
        str | None, typer.Option(help=f"Pretrained encoder of {_ENCODERS}: name or folder.")
    ] = None,
    random_weights: Annotated[
        bool,
        typer.Option("--random-weights", help="Begin with random weights: --base is a folder without any."),
    ] = False,
    clean_labels: Annotated[
        bool, typer.Option("--clean-labels", help="Leave suspected label errors out (cleanlab).")
    ] = False,
    given: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any other argument, as name=value; `--set help` lists them."),
    ] = None,
    auto_promote: Annotated[
        bool,
        typer.Option("--auto-promote", help="Let a model serve that is better than the champion on gold."),
    ] = False,
    time_limit: Annotated[
        int | None,
        typer.Option(min=1, max=2_592_000, help="Seconds a run may take. (default: a day)"),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Watch until the runs have ended.")] = False,
    here: Annotated[
        bool, typer.Option("--here", help="Train in this terminal, without broker or worker.")
    ] = False,
    store: Store = None,
    gold: Annotated[
        Path | None,
        typer.Option(help="Take this gold set in first: columns id (or source and id) and category."),
    ] = None,
    taxonomy: TaxonomyFile = None,
) -> None:
    """Train classifiers on the accepted labels, and measure them on gold. A training worker does it, or --here."""
    from scripts.training.train import TrainRequest
    from scripts.training.train import train as run

    request = TrainRequest(
        architectures or [],
        seeds,
        seed,
        {"base": base, "random_weights": random_weights or None, "clean_labels": clean_labels or None},
        given or [],
        auto_promote,
        time_limit,
        follow,
        here,
        store,
        gold,
    )
    # Log lines would disturb the table of runs in the same terminal.
    if code := run(request, settings(taxonomy=taxonomy, log_level="warning" if here else None)):
        raise typer.Exit(code)


@runs.command("list")
def runs_list(
    n: Annotated[int, typer.Option("--n", min=1, max=1_000, help="How many, the newest.")] = 20,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    store: Store = None,
    taxonomy: TaxonomyFile = None,
) -> None:
    """Which runs there are, how far they are, and what they have reached."""
    from scripts.training.runs import show_all

    show_all(n, settings(taxonomy=taxonomy), store, as_json=json)


@runs.command("show")
def runs_show(number: RunNumber, store: Store = None, taxonomy: TaxonomyFile = None) -> None:
    """All about a run: arguments, data, metrics, verdict."""
    from scripts.training.runs import show

    show(number, settings(taxonomy=taxonomy), store)


@runs.command("watch")
def runs_watch(
    numbers: Annotated[
        list[int] | None, typer.Argument(help="Runs. (default: all that have not ended)")
    ] = None,
    store: Store = None,
    taxonomy: TaxonomyFile = None,
) -> None:
    """Progress, loss and metrics of runs, until they have ended."""
    from scripts.training.runs import watch

    if not watch(numbers or [], settings(taxonomy=taxonomy), store):
        raise typer.Exit(3)


@runs.command("cancel")
def runs_cancel(number: RunNumber, store: Store = None, taxonomy: TaxonomyFile = None) -> None:
    """Cancel a run: a running one stops at its next step."""
    from scripts.training.runs import cancel

    cancel(number, settings(taxonomy=taxonomy), store)


@runs.command("compare")
def runs_compare(
    numbers: Annotated[
        list[int] | None, typer.Argument(help="Runs. (default: those of the newest experiment that has any)")
    ] = None,
    experiment: Annotated[int | None, typer.Option(help="The runs of this `otzyv train`.")] = None,
    report: Annotated[Path | None, typer.Option(help="Write an HTML page there.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
    store: Store = None,
    taxonomy: TaxonomyFile = None,
) -> None:
    """One leaderboard on gold: F1 with intervals, costs, and whether an architecture beats the linear baseline."""
    from scripts.training.compare import compare

    compare(numbers or [], experiment, report, settings(taxonomy=taxonomy), store, as_json=json)


@labels.command("import")
def labels_import(
    file: Annotated[
        Path, typer.Argument(help="Columns id (or source and id), category, perhaps confidence.")
    ],
    method: Annotated[
        str, typer.Option(help="What gave these labels; they are kept under this name.")
    ] = "imported",
    store: Store = None,
    taxonomy: TaxonomyFile = None,
) -> None:
    """Take in labels that something else gave to stored reviews, instead of those of stages. People's labels stay."""
    from scripts.labelling.imported_labels import import_labels

    import_labels(file, method, settings(taxonomy=taxonomy), store)
