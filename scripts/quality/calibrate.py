"""`otzyv calibrate`: thresholds that a gold set certifies for every stage of the chain, stored as a version."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
from rich.table import Table

from scripts.command.console import out, remark
from scripts.command.database import opened
from scripts.files.gold_file import GoldRow, read_gold
from scripts.files.whole_file import write_text
from scripts.quality import calibration_plot
from scripts.quality.judging import Judged, judge
from shared.cascade.rule import StageRule
from shared.errors import ConfigurationError, InputFileError
from shared.labelling.rules import resolve
from shared.quality.calibration import GRID
from shared.quality.certification import StageFinding, certify_chain
from shared.runtime import runtime
from shared.runtime.runtime import Runtime
from shared.settings import Settings
from shared.store import gold, thresholds
from shared.store.thresholds import StoredRule, Threshold

NOTHING_CERTIFIED = 3
"""Exit code when no stage could be certified, so that nothing was stored."""


class CalibrateRequest(msgspec.Struct, frozen=True):
    """What `otzyv calibrate` was asked to do. Without a gold file, the gold of the database counts."""

    gold: Path | None
    reviews: Path | None
    target: float
    certainty: float
    per_category: bool
    allow_uncertified: bool
    plot: Path | None
    dry_run: bool
    as_json: bool
    store: Path | None


def calibrate(request: CalibrateRequest, settings: Settings) -> int:
    """Find the thresholds, show and draw them, store them; returns the exit code."""
    _check(request)
    with _runtime(request, settings) as here:
        rows = _gold(request, settings, here)
        findings, judged = _findings(request, settings, here, rows)
        if request.plot is not None:
            write_text(request.plot, calibration_plot.render(findings, request.target, request.plot.suffix))
        certified = any(finding.certified for finding in findings)
        version = None
        if certified and here is not None and not request.dry_run:
            version = _store(request, here, findings, judged, len(rows))
    if request.as_json:
        out.print_json(json.dumps(_as_json(findings, version, len(rows)), ensure_ascii=False))
    else:
        _show(request, findings, len(rows), version)
    for name in sorted({key.partition("/")[0] for key in settings.thresholds} & set(settings.stages)):
        remark("note", f"OTZYV_THRESHOLDS names {name}; it goes before what is stored here")
    return 0 if certified else NOTHING_CERTIFIED


def _check(request: CalibrateRequest) -> None:
    for option, value in (("--target-precision", request.target), ("--certainty", request.certainty)):
        if not 0 < value < 1:
            raise ConfigurationError(f"{option}: expected a number between 0 and 1, found {value:g}")


@contextmanager
def _runtime(request: CalibrateRequest, settings: Settings) -> Iterator[Runtime | None]:
    """The database in which gold is and thresholds go: a folder's, or the server's; None if not needed."""
    if request.store is not None:
        with opened(settings, request.store, "otzyv calibrate") as here:
            yield here
    elif request.dry_run and request.gold is not None:
        yield None
    else:
        yield runtime.build(settings)


def _gold(request: CalibrateRequest, settings: Settings, here: Runtime | None) -> list[GoldRow]:
    if request.gold is not None:
        return read_gold(request.gold, request.reviews, runtime.load_taxonomy(settings))
    assert here is not None  # noqa: S101  only a gold file does without
    with here.database.transaction() as cursor:
        rows = gold.rows(cursor, here.taxonomy_id)
    if not rows:
        raise InputFileError(
            "calibrate: expected gold in the database, found none for this taxonomy; name a file with --gold, or check "
            "some labels with `otzyv audit`"
        )
    return [GoldRow(row.text, row.category, row.source, row.ambiguous, row.external_id) for row in rows]


def _findings(
    request: CalibrateRequest, settings: Settings, here: Runtime | None, rows: Sequence[GoldRow]
) -> tuple[list[StageFinding], dict[str, Judged]]:
    database, number = (here.database, here.taxonomy_id) if here else (None, 0)
    taxonomy = here.taxonomy if here else runtime.load_taxonomy(settings)
    judged = judge(settings.stages, [row.text for row in rows], taxonomy, settings, database, number)
    stored = _stored(here)
    present = {
        name: resolve(one.stage, settings.thresholds, stored.get(name)) for name, one in judged.items()
    }
    findings = certify_chain(
        {name: one.verdicts for name, one in judged.items()},
        [row.category for row in rows],
        request.target,
        certainty=request.certainty,
        per_category=request.per_category,
        uncertified=present if request.allow_uncertified else None,
    )
    return findings, judged


def _stored(here: Runtime | None) -> dict[str, StoredRule]:
    """The rules that hold now by an earlier calibration."""
    if here is None:
        return {}
    with here.database.transaction() as cursor:
        version = thresholds.newest(cursor, here.taxonomy_id)
        return {} if version is None else thresholds.rules(cursor, version)


def _store(
    request: CalibrateRequest,
    here: Runtime,
    findings: Sequence[StageFinding],
    judged: dict[str, Judged],
    gold_reviews: int,
) -> int:
    rows = [
        row
        for finding in findings
        for row in (
            _as_before(finding, judged[finding.stage].stage.model)
            if request.allow_uncertified and not finding.certified
            else _rows(finding, judged[finding.stage].stage.model)
        )
    ]
    with here.database.transaction() as cursor:
        return thresholds.store(
            cursor,
            here.taxonomy_id,
            rows,
            target=request.target,
            certainty=request.certainty,
            gold_reviews=gold_reviews,
            note=f"calibrate {request.gold.name if request.gold else 'on stored gold'}",
        )


def _as_before(finding: StageFinding, model: str) -> Iterator[Threshold]:
    """The rule of a stage that is not certified but allowed: the one that it had."""
    rule = finding.rule
    yield Threshold(finding.stage, None, model, rule.value, finding.answers, curve=rule.curve)
    for category, value in rule.categories.items():
        yield Threshold(finding.stage, category, model, value)


def _rows(finding: StageFinding, model: str) -> Iterator[Threshold]:
    for group, found in finding.certificates.items():
        chosen = found.chosen
        yield Threshold(
            finding.stage,
            group,
            model,
            _value(finding.rule, group),
            found.answers,
            chosen.kept if chosen else 0,
            chosen.right if chosen else 0,
            chosen.bound if chosen else None,
            finding.curve if group is None else None,
        )


def _value(rule: StageRule, group: str | None) -> float | None:
    return rule.value if group is None else rule.categories[group]


def _show(
    request: CalibrateRequest, findings: Sequence[StageFinding], gold_reviews: int, version: int | None
) -> None:
    out.print(
        f"{gold_reviews:,} gold reviews, target precision {request.target:g}, certainty {request.certainty:g}",
        soft_wrap=True,
    )
    table = Table("stage", "category", box=None, pad_edge=False)
    for name in ("answers", "threshold", "kept", "precision", "at least"):
        table.add_column(name, justify="right")
    for finding in findings:
        for group, found in finding.certificates.items():
            chosen = found.chosen
            table.add_row(
                finding.stage,
                "all" if len(finding.certificates) == 1 else group or "the others",
                f"{found.answers:,}",
                f"{chosen.threshold:.2f}" if chosen else "–",
                f"{chosen.kept:,}" if chosen else "0",
                f"{chosen.precision:.3f}" if chosen else "",
                f"{chosen.bound:.3f}" if chosen else "",
            )
    out.print(table)
    for finding in findings:
        for group, sentence in reasons(finding, request.target).items():
            remark("not certified", f"{finding.stage}{f' / {group}' if group else ''}: {sentence}")
    if version is not None:
        out.print(f"stored as version {version}; workers use it from their next batch on")
    elif not any(finding.certified for finding in findings):
        out.print("nothing stored: no stage is certified")


def reasons(finding: StageFinding, target: float) -> dict[str | None, str]:
    """Why groups of a stage are not certified, each in a sentence that says what would help."""
    told = {}
    for group, found in finding.certificates.items():
        if found.chosen is not None:
            continue
        if not found.answers:
            told[group] = "the gold set has no review that it answers"
            continue
        kept = [point for point in found.points if point.kept]
        if not kept:
            told[group] = f"none of its {found.answers:,} answers reaches a confidence of {GRID[0]:g}"
            continue
        best = max(kept, key=lambda point: point.bound)
        measured = (
            f"at best {best.right:,} of {best.kept:,} right ({best.precision:.3f}, at least {best.bound:.3f})"
        )
        if found.more_checks is None:
            told[group] = f"{measured}; at no threshold better than {target:g}, so more checks would not help"
        else:
            told[group] = (
                f"{measured}; the gold set is too small, about {found.more_checks:,} more checked reviews that this "
                "stage answers would do if precision stays as it is"
            )
    return told


def _as_json(findings: Sequence[StageFinding], version: int | None, gold_reviews: int) -> dict[str, object]:
    return {
        "version": version,
        "gold": gold_reviews,
        "stages": [
            {
                "stage": finding.stage,
                "reached": finding.reached,
                "answers": finding.answers,
                "certified": finding.certified,
                "rule": msgspec.to_builtins(finding.rule),
                "groups": [
                    {
                        "category": group,
                        "answers": found.answers,
                        "chosen": msgspec.to_builtins(found.chosen),
                        "more_checks": found.more_checks,
                    }
                    for group, found in finding.certificates.items()
                ],
            }
            for finding in findings
        ],
    }
