"""`otzyv evaluate`, `calibrate`, `thresholds` and `audit`: what these commands are called and ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from scripts.command.options import JsonForTable, JsonForTables, takes
from scripts.command.settings import TaxonomyFile, settings
from scripts.quality import audit as auditing
from scripts.quality import evaluate as evaluating
from scripts.quality import thresholds as versions
from scripts.quality.options import CalibrateOptions, ReviewsFile
from shared.errors import ConfigurationError

commands = typer.Typer()
audit = typer.Typer(help="Labels checked by hand.", no_args_is_help=True)
thresholds = typer.Typer(help="Thresholds that calibrations have stored.", no_args_is_help=True)
commands.add_typer(thresholds, name="thresholds")
commands.add_typer(audit, name="audit")


@commands.command()
def evaluate(
    gold: Annotated[
        Path, typer.Option(help="Gold set: columns id or text, category, and optionally ambiguous.")
    ],
    stage: Annotated[str | None, typer.Option(help="Evaluate this stage alone.")] = None,
    chain: Annotated[
        str | None, typer.Option(help="Stages in order. (default: those of OTZYV_CASCADE_STAGES)")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option(help="Score the labels in this file instead: columns id or text, category.")
    ] = None,
    reviews: ReviewsFile = None,
    report: Annotated[
        Path | None, typer.Option(help="Write an HTML page, or the confusion matrix alone as .svg.")
    ] = None,
    calibrated: Annotated[
        bool, typer.Option("--calibrated", help="With the thresholds that `otzyv calibrate` has stored.")
    ] = False,
    taxonomy: TaxonomyFile = None,
    json: JsonForTables = False,
) -> None:
    """F1, precision and coverage against labels that people made, and what every shorter chain would give."""
    if sum(option is not None for option in (stage, chain, labels)) > 1:
        raise ConfigurationError(
            "evaluate: expected one of --stage, --chain and --labels, found several; choose one"
        )
    chosen = settings(taxonomy=taxonomy)
    judged_by = labels or evaluating.stage_order(stage, chain, chosen)
    evaluating.evaluate(gold, reviews, judged_by, report, chosen, calibrated=calibrated, as_json=json)


@commands.command()
@takes(CalibrateOptions)
def calibrate(*, given: CalibrateOptions, taxonomy: TaxonomyFile = None, json: JsonForTables = False) -> None:
    """Find thresholds that a gold set certifies, and let workers use them from their next batch on."""
    # With scikit-learn and scipy, which take a second to load.
    from scripts.quality import calibrate as calibrating

    if code := calibrating.calibrate(given, settings(taxonomy=taxonomy), as_json=json):
        raise typer.Exit(code)


@thresholds.command("list")
def thresholds_list() -> None:
    """Which thresholds hold, and which held before."""
    versions.show(settings())


@thresholds.command("use")
def thresholds_use(version: Annotated[int, typer.Argument(help="Number of an earlier version.")]) -> None:
    """Let an earlier version hold again."""
    versions.use(version, settings())


@thresholds.command("reset")
def thresholds_reset() -> None:
    """Let the stages' own defaults hold again."""
    versions.reset(settings())


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
    auditing.draw(
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
    auditing.import_answers(file, annotator, settings(taxonomy=taxonomy))


@audit.command("report")
def audit_report(taxonomy: TaxonomyFile = None, json: JsonForTable = False) -> None:
    """Precision of the labels by stage and category, with intervals."""
    auditing.report(settings(taxonomy=taxonomy), as_json=json)
