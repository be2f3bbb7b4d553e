"""`otzyv evaluate`, `calibrate`, `thresholds` and `audit`: what these commands are called and ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from scripts.command.database import opened
from scripts.command.options import JsonForTable, JsonForTables, Store, takes
from scripts.command.settings import TaxonomyFile, settings
from scripts.files.answer_file import read_answers
from scripts.files.options import Semicolons, TableOptions
from scripts.quality import audit as auditing
from scripts.quality import evaluate as evaluating
from scripts.quality import taken_answers
from scripts.quality import thresholds as versions
from scripts.quality.options import CalibrateOptions, EvaluateOptions
from scripts.quality.taken_answers import Disagreements
from shared.runtime import runtime
from shared.store.audits import DrawnFrom

commands = typer.Typer()
audit = typer.Typer(help="Labels checked by hand.", no_args_is_help=True)
thresholds = typer.Typer(help="Thresholds that calibrations have stored.", no_args_is_help=True)
commands.add_typer(thresholds, name="thresholds")
commands.add_typer(audit, name="audit")


@commands.command()
@takes(EvaluateOptions)
def evaluate(*, given: EvaluateOptions, taxonomy: TaxonomyFile = None, json: JsonForTables = False) -> None:
    """F1 on gold, precision and coverage of labels, and what every shorter chain would give."""
    evaluating.evaluate(given, settings(taxonomy=taxonomy, log_level="warning"), as_json=json)


@commands.command()
@takes(CalibrateOptions)
def calibrate(*, given: CalibrateOptions, taxonomy: TaxonomyFile = None, json: JsonForTables = False) -> None:
    """Find thresholds that a gold set certifies, and let workers use them from their next batch on."""
    # With scikit-learn and scipy, which take a second to load.
    from scripts.quality import calibrate as calibrating

    if code := calibrating.calibrate(given, settings(taxonomy=taxonomy, log_level="warning"), as_json=json):
        raise typer.Exit(code)


@thresholds.command("list")
def thresholds_list(store: Store = None, taxonomy: TaxonomyFile = None) -> None:
    """Which thresholds hold, and which held before."""
    versions.show(settings(taxonomy=taxonomy), store)


@thresholds.command("use")
def thresholds_use(
    version: Annotated[int, typer.Argument(help="Number of an earlier version.")],
    store: Store = None,
    taxonomy: TaxonomyFile = None,
) -> None:
    """Let an earlier version hold again."""
    versions.use(version, settings(taxonomy=taxonomy), store)


@thresholds.command("reset")
def thresholds_reset(store: Store = None, taxonomy: TaxonomyFile = None) -> None:
    """Let the stages' own defaults hold again."""
    versions.reset(settings(taxonomy=taxonomy), store)


@audit.command("draw")
def audit_draw(
    n: Annotated[int, typer.Option("--n", min=1, help="Labels to draw.")] = 100,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Where they go: .csv, .xlsx, or .json for Label Studio.")
    ] = Path("audit.csv"),
    seed: Annotated[int | None, typer.Option(help="For the same sample again. (default: random)")] = None,
    show_labels: Annotated[
        bool, typer.Option("--show-labels", help="Show what is to be checked; people then tend to agree.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is there, whatever has been filled in.")
    ] = False,
    semicolons: Semicolons = False,
    source: Annotated[
        DrawnFrom,
        typer.Option(
            "--from",
            help="All labels, those that the champion's predictions disagree with, or those of reviews whose label by "
            "the stage student was withheld.",
        ),
    ] = "labels",
    store: Store = None,
    taxonomy: TaxonomyFile = None,
) -> None:
    """Draw labels to check, by stage and category, each with a known probability."""
    with opened(settings(taxonomy=taxonomy), store, "otzyv audit") as here:
        auditing.draw(
            n,
            seed,
            out,
            here,
            show_labels=show_labels,
            drawn_from=source,
            overwrite=overwrite,
            semicolons=semicolons,
        )


@audit.command("import")
@takes(TableOptions)
def audit_import(
    *,
    file: Annotated[
        Path, typer.Argument(help="The filled-in file, Label Studio's export, or id and category.")
    ],
    annotator: Annotated[str, typer.Option(help="Who answered, where the file does not say.")] = "people",
    disagreements: Annotated[
        Disagreements,
        typer.Option(
            help="Where people differ, or one names several categories: refuse the file, or keep every answer; then a "
            "category counts that more than half of them name."
        ),
    ] = "refuse",
    control: Annotated[
        str | None,
        typer.Option(help="Label Studio's control that answers. (default: category, or the only one)"),
    ] = None,
    tables: TableOptions,
    store: Store = None,
    taxonomy: TaxonomyFile = None,
) -> None:
    """Take answers in: they become gold, and people's labels."""
    chosen = settings(taxonomy=taxonomy)
    answers = read_answers(file, runtime.load_taxonomy(chosen), annotator, control, tables)
    taken_answers.tell_unnamed(answers)
    with opened(chosen, store, "otzyv audit") as here:
        taken_answers.import_answers(file, answers, here, disagreements=disagreements)


@audit.command("report")
def audit_report(store: Store = None, taxonomy: TaxonomyFile = None, json: JsonForTable = False) -> None:
    """Precision of the labels by stage and category, with intervals."""
    with opened(settings(taxonomy=taxonomy), store, "otzyv audit") as here:
        auditing.report(here, as_json=json)
