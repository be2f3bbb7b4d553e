"""`otzyv calibrate`: thresholds that a gold set certifies for a chain, or for each stage of it, stored as a version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from scripts.command.console import left_out, out, remark
from scripts.command.database import opened, opened_for
from scripts.files.gold_file import GoldRow, read_gold
from scripts.files.whole_file import write_text
from scripts.language.language import counted, grouped, translated
from scripts.pages import figures
from scripts.quality.chain_calibration import ChainCalibration
from scripts.quality.judging import Judged, in_use, judge, rules
from scripts.quality.options import CalibrateOptions
from scripts.quality.stage_calibration import StageCalibration
from shared.cascade.stage import Stage
from shared.catalogue import STUDENT
from shared.errors import ConfigurationError, InputFileError
from shared.quality.certification import certify_stages
from shared.quality.chain_certificate import FLOOR, Floors, certify_chain
from shared.runtime import runtime
from shared.runtime.runtime import Runtime
from shared.serving.standing import judge_number
from shared.settings import Settings
from shared.store import gold, snapshots, thresholds, withheld
from shared.store.thresholds import StoredRule
from shared.text.masking import as_judged, without_words
from shared.training.data import normalised

NAME = "otzyv calibrate"
MOST_KNOWN = 0.05
"""Share of gold that may be among a student's lessons, such as short texts that many write, and is left out."""
NOTHING_CERTIFIED = 3
"""Exit code when nothing could be certified, so that nothing was stored."""


def calibrate(request: CalibrateOptions, settings: Settings, *, as_json: bool) -> int:
    """Find the thresholds, show and draw them, store them; returns the exit code."""
    request.check()
    in_file = gold_in_file(request, settings)
    # Gold in a file, and nothing stored: that needs a database only for models that are registered there.
    alone = request.store is None and request.dry_run and request.gold is not None
    places = (opened(settings, request.store, NAME), opened_for(settings.stages, settings, None, NAME))
    with places[alone] as here:
        rows, judged = _judged(in_file, settings, here, keeps=not alone)
        found = _found(request, settings, here, rows, judged)
        if here is not None and (against := _refuted(found, judged, here, settings)) is not None:
            remark(translated("not certified"), against)
            silent = msgspec.structs.replace(judged[STUDENT], verdicts=[None] * len(rows))
            found = _found(request, settings, here, rows, {**judged, STUDENT: silent})
        if request.plot is not None:
            taxonomy = here.taxonomy if here else runtime.load_taxonomy(settings)
            titles = {category.slug: category.title for category in taxonomy.categories}
            write_text(request.plot, found.picture(request.plot.suffix, titles))
        version = None
        if found.certified and here is not None and not request.dry_run:
            version = _stored(request, here, found, len(rows))
    if as_json:
        told = {"version": version, "gold": len(rows), "certified": request.by, **found.as_json()}
        out.print_json(data=told)
    else:
        asked = counted(
            "{number} gold review, target precision {target}, certainty {certainty}, {what}",
            "{number} gold reviews, target precision {target}, certainty {certainty}, {what}",
            len(rows),
            target=request.target_precision,
            certainty=request.certainty,
            what=found.what,
        )
        out.print(asked, soft_wrap=True)
        found.show()
        show_stored(found, version)
    for name in sorted({key.partition("/")[0] for key in settings.thresholds} & set(settings.stages)):
        over = translated("OTZYV_THRESHOLDS names {name}; it goes before what is stored here", name=name)
        remark(translated("note"), over)
    return 0 if found.certified else NOTHING_CERTIFIED


def show_stored(found: ChainCalibration | StageCalibration, version: int | None) -> None:
    """Which version the thresholds are now, or why they are none; nothing after a dry run."""
    if version is not None:
        out.print(
            translated("stored as version {number}; workers use it from their next batch on", number=version)
        )
    elif not found.certified:
        out.print(translated("nothing stored: {why}", why=found.nothing))


def _judged(
    in_file: list[GoldRow] | None, settings: Settings, here: Runtime | None, *, keeps: bool
) -> tuple[list[GoldRow], dict[str, Judged]]:
    """Gold that no stage was trained on, and what each stage says of it.

    Without `keeps` the database is only where models are registered. Raises ConfigurationError where there is no stage.
    """
    rows = _stored_gold(here) if in_file is None else in_file
    taxonomy = here.taxonomy if here else runtime.load_taxonomy(settings)
    made = in_use(settings.stages, taxonomy, settings, here if keeps else None, here)
    if not made:
        raise ConfigurationError(
            f"calibrate: expected a stage to certify out of {', '.join(settings.stages)}, found none that judges; see "
            "`otzyv status`, or choose others with OTZYV_CASCADE_STAGES"
        )
    texts = [as_judged(row.text, masks=settings.mask_personal_data) for row in rows]
    unseen = (
        [*range(len(rows))] if here is None or STUDENT not in made else _unseen(texts, made[STUDENT], here)
    )
    return [rows[at] for at in unseen], judge(made, [texts[at] for at in unseen])


def _unseen(texts: Sequence[str], student: Stage, here: Runtime) -> list[int]:
    """Places of the gold reviews that the student was not trained on: of the others it knows the answers.

    Raises ConfigurationError where these are many.
    """
    number = judge_number(student.model)
    with here.database.transaction() as cursor:
        lessons, measured = ([], []) if number is None else snapshots.taught(cursor, number)
    known = {*normalised(map(without_words, lessons))} - {*normalised(map(without_words, measured))}
    unseen = [at for at, text in enumerate(normalised(texts)) if text not in known]
    left = len(texts) - len(unseen)
    # What is left of a gold set after many were taken out for what they are is no sample of all reviews.
    if left > MOST_KNOWN * len(texts):
        raise ConfigurationError(
            f"calibrate: expected gold that model {number} was not trained on, found {left:,} of {len(texts):,} gold "
            "reviews among its lessons; train a new one, with `otzyv train --gold` where gold is a file, so that they "
            "are left out, promote and calibrate that"
        )
    if left:
        left_out(
            "{number} gold review that model {model} was trained on: it says nothing of it",
            "{number} gold reviews that model {model} was trained on: they say nothing of it",
            left,
            model=number,
        )
    return unseen


def gold_in_file(request: CalibrateOptions, settings: Settings) -> list[GoldRow] | None:
    """Gold of the file that was named, read before a server is asked or started; None where none was."""
    if request.gold is None:
        return None
    return read_gold(request.gold, request.reviews, runtime.load_taxonomy(settings), request)


def _stored_gold(here: Runtime | None) -> list[GoldRow]:
    assert here is not None  # noqa: S101  only a gold file does without
    with here.database.transaction() as cursor:
        rows = gold.rows(cursor, here.taxonomy_id, measuring=True)
    if not rows:
        raise InputFileError(
            "calibrate: expected gold in the database, found none for this taxonomy; name a file with --gold, or check "
            "some labels with `otzyv audit`"
        )
    return [GoldRow(row.text, row.category, row.source, row.ambiguous, row.external_id) for row in rows]


def _refuted(
    found: ChainCalibration | StageCalibration,
    judged: Mapping[str, Judged],
    here: Runtime,
    settings: Settings,
) -> str | None:
    """What speaks against the student whatever gold says: too many of its labels that were withheld are wrong."""
    value = next((row.value for row in found.rows() if (row.stage, row.category) == (STUDENT, None)), None)
    if value is None:
        return None
    # Scores are comparable where a chain is certified; else the threshold is a confidence.
    least, limit = value if found.chain is not None else 0.0, settings.alarm_student_precision
    with here.database.transaction() as cursor:
        model = judged[STUDENT].stage.model
        seen = withheld.evidence(cursor, here.taxonomy.name, STUDENT, model, least)
    if seen is None or not seen.is_below(limit):
        return None
    answers, right = seen.judged
    return translated(
        "{stage}: of {answers} labels of this model that were withheld and answered since, {right} are right "
        "({precision}), which is below {limit} with 99 % certainty; train a new model",
        stage=STUDENT,
        answers=grouped(answers),
        right=grouped(right),
        precision=figures.share(seen.precision),
        limit=limit,
    )


def _found(
    request: CalibrateOptions,
    settings: Settings,
    here: Runtime | None,
    rows: Sequence[GoldRow],
    judged: Mapping[str, Judged],
) -> ChainCalibration | StageCalibration:
    """What gold says of the chain, or of each of its stages."""
    verdicts = {name: one.verdicts for name, one in judged.items()}
    models = {name: one.stage.model for name, one in judged.items()}
    truth, target, certainty = [row.category for row in rows], request.target_precision, request.certainty
    if request.by == "chain":
        defaults = {name: one.stage.default_threshold for name, one in judged.items()}
        given = (request.category_floor, request.stage_floor)
        floors = Floors(*(FLOOR if floor is None else floor for floor in given))
        finding = certify_chain(verdicts, truth, defaults, target, certainty=certainty, floors=floors)
        return ChainCalibration(finding, models)
    stored = dict[str, StoredRule]()
    if here is not None:
        with here.database.transaction() as cursor:
            stored = thresholds.current(cursor, here.taxonomy_id)
    findings = certify_stages(
        verdicts,
        truth,
        target,
        certainty=certainty,
        per_category=request.per_category,
        uncertified=rules(judged, settings, stored) if request.allow_uncertified else None,
    )
    return StageCalibration(findings, models, target, certainty, uncertified_too=request.allow_uncertified)


def _stored(
    request: CalibrateOptions, here: Runtime, found: ChainCalibration | StageCalibration, gold_reviews: int
) -> int:
    """The number of the new version."""
    with here.database.transaction() as cursor:
        return thresholds.store(
            cursor,
            here.taxonomy_id,
            found.rows(),
            target=request.target_precision,
            certainty=request.certainty,
            gold_reviews=gold_reviews,
            note=f"calibrate {request.gold.name if request.gold else 'on stored gold'}",
            chain=found.chain,
        )
