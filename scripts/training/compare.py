"""`otzyv runs compare`: runs side by side on the gold of their snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from psycopg2.extensions import cursor as Cursor

from scripts.command.console import out, remark
from scripts.command.database import opened
from scripts.command.progress import phase
from scripts.files.whole_file import write_text
from scripts.language.language import translated
from scripts.models.registry import registry
from scripts.training.runs_report import html, terminal
from scripts.training.runs_report.findings import Gold, Leaderboard, RunResult, build
from shared.errors import ConfigurationError, OtzyvError, TrainingError
from shared.runtime.runtime import Runtime
from shared.settings import Settings
from shared.store import aliases, runs, snapshots
from shared.store.runs import Run
from shared.store.snapshots import GoldText


def compare(
    numbers: list[int],
    experiment: int | None,
    report: Path | None,
    settings: Settings,
    store: Path | None,
    *,
    every: bool,
    as_json: bool,
) -> None:
    """Show the leaderboard, and write the page if one is asked for. Raises TrainingError, ConfigurationError."""
    if bool(numbers) + (experiment is not None) + every > 1:
        raise ConfigurationError(
            "otzyv runs compare: expected numbers of runs, --experiment or --all, found several of these; choose one"
        )
    with opened(settings, store, "otzyv runs compare") as here:
        chosen, board = _measured(here, numbers, experiment, every)
    first: dict[tuple[str, int], Run] = {}
    for run in chosen:
        if (other := first.setdefault((run.architecture, run.seed), run)) is not run:
            told = translated(
                "runs {first} and {second} are of one architecture and seed: no spread over seeds",
                first=other.id,
                second=run.id,
            )
            remark(translated("note"), told)
    if report is not None:
        write_text(report, html.render(board))
    if as_json:
        out.print_json(data=msgspec.to_builtins(board, str_keys=True))
        return
    out.print(terminal.tables(board))
    if report is not None:
        out.print(translated("report: {file}", file=report), soft_wrap=True)


def _measured(
    here: Runtime, numbers: list[int], experiment: int | None, every: bool
) -> tuple[list[Run], Leaderboard]:
    with here.database.transaction() as cursor:
        chosen = _chosen(cursor, here, numbers, experiment, every)
        gold = snapshots.gold(cursor, chosen[0].snapshot_id)
        champion = aliases.current(cursor, here.taxonomy.name).get("champion")
        results = [_result(cursor, run, champion) for run in chosen]
    answers = Gold(
        tuple(row.category for row in gold),
        tuple(row.ambiguous for row in gold),
        tuple(row.source for row in gold),
    )
    # A champion that is among the runs is there already.
    served = champion if champion not in {run.model for run in results} else None
    peer = None if served is None else _champion(here, served, gold)
    return chosen, build(results, answers, here.taxonomy, champion=peer)


def _chosen(
    cursor: Cursor, here: Runtime, numbers: list[int], experiment: int | None, every: bool
) -> list[Run]:
    """Runs that have a model, on one snapshot that has gold. Raises TrainingError."""
    known = [run for run in runs.of_taxonomy(cursor, here.taxonomy.name) if run.status == "succeeded"]
    if numbers:
        found = [run for run in known if run.id in numbers]
        missing = set(numbers) - {run.id for run in found}
        if missing:
            raise TrainingError(
                f"otzyv runs compare: expected runs that succeeded, found run {min(missing)}, which is none; see "
                "`otzyv runs list`"
            )
    elif every:
        found, others = on_newest_snapshot(known)
        if others:
            told = translated(
                "{runs}: on other labels or other gold than run {number}",
                runs=", ".join(translated("run {number}", number=run.id) for run in others),
                number=found[0].id,
            )
            remark(translated("left out"), told)
    else:
        wanted = experiment or max((run.experiment for run in known), default=0)
        found = [run for run in known if run.experiment == wanted]
    if not found:
        raise TrainingError(
            "otzyv runs compare: expected runs that succeeded, found none; see `otzyv runs list`"
        )
    if len({run.snapshot_id for run in found}) > 1:
        raise TrainingError(
            "otzyv runs compare: expected runs on the same labels and gold, found several snapshots; name runs of one "
            "experiment, or `otzyv runs compare --all` takes those of the newest snapshot"
        )
    if not snapshots.get(cursor, found[0].snapshot_id).gold:
        raise TrainingError(
            "otzyv runs compare: expected gold to compare on, found none when these runs were asked for; check some "
            "labels with `otzyv audit` and train again"
        )
    return sorted(found, key=lambda run: run.id)


def on_newest_snapshot(known: Sequence[Run]) -> tuple[list[Run], list[Run]]:
    """The runs of every experiment that had the same labels and gold as the newest run, and the others."""
    newest = max(known, key=lambda run: run.id).snapshot_id if known else None
    found = [run for run in known if run.snapshot_id == newest]
    return found, [run for run in known if run.snapshot_id != newest]


def _result(cursor: Cursor, run: Run, champion: int | None) -> RunResult:
    facts = run.facts
    serves = (f"model {run.model_id} is the champion",) if run.model_id == champion else ()
    curves: dict[str, list[tuple[float, float]]] = {}
    for point in runs.points(cursor, run.id):
        curves.setdefault(point.name, []).append((point.epoch, point.value))
    return RunResult(
        run=run.id,
        model=run.model_id,
        architecture=run.architecture,
        seed=run.seed,
        seconds=float(facts.get("training_s", run.spent_s)),
        reviews_per_s=facts.get("reviews_per_s"),
        bytes=facts.get("bytes"),
        answers=tuple(runs.answers(cursor, run.id)),
        curves=curves,
        notes=(*serves, *facts.get("notes", ())),
        train_rows=int(facts.get("train_rows", 0)),
    )


def _champion(here: Runtime, number: int, gold: Sequence[GoldText]) -> tuple[int, tuple[str, ...]] | None:
    """The champion's number and what it says about the gold; None where it cannot be loaded."""
    try:
        with phase(translated("asking the champion, model {number}", number=number)):
            classifier = registry(here).artefact(number).classifier()
            found = classifier.predict([row.text for row in gold]).probabilities.argmax(axis=1)
    except OtzyvError as error:
        told = translated("the champion, model {number}: {error}", number=number, error=error)
        remark(translated("left out"), told)
        return None
    return number, tuple(classifier.labels[column] for column in found)
