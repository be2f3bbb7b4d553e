"""`otzyv audit`: draw labels for people to check, take their answers in, and tell how right the labels are."""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Sequence
from pathlib import Path

import msgspec
from psycopg2.extensions import cursor as Cursor

from scripts.command.console import out, remark
from scripts.files.answer_file import read_answers
from scripts.files.formulas import escaped
from scripts.files.record import only
from scripts.files.whole_file import write_text
from scripts.pages.tables import table
from scripts.pages.templates import rendered
from shared.errors import ConfigurationError, InputFileError
from shared.quality import audit
from shared.quality.audit import Checked, Estimate, Stratum
from shared.runtime import runtime
from shared.runtime.runtime import Runtime
from shared.settings import Settings
from shared.store import aliases, audits, gold, labels
from shared.store.audits import AuditItem
from shared.store.gold import GoldAnswer

COLUMNS = ("audit", "source", "id", "text", "answer")
SHOWN = ("label", "stage", "confidence")
NO_CHAMPION = (
    "--from disagreements: expected a champion whose predictions differ from labels, found none; see "
    "`otzyv models list`"
)


def draw(
    count: int,
    seed: int | None,
    path: Path,
    settings: Settings,
    *,
    show_labels: bool,
    disagreements: bool,
    overwrite: bool = False,
) -> None:
    """Draw labels and write them to a CSV, or to JSON for Label Studio with its labelling interface beside it."""
    if path.suffix.lower() not in (".csv", ".json"):
        raise InputFileError(
            f"{path}: expected a name that ends in .csv or .json (Label Studio); rename --out"
        )
    if path.exists() and not overwrite:
        raise InputFileError(
            f"{path}: expected a new file, found one that may hold answers; name another with --out, or add --overwrite"
        )
    here = runtime.build(settings)
    as_csv = path.suffix.lower() == ".csv"
    seed = random.randrange(2**31) if seed is None else seed  # noqa: S311  no secret
    with here.database.transaction() as cursor:
        model = aliases.champion(cursor, here.taxonomy.name, NO_CHAMPION) if disagreements else None
        labels_there, strata = _strata(cursor, here, model, count)
        number, items = audits.draw(
            cursor, here.taxonomy_id, strata, audit.allocate(strata, count), seed, model
        )
        text = _csv(number, items, here, show_labels) if as_csv else _tasks(number, items)
        # Inside the transaction: an audit that nobody can open should not be.
        write_text(path, text)
    out.print(
        f"audit {number}: {len(items):,} of {labels_there:,} labels, {len(strata)} strata, seed {seed}: {path}",
        soft_wrap=True,
    )
    if not as_csv:
        interface = path.with_suffix(".xml")
        write_text(interface, f"{rendered('quality/interface.xml', categories=here.taxonomy.categories)}\n")
        out.print(f"labelling interface for Label Studio: {interface}", soft_wrap=True)


def _strata(cursor: Cursor, here: Runtime, model: int | None, count: int) -> tuple[int, dict[Stratum, int]]:
    """How many labels can be drawn, and the strata they are drawn from. Raises ConfigurationError."""
    sizes = audits.sizes(cursor, here.taxonomy_id, model)
    if sizes:
        try:
            return sum(sizes.values()), audit.strata(sizes, count)
        except ValueError as error:
            raise ConfigurationError(f"--n: {error}; draw more") from error
    if model is None:
        raise ConfigurationError(
            "audit: expected labels to check, found none for this taxonomy; label some first"
        )
    if not audits.predicted(cursor, model):
        raise ConfigurationError(
            f"audit: expected predictions of the champion, model {model}, found none yet; `otzyv backfill "
            f"--model {model}` predicts stored reviews"
        )
    raise ConfigurationError(
        f"audit: expected labels that the champion, model {model}, disagrees with, found none for this taxonomy"
    )


def _csv(number: int, items: Sequence[AuditItem], here: Runtime, show_labels: bool) -> str:
    titles = {category.slug: category.title for category in here.taxonomy.categories}
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow([*COLUMNS, *(SHOWN if show_labels else ())])
    for item in items:
        cells = [str(number), item.source, item.external_id, item.text, ""]
        if show_labels:
            confidence = "" if item.confidence is None else f"{item.confidence:.3f}"
            cells += [titles[item.category] if item.category else "", item.stage or "", confidence]
        writer.writerow(map(escaped, cells))
    return text.getvalue()


def _tasks(number: int, items: Sequence[AuditItem]) -> str:
    """Tasks as Label Studio imports them. Labels are left out: who sees one tends to agree with it."""
    tasks = [
        {"data": {"audit": number, "source": item.source, "id": item.external_id, "text": item.text}}
        for item in items
    ]
    return json.dumps(tasks, ensure_ascii=False, indent=1)


def import_answers(path: Path, annotator: str, settings: Settings) -> None:
    """Take answers in: they become gold, and their reviews' labels become people's. All of the file or nothing."""
    here = runtime.build(settings)
    given = read_answers(path, here.taxonomy, annotator)
    with here.database.transaction() as cursor:
        for number in {one.audit for one in given if one.audit is not None}:
            if audits.taxonomy_of(cursor, number) != here.taxonomy_id:
                raise InputFileError(
                    f"{path}: expected audits of the taxonomy {here.taxonomy.name} {here.taxonomy.version[:12]}, found "
                    f"audit {number}, which is of another or none; set OTZYV_TAXONOMY and OTZYV_DATABASE_URL as when "
                    "it was drawn"
                )
        found = audits.find(cursor, [(one.audit, one.source, one.id) for one in given])
        present = []
        for one, reviews in zip(given, found, strict=True):
            where = "stored review" if one.audit is None else f"review of audit {one.audit}"
            name = f"{one.source}/{one.id}" if one.source else one.id
            review = only(path, one.row, f"{where} with the id {name!r}", reviews)
            if review.drawn in (None, review.revision):
                present.append((one, review))
        gold.record(
            cursor,
            [GoldAnswer(r.review_id, r.revision, o.category, o.annotator, o.ambiguous) for o, r in present],
            here.taxonomy_id,
        )
        audits.answer(
            cursor,
            [(o.audit, r.review_id, o.category, o.annotator) for o, r in present if o.audit is not None],
        )
        # Of several answers about one review the last one counts.
        told = {r.review_id: (r.review_id, r.revision, o.category) for o, r in present}
        labels.settle_by_people(cursor, list(told.values()), here.taxonomy_id)
    out.print(f"{len(present):,} answers taken in; they are gold, and their reviews are labelled by people")
    if len(present) < len(given):
        remark(
            "left out",
            f"{len(given) - len(present):,} answers about texts that have been replaced since they were drawn",
        )


def report(settings: Settings, *, as_json: bool) -> None:
    """Precision of labels by stage and category, estimated from all that people have checked."""
    here = runtime.build(settings)
    with here.database.transaction() as cursor:
        answered, drawn = audits.answered(cursor, here.taxonomy_id)
    checked = [
        Checked(row.stage, row.category, row.status, row.answer == row.category, row.probability)
        for row in answered
        if row.category is not None
    ]
    estimates = estimates_of(checked)
    if as_json:
        shown = {"drawn": drawn, "answered": len(answered), "precision": msgspec.to_builtins(estimates)}
        out.print_json(data=shown)
        return
    rows = []
    for name, found in estimates.items():
        kind, _, slug = name.partition(" ")
        title = here.taxonomy.category(slug).title if kind == "category" else name
        interval = f"{found.low:.3f} to {found.high:.3f}"
        rows.append((title, f"{found.checked:,}", f"{found.right:,}", f"{found.share:.3f}", interval))
    out.print(f"{len(answered):,} of {drawn:,} drawn labels have been checked")
    out.print(table(("labels", "checked", "right", "precision", "95 % interval"), rows))


def estimates_of(checked: Sequence[Checked]) -> dict[str, Estimate]:
    """Precision of accepted labels: all, by stage, by category; and of the guesses for people."""
    accepted = [one for one in checked if one.status == "accepted"]
    groups: dict[str, list[Checked]] = {"accepted": accepted}
    for one in accepted:
        groups.setdefault(f"stage {one.stage}", []).append(one)
    for one in sorted(accepted, key=lambda one: one.category):
        groups.setdefault(f"category {one.category}", []).append(one)
    groups["needs_review"] = [one for one in checked if one.status == "needs_review"]
    return {name: found for name, rows in groups.items() if (found := audit.estimate(rows)) is not None}
