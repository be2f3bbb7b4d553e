"""`otzyv label`, `plan` and `labels`: what these commands are called and ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scripts.command import console
from scripts.command.options import JsonForTables, Store, takes
from scripts.command.settings import TaxonomyFile, settings
from scripts.files.options import FileOptions, Semicolons, TableOptions
from scripts.files.whole_file import OutFile
from scripts.labelling import imported_labels
from scripts.labelling import label as labelling
from scripts.labelling import plan as planning
from scripts.labelling import reopen as reopening
from scripts.language.language import translated
from shared.catalogue import STUDENT

commands = typer.Typer()
labels = typer.Typer(help="Labels from elsewhere.", no_args_is_help=True)
commands.add_typer(labels, name="labels")


@commands.command()
@takes(FileOptions)
def label(
    *,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Where the labels go: .csv, .xlsx, .jsonl or .parquet.")
    ],
    report: Annotated[
        Path | None, typer.Option(help="Where the HTML report goes. (default: beside --out)")
    ] = None,
    semicolons: Semicolons = False,
    given: FileOptions,
    taxonomy: TaxonomyFile = None,
    store: Annotated[
        Path | None, typer.Option(help="Folder in which the database is kept. (default: a temporary one)")
    ] = None,
) -> None:
    """Label a file here and now: no broker, no server."""
    chosen = settings(taxonomy=taxonomy, log_level="warning")
    page = report or out.with_suffix(".html")
    labelling.label(given.rows(), OutFile(out, semicolons), page, store, chosen)
    console.out.print(translated("labels: {file}", file=out), soft_wrap=True)
    console.out.print(translated("report: {file}", file=page), soft_wrap=True)


@commands.command()
@takes(FileOptions)
def plan(
    *,
    sample: Annotated[int, typer.Option(min=1, max=100_000, help="Reviews that are tried.")] = 500,
    seed: Annotated[int, typer.Option(help="For the same sample again.")] = 0,
    ask: Annotated[
        int, typer.Option(min=0, max=1_000, help="Ask the language model about so many of them; that costs.")
    ] = 0,
    given: FileOptions,
    store: Store = None,
    taxonomy: TaxonomyFile = None,
    json: JsonForTables = False,
) -> None:
    """What labelling a file would take: coverage, time, tokens, cost; and one question as it would be asked."""
    chosen = settings(taxonomy=taxonomy, log_level="warning")
    planning.plan(given.rows(), sample, seed, ask, chosen, store, as_json=json)


@labels.command("import")
@takes(TableOptions)
def labels_import(
    *,
    file: Annotated[
        Path, typer.Argument(help="Columns id (or source and id), category, perhaps confidence.")
    ],
    method: Annotated[
        str, typer.Option(help="What gave these labels; they are kept under this name.")
    ] = "imported",
    tables: TableOptions,
    store: Store = None,
    taxonomy: TaxonomyFile = None,
) -> None:
    """Take in labels that something else gave to stored reviews, instead of those of stages. People's labels stay."""
    imported_labels.import_labels(file, method, settings(taxonomy=taxonomy), store, tables)


@labels.command("reopen")
def labels_reopen(
    stage: Annotated[str, typer.Option(help="The stage that they wait for.")] = STUDENT,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count them, and change nothing.")] = False,
    store: Store = None,
    taxonomy: TaxonomyFile = None,
) -> None:
    """Send reviews that no stage was sure of through the cascade once more: after a new student, or new thresholds."""
    reopening.reopen(stage, settings(taxonomy=taxonomy), store, dry_run=dry_run)
