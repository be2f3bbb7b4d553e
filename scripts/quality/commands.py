"""`otzyv thresholds` and `otzyv audit`: what these subcommands are called and ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from scripts.command.settings import TaxonomyFile, settings

audit = typer.Typer(help="Labels checked by hand.", no_args_is_help=True)
thresholds = typer.Typer(help="Thresholds that calibrations have stored.", no_args_is_help=True)


@thresholds.command("list")
def thresholds_list() -> None:
    """Which thresholds hold, and which held before."""
    from scripts.quality.thresholds import show

    show(settings())


@thresholds.command("use")
def thresholds_use(version: Annotated[int, typer.Argument(help="Number of an earlier version.")]) -> None:
    """Let an earlier version hold again."""
    from scripts.quality.thresholds import use

    use(version, settings())


@thresholds.command("reset")
def thresholds_reset() -> None:
    """Let the stages' own defaults hold again."""
    from scripts.quality.thresholds import reset

    reset(settings())


@audit.command("draw")
def audit_draw(
    n: Annotated[int, typer.Option("--n", min=1, help="Labels to draw.")] = 100,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Where they go: .csv, or .json for Label Studio.")
    ] = Path("audit.csv"),
    seed: Annotated[int | None, typer.Option(help="For the same sample again. (default: random)")] = None,
    show_labels: Annotated[
        bool, typer.Option("--show-labels", help="Show what is to be checked; people then tend to agree.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is there, whatever has been filled in.")
    ] = False,
    source: Annotated[
        Literal["labels", "disagreements"],
        typer.Option("--from", help="All labels, or those that the champion's predictions disagree with."),
    ] = "labels",
    taxonomy: TaxonomyFile = None,
) -> None:
    """Draw labels to check, by stage and category, each with a known probability."""
    from scripts.quality.audit import draw

    draw(
        n,
        seed,
        out,
        settings(taxonomy=taxonomy),
        show_labels=show_labels,
        disagreements=source == "disagreements",
        overwrite=overwrite,
    )


@audit.command("import")
def audit_import(
    file: Annotated[
        Path, typer.Argument(help="The filled-in file, Label Studio's export, or id and category.")
    ],
    annotator: Annotated[str, typer.Option(help="Who answered, where the file does not say.")] = "people",
    taxonomy: TaxonomyFile = None,
) -> None:
    """Take answers in: they become gold, and people's labels."""
    from scripts.quality.audit import import_answers

    import_answers(file, annotator, settings(taxonomy=taxonomy))


@audit.command("report")
def audit_report(
    taxonomy: TaxonomyFile = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Precision of the labels by stage and category, with intervals."""
    from scripts.quality.audit import report

    report(settings(taxonomy=taxonomy), as_json=json)
