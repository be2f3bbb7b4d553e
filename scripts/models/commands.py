"""`otzyv predict`, `backfill`, `quality` and `models`: what these commands are called and ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scripts.command.options import Store, takes
from scripts.command.settings import TaxonomyFile, settings
from scripts.files.options import FileOptions, Semicolons, TableOptions, TextColumn
from scripts.files.whole_file import OutFile
from scripts.models import backfill as backfills
from scripts.models import drift, registry, shown
from scripts.models import predict as predicting
from shared.quality.alias import Alias

commands = typer.Typer()
models = typer.Typer(help="Registered classifiers, and which of them serves.", no_args_is_help=True)
commands.add_typer(models, name="models")

ModelNumber = Annotated[int, typer.Argument(help="Number of the model, see `otzyv models list`.")]
Anyway = Annotated[
    bool, typer.Option("--anyway", help="Even where a worker that runs says that it cannot load the model.")
]
FilesIn = Annotated[
    Path | None,
    typer.Option(help="Where its files lie: a folder of models, or its own. (default: OTZYV_MODELS)"),
]
MoveReason = Annotated[str, typer.Option(help="Why; it goes into the history.")]


@commands.command()
@takes(FileOptions)
def predict(
    *,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Where predictions go: .csv, .xlsx, .jsonl or .parquet.")
    ],
    model: Annotated[
        str | None,
        typer.Option(
            help="Number of a registered model, or a folder of `otzyv models export`, without a database. "
            "(default: the champion)"
        ),
    ] = None,
    store: Store = None,
    processes: Annotated[int | None, typer.Option(min=1, help="(default: one per core)")] = None,
    semicolons: Semicolons = False,
    given: FileOptions,
    taxonomy: TaxonomyFile = None,
) -> None:
    """Predict a file here with a registered or exported model: no broker."""
    predicting.predict(
        given.rows(), OutFile(out, semicolons), model, processes, settings(taxonomy=taxonomy), store
    )


@commands.command()
def backfill(
    model: Annotated[int, typer.Option(help="Number of the model, see `otzyv models list`.")],
    follow: Annotated[bool, typer.Option("--follow", help="Watch until it is through.")] = False,
    anyway: Anyway = False,
    store: Store = None,
    taxonomy: TaxonomyFile = None,
) -> None:
    """Let CPU workers predict stored reviews anew with a model, whenever no live review waits."""
    backfills.backfill(model, settings(taxonomy=taxonomy), store, follow=follow, anyway=anyway)


@commands.command()
def quality(
    days: Annotated[int, typer.Option(min=1, max=3_650, help="How many days, today included (UTC).")] = 14,
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    store: Store = None,
    taxonomy: TaxonomyFile = None,
) -> None:
    """How predictions hold up without labels: expected accuracy, disagreement with labels, drift, alarms."""
    drift.show(days, settings(taxonomy=taxonomy), store, as_json=json)


@models.command("list")
def models_list(store: Store = None, taxonomy: TaxonomyFile = None) -> None:
    """Which models there are, which of them serve, and who changed that."""
    shown.show_all(settings(taxonomy=taxonomy), store)


@models.command("show")
def models_show(number: ModelNumber, store: Store = None, taxonomy: TaxonomyFile = None) -> None:
    """A model's card, and whether its files are unchanged."""
    shown.show(number, settings(taxonomy=taxonomy), store)


@models.command("keep")
def models_keep(
    number: ModelNumber, folder: FilesIn = None, store: Store = None, taxonomy: TaxonomyFile = None
) -> None:
    """Put a model's files into the database, where all processes find them. New models are put there by themselves."""
    registry.keep(number, folder, settings(taxonomy=taxonomy), store)


@models.command("discard")
def models_discard(number: ModelNumber, store: Store = None, taxonomy: TaxonomyFile = None) -> None:
    """Take a model's files out of the database, where OTZYV_MODELS is a folder that all processes share."""
    registry.discard(number, settings(taxonomy=taxonomy), store)


@models.command("promote")
def models_promote(
    number: ModelNumber,
    alias: Annotated[
        Alias, typer.Option("--as", help="champion serves; challenger predicts beside it, in shadow.")
    ] = "champion",
    reason: MoveReason = "",
    anyway: Anyway = False,
    store: Store = None,
    taxonomy: TaxonomyFile = None,
) -> None:
    """Let a model serve. It is checked first, by the workers that run too; they use it from their next batch on."""
    registry.promote(number, alias, reason, settings(taxonomy=taxonomy), store, anyway=anyway)


@models.command("rollback")
def models_rollback(
    reason: MoveReason = "", anyway: Anyway = False, store: Store = None, taxonomy: TaxonomyFile = None
) -> None:
    """Let the champion before the present one serve again; twice goes two back."""
    registry.rollback(reason, settings(taxonomy=taxonomy), store, anyway=anyway)


@models.command("withdraw")
def models_withdraw(
    alias: Annotated[Alias, typer.Argument(help="Which alias nobody is to have.")] = "challenger",
    reason: MoveReason = "",
    store: Store = None,
    taxonomy: TaxonomyFile = None,
) -> None:
    """Let nobody be challenger, or champion: then reviews wait for the next one."""
    registry.withdraw(alias, reason, settings(taxonomy=taxonomy), store)


@models.command("import")
@takes(TableOptions)
def models_import(
    *,
    folder: Annotated[
        Path,
        typer.Argument(help="Saved by transformers (sequence classification) or by `otzyv models export`."),
    ],
    reviews: Annotated[
        Path | None,
        typer.Option(help="Reviews on which the exported model is compared. (default: stored ones)"),
    ] = None,
    text_column: TextColumn = None,
    gold: Annotated[
        Path | None,
        typer.Option(
            help="Checked reviews that the model was not trained on: it is measured and calibrated on them."
        ),
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(min=8, help="Longest text that is read. (default: 512, or what the model can)"),
    ] = None,
    tables: TableOptions,
    taxonomy: TaxonomyFile = None,
) -> None:
    """Register a model whose labels are the taxonomy's categories. Folders with pickles or code are refused."""
    registry.import_folder(
        folder, reviews, text_column, gold, max_tokens, settings(taxonomy=taxonomy), tables
    )


@models.command("export")
def models_export(
    number: ModelNumber,
    folder: Annotated[Path, typer.Argument(help="New folder for the model's files.")],
    store: Store = None,
    taxonomy: TaxonomyFile = None,
) -> None:
    """Copy a model with everything that belongs to it."""
    registry.export(number, folder, settings(taxonomy=taxonomy), store)
