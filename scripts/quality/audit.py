"""`otzyv audit`: draw labels for people to check, and tell by their answers how right the labels are."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import msgspec
from psycopg2.extensions import cursor as Cursor

from scripts.command.console import out
from scripts.pages.tables import table
from scripts.quality import audit_file
from shared.errors import ConfigurationError
from shared.quality import audit
from shared.quality.audit import Checked, Estimate, Stratum
from shared.runtime.runtime import Runtime
from shared.store import aliases, audits
from shared.store.audits import DrawnFrom, Open, Population

WEIGHTED = "precision,\nweighted"
WHY_WEIGHTED = (
    "Precision is of all labels, not of those that were checked: each answer stands for as many labels as its chance "
    "of being drawn says. So it may differ from right / checked."
)
NO_CHAMPION = (
    "--from disagreements: expected a champion whose predictions differ from labels, found none; see "
    "`otzyv models list`"
)


def draw(
    count: int,
    seed: int | None,
    path: Path,
    here: Runtime,
    *,
    show_labels: bool,
    drawn_from: DrawnFrom,
    overwrite: bool = False,
    semicolons: bool = False,
) -> None:
    """Draw labels and write them to a table, or to JSON for Label Studio with its labelling interface beside it."""
    audit_file.check(path, overwrite=overwrite)
    seed = random.randrange(2**31) if seed is None else seed  # noqa: S311  no secret
    with here.database.transaction() as cursor:
        population = _population(cursor, here, drawn_from)
        labels_there, strata = _strata(cursor, here, population, count)
        number, items = audits.draw(
            cursor, here.taxonomy_id, strata, audit.allocate(strata, count), seed, population
        )
        # Inside the transaction: an audit that nobody can open should not be.
        audit_file.write(path, number, items, here.taxonomy, show_labels=show_labels, semicolons=semicolons)
    out.print(
        f"audit {number}: {len(items):,} of {labels_there:,} labels, {len(strata)} strata, seed {seed}: {path}",
        soft_wrap=True,
    )
    if path.suffix.lower() == ".json":
        audit_file.write_interface(path, here.taxonomy)


def _population(cursor: Cursor, here: Runtime, drawn_from: DrawnFrom) -> Population:
    """What is drawn from. Raises ModelError where a champion is asked for and there is none."""
    if drawn_from != "disagreements":
        return Population(drawn_from)
    return Population(drawn_from, aliases.champion(cursor, here.taxonomy.name, NO_CHAMPION))


def _strata(
    cursor: Cursor, here: Runtime, population: Population, count: int
) -> tuple[int, dict[Stratum, int]]:
    """How many labels can be drawn, and the strata they are drawn from. Raises ConfigurationError."""
    sizes, model = audits.sizes(cursor, here.taxonomy_id, population), population.model_id
    if sizes and population.drawn_from == "withheld":
        # What they say of the stage has no weights: each is drawn as likely as any other.
        return sum(sizes.values()), {audit.EVERY: sum(sizes.values())}
    if sizes:
        try:
            return sum(sizes.values()), audit.strata(sizes, count)
        except ValueError as error:
            raise ConfigurationError(f"--n: {error}; draw more") from error
    if population.drawn_from == "withheld":
        raise ConfigurationError(
            "audit: expected reviews whose label by the stage student was withheld and that nobody has checked, found "
            "none; OTZYV_STUDENT_WITHHELD is their share"
        )
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


def report(here: Runtime, *, as_json: bool) -> None:
    """Precision of labels by stage and category, estimated from all that people have checked."""
    with here.database.transaction() as cursor:
        answered, others = audits.answered(cursor, here.taxonomy_id)
    drawn = len(answered) + sum(msgspec.structs.astuple(others))
    checked = [
        Checked(row.stage, row.category, row.status, row.answer == row.category, row.probability)
        for row in answered
        if row.category is not None
    ]
    estimates = estimates_of(checked)
    if as_json:
        shown = {
            "drawn": drawn,
            "answered": len(answered),
            "without_guess": len(answered) - len(checked),
            **msgspec.to_builtins(others),
            "precision": msgspec.to_builtins(estimates),
        }
        out.print_json(data=shown)
        return
    rows = []
    for name, found in estimates.items():
        kind, _, slug = name.partition(" ")
        title = here.taxonomy.category(slug).title if kind == "category" else name
        interval = f"{found.low:.3f} to {found.high:.3f}"
        rows.append((title, f"{found.checked:,}", f"{found.right:,}", f"{found.share:.3f}", interval))
    out.print(f"{len(answered):,} of {drawn:,} drawn labels have been checked")
    tell_others(len(answered) - len(checked), others)
    if not estimates:
        step = "`otzyv audit import` takes answers in" if drawn else "`otzyv audit draw` draws some"
        out.print(f"nothing to report yet: {step}", soft_wrap=True)
        return
    out.print(table(("labels", "checked", "right", WEIGHTED, "95 % interval"), rows))
    out.print(WHY_WEIGHTED, style="dim")


def tell_others(without_guess: int, others: Open) -> None:
    """Which drawn labels are in no row of the report, and why."""
    for count, what in (
        (
            without_guess,
            "checked reviews are in no row: no stage had a guess that could be right",
        ),
        (others.undecided, "have answers of which no category has more than half: they count as not checked"),
        (others.replaced, "are of texts that have been replaced since: nobody can check them any more"),
        (others.unanswered, "have no answer yet"),
    ):
        if count:
            out.print(f"  {count:,} {what}", soft_wrap=True)


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
