"""`otzyv calibrate`: thresholds that a gold set certifies for every stage of the chain, stored as a version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

import msgspec

from scripts.command.console import out, remark
from scripts.command.database import opened
from scripts.files.gold_file import GoldRow, read_gold
from scripts.files.whole_file import write_text
from scripts.pages.tables import table
from scripts.quality import calibration_plot
from scripts.quality.judging import judge, rules
from scripts.quality.options import CalibrateOptions
from shared.errors import ConfigurationError, InputFileError
from shared.quality.calibration import GRID
from shared.quality.certification import StageFinding, certify_chain
from shared.runtime import runtime
from shared.runtime.runtime import Runtime
from shared.settings import Settings
from shared.store import gold, thresholds
from shared.store.thresholds import StoredRule, Threshold

NOTHING_CERTIFIED = 3
"""Exit code when no stage could be certified, so that nothing was stored."""


def calibrate(request: CalibrateOptions, settings: Settings, *, as_json: bool) -> int:
    """Find the thresholds, show and draw them, store them; returns the exit code."""
    target = request.target_precision
    for option, value in (("--target-precision", target), ("--certainty", request.certainty)):
        if not 0 < value < 1:
            raise ConfigurationError(f"{option}: expected a number between 0 and 1, found {value:g}")
    # Gold in a file, and nothing stored: that needs no database.
    alone = request.store is None and request.dry_run and request.gold is not None
    place: AbstractContextManager[Runtime | None] = (
        nullcontext() if alone else opened(settings, request.store, "otzyv calibrate")
    )
    with place as here:
        rows = _gold(request, settings, here)
        findings, models = _findings(request, settings, here, rows)
        if request.plot is not None:
            write_text(request.plot, calibration_plot.render(findings, target, request.plot.suffix))
        certified = any(finding.certified for finding in findings)
        version = None
        if certified and here is not None and not request.dry_run:
            found = [row for finding in findings for row in _rows(finding, models[finding.stage], request)]
            with here.database.transaction() as cursor:
                version = thresholds.store(
                    cursor,
                    here.taxonomy_id,
                    found,
                    target=target,
                    certainty=request.certainty,
                    gold_reviews=len(rows),
                    note=f"calibrate {request.gold.name if request.gold else 'on stored gold'}",
                )
    if as_json:
        out.print_json(data=_as_json(findings, version, len(rows)))
    else:
        _show(request, findings, len(rows), version)
    for name in sorted({key.partition("/")[0] for key in settings.thresholds} & set(settings.stages)):
        remark("note", f"OTZYV_THRESHOLDS names {name}; it goes before what is stored here")
    return 0 if certified else NOTHING_CERTIFIED


def _gold(request: CalibrateOptions, settings: Settings, here: Runtime | None) -> list[GoldRow]:
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
    request: CalibrateOptions, settings: Settings, here: Runtime | None, rows: Sequence[GoldRow]
) -> tuple[list[StageFinding], dict[str, str]]:
    """What gold says of each stage, and each stage's model."""
    texts, stored = [row.text for row in rows], dict[str, StoredRule]()
    taxonomy = here.taxonomy if here else runtime.load_taxonomy(settings)
    judged = judge(settings.stages, texts, taxonomy, settings, here)
    if here is not None:
        with here.database.transaction() as cursor:
            stored = thresholds.current(cursor, here.taxonomy_id)
    findings = certify_chain(
        {name: one.verdicts for name, one in judged.items()},
        [row.category for row in rows],
        request.target_precision,
        certainty=request.certainty,
        per_category=request.per_category,
        uncertified=rules(judged, settings, stored) if request.allow_uncertified else None,
    )
    return findings, {name: one.stage.model for name, one in judged.items()}


def _rows(finding: StageFinding, model: str, request: CalibrateOptions) -> Iterator[Threshold]:
    """What is stored of a stage. One that is not certified but allowed keeps the rule that it had."""
    stage, rule = finding.stage, finding.rule
    if request.allow_uncertified and not finding.certified:
        yield Threshold(stage, None, model, rule.value, finding.answers, curve=rule.curve)
        yield from (Threshold(stage, slug, model, value) for slug, value in rule.categories.items())
        return
    for group, found in finding.certificates.items():
        value, curve = (rule.value, finding.curve) if group is None else (rule.categories[group], None)
        chosen = found.chosen
        kept, right, bound = (chosen.kept, chosen.right, chosen.bound) if chosen else (0, 0, None)
        yield Threshold(stage, group, model, value, found.answers, kept, right, bound, curve)


def _show(
    request: CalibrateOptions, findings: Sequence[StageFinding], gold_reviews: int, version: int | None
) -> None:
    target, certainty = request.target_precision, request.certainty
    out.print(
        f"{gold_reviews:,} gold reviews, target precision {target:g}, certainty {certainty:g}", soft_wrap=True
    )
    rows = []
    for finding in findings:
        for group, found in finding.certificates.items():
            name = "all" if len(finding.certificates) == 1 else group or "the others"
            cells = ("–", "0", "", "")
            if one := found.chosen:
                cells = (f"{one.threshold:.2f}", f"{one.kept:,}", f"{one.precision:.3f}", f"{one.bound:.3f}")
            rows.append((finding.stage, name, f"{found.answers:,}", *cells))
    heads = ("stage", "category", "answers", "threshold", "kept", "precision", "at least")
    out.print(table(heads, rows, left=2))
    for finding in findings:
        for group, sentence in reasons(finding, target).items():
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
                **{name: getattr(finding, name) for name in ("stage", "reached", "answers", "certified")},
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
