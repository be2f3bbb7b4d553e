"""`otzyv audit`: draw labels for people to check, and tell by their answers how right the labels are."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from psycopg2.extensions import cursor as Cursor
from rich.table import Table

from scripts.command.console import out
from scripts.language.language import Sentence, counted, grouped, translated
from scripts.pages import figures
from scripts.pages.tables import table
from scripts.quality import audit_file
from shared.errors import ConfigurationError
from shared.quality import audit
from shared.quality.audit import Checked, Estimate, Stratum
from shared.runtime.runtime import Runtime
from shared.store import aliases, audits
from shared.store.audits import DrawnFrom, Open, Population
from shared.taxonomy import Taxonomy

WHY_WEIGHTED = Sentence(
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
    told = translated(
        "audit {number}: {drawn} of {all} judged reviews, strata: {strata}, seed {seed}: {file}",
        number=number,
        drawn=grouped(len(items)),
        all=grouped(labels_there),
        strata=len(strata),
        seed=seed,
        file=path,
    )
    out.print(told, soft_wrap=True)
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
    told = counted(
        "{checked} of {number} drawn label has been checked",
        "{checked} of {number} drawn labels have been checked",
        drawn,
        checked=grouped(len(answered)),
    )
    out.print(told)
    tell_others(len(answered) - len(checked), others)
    if not estimates:
        taken = translated("`otzyv audit import` takes answers in")
        step = taken if drawn else translated("`otzyv audit draw` draws some")
        out.print(translated("nothing to report yet: {step}", step=step), soft_wrap=True)
        return
    out.print(table_of(estimates, here.taxonomy))
    out.print(str(WHY_WEIGHTED), style="dim")


def table_of(estimates: Mapping[str, Estimate], taxonomy: Taxonomy) -> Table:
    """What each group of labels was estimated at."""
    rows = []
    for name, found in estimates.items():
        kind, _, slug = name.partition(" ")
        title = taxonomy.category(slug).title if kind == "category" else name
        if kind == "stage":
            title = translated("stage {name}", name=slug)
        share = figures.share(found.share)
        rows.append(
            (title, *map(grouped, (found.checked, found.right)), share, figures.span(found.low, found.high))
        )
    heads = (
        translated("labels"),
        translated("checked"),
        translated("right"),
        translated("precision,\nweighted"),
    )
    return table((*heads, translated("{certainty} % interval", certainty=95)), rows)


def tell_others(without_guess: int, others: Open) -> None:
    """Which drawn labels are in no row of the report, and why."""
    told = []
    if (count := without_guess) > 0:
        told += [
            counted(
                "{number} checked review is in no row: no stage had a guess that could be right",
                "{number} checked reviews are in no row: no stage had a guess that could be right",
                count,
            )
        ]
    if (count := others.undecided) > 0:
        told += [
            counted(
                "{number} has answers of which no category has more than half: it counts as not checked",
                "{number} have answers of which no category has more than half: they count as not checked",
                count,
            )
        ]
    if (count := others.replaced) > 0:
        told += [
            counted(
                "{number} is of a text that has been replaced since: nobody can check it any more",
                "{number} are of texts that have been replaced since: nobody can check them any more",
                count,
            )
        ]
    if (count := others.unanswered) > 0:
        told += [counted("{number} has no answer yet", "{number} have no answer yet", count)]
    for sentence in told:
        out.print(f"  {sentence}", soft_wrap=True)


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
