"""`otzyv models`: what these subcommands are called and ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from scripts.command.settings import TaxonomyFile, settings
from scripts.store_option import Store

models = typer.Typer(help="Registered classifiers, and which of them serves.", no_args_is_help=True)

ModelNumber = Annotated[int, typer.Argument(help="Number of the model, see `otzyv models list`.")]
MoveReason = Annotated[str, typer.Option(help="Why; it goes into the history.")]


@models.command("list")
def models_list(store: Store = None, taxonomy: TaxonomyFile = None) -> None:
    """Which models there are, which of them serve, and who changed that."""
    from scripts.models.registry import show_all

    show_all(settings(taxonomy=taxonomy), store)


@models.command("show")
def models_show(number: ModelNumber, store: Store = None, taxonomy: TaxonomyFile = None) -> None:
    """A model's card, and whether its files are unchanged."""
    from scripts.models.registry import show

    show(number, settings(taxonomy=taxonomy), store)


@models.command("promote")
def models_promote(
    number: ModelNumber,
    alias: Annotated[
        Literal["champion", "challenger"],
        typer.Option("--as", help="champion serves; challenger predicts beside it, in shadow."),
    ] = "champion",
    reason: MoveReason = "",
    store: Store = None,
    taxonomy: TaxonomyFile = None,
) -> None:
    """Let a model serve. All of it is checked first; running workers use it from their next batch on."""
    from scripts.models.registry import promote

    promote(number, alias, reason, settings(taxonomy=taxonomy), store)


@models.command("rollback")
def models_rollback(reason: MoveReason = "", taxonomy: TaxonomyFile = None) -> None:
    """Let the champion before the present one serve again; twice goes two back."""
    from scripts.models.registry import rollback

    rollback(reason, settings(taxonomy=taxonomy))


@models.command("withdraw")
def models_withdraw(
    alias: Annotated[
        Literal["champion", "challenger"], typer.Argument(help="Which alias nobody is to have.")
    ] = "challenger",
    reason: MoveReason = "",
    taxonomy: TaxonomyFile = None,
) -> None:
    """Let nobody be challenger, or champion: then reviews wait for the next one."""
    from scripts.models.registry import withdraw

    withdraw(alias, reason, settings(taxonomy=taxonomy))


@models.command("import")
def models_import(
    folder: Annotated[
        Path,
        typer.Argument(help="Saved by transformers (sequence classification) or by `otzyv models export`."),
    ],
    reviews: Annotated[
        Path | None,
        typer.Option(help="Reviews on which the exported model is compared. (default: stored ones)"),
    ] = None,
    text_column: Annotated[str, typer.Option(help="Column with the review's text.")] = "text",
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
    taxonomy: TaxonomyFile = None,
) -> None:
    """Register a model whose labels are the taxonomy's categories. Folders with pickles or code are refused."""
    from scripts.models.registry import import_folder

    import_folder(folder, reviews, text_column, gold, max_tokens, settings(taxonomy=taxonomy))


@models.command("export")
def models_export(
    number: ModelNumber,
    folder: Annotated[Path, typer.Argument(help="New folder for the model's files.")],
    store: Store = None,
    taxonomy: TaxonomyFile = None,
) -> None:
    """Copy a model with everything that belongs to it."""
    from scripts.models.registry import export

    export(number, folder, settings(taxonomy=taxonomy), store)
