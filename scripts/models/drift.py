"""`otzyv quality`: what predictions say about themselves, day by day, and what is alarming about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from rich.table import Table

from scripts.command.console import out, remark
from scripts.command.database import opened
from scripts.language.language import Sentence, counted, grouped, translated
from scripts.pages import figures
from scripts.pages.tables import table
from scripts.service.waited import waited
from shared.quality.drift import Alarm, Quality
from shared.runtime.runtime import Runtime
from shared.serving import watching
from shared.settings import Settings
from shared.store import quality
from shared.store.processes import waits

_KINDS = {
    "expected_accuracy": Sentence("expected accuracy"),
    "disagreement": Sentence("disagreement with labels"),
    "psi_categories": Sentence("stability index of categories"),
    "psi_confidence": Sentence("stability index of confidence"),
    "withheld_precision": Sentence("precision of withheld labels"),
}


def show(days: int, settings: Settings, store: Path | None, *, as_json: bool) -> None:
    """Count the newest days anew, and show them with their alarms."""
    with opened(settings, store, "otzyv quality") as here:
        tell(days, here, as_json=as_json)


def tell(days: int, here: Runtime, *, as_json: bool) -> None:
    """The same, in a database that is open."""
    settings, since = here.settings, datetime.now(UTC).date() - timedelta(days=days - 1)
    watching.watch(here.database, here.taxonomy.name, since, watching.limits(settings))
    with here.database.transaction() as cursor:
        rows = quality.since(cursor, here.taxonomy.name, since)
        found = quality.alarms_since(cursor, here.taxonomy.name, since)
        tried = waits.listed(cursor, "model ")
    for wait in tried:
        remark(translated("waits for its next try"), waited(wait))
    if as_json:
        out.print_json(data=msgspec.to_builtins({"days": rows, "alarms": found}))
        return
    if not rows:
        told = counted(
            "no predictions in the last {number} day; see `otzyv models list`",
            "no predictions in the last {number} days; see `otzyv models list`",
            days,
        )
        out.print(told, soft_wrap=True)
        return
    titles = {category.slug: category.title for category in here.taxonomy.categories}
    out.print(_days([row for row in rows if row.category is None]))
    out.print(_categories(rows, titles))
    for alarm in found:
        out.print(_sentence(alarm, titles), soft_wrap=True)
    if not found:
        out.print(translated("no alarms"))


def _days(rows: Sequence[Quality]) -> Table:
    cells = [
        (
            row.day.isoformat(),
            *_counts(row),
            "" if row.psi_categories is None else figures.share(row.psi_categories),
            "" if row.psi_confidence is None else figures.share(row.psi_confidence),
        )
        for row in rows
    ]
    heads = (*_heads(translated("day")), translated("PSI of\ncategories"), translated("PSI of\nconfidence"))
    return table(heads, cells, left=2, title=translated("By day"))


def _categories(rows: Sequence[Quality], titles: Mapping[str, str]) -> Table:
    """The newest day of each model, by category. One that the taxonomy has no more is shown by its slug."""
    newest = {row.model_id: row.day for row in reversed(rows)}
    cells = [
        (titles.get(row.category, row.category), *_counts(row))
        for row in rows
        if row.category is not None and row.day == newest[row.model_id]
    ]
    title = translated("Newest day, by category")
    return table(_heads(translated("category")), cells, left=2, title=title)


def _heads(first: str) -> tuple[str, ...]:
    counts = (translated("predictions"), translated("expected\naccuracy"), translated("differ from\nlabels"))
    return (first, translated("model"), *counts)


def _counts(row: Quality) -> tuple[str, ...]:
    differ = ""
    if row.labelled:
        differ = translated(
            "{share} of {all}",
            share=figures.percent(row.disagreements / row.labelled),
            all=grouped(row.labelled),
        )
    return str(row.model_id), grouped(row.predictions), figures.share(row.expected_accuracy), differ


def _sentence(alarm: Alarm, titles: Mapping[str, str]) -> str:
    place = f" / {titles.get(alarm.category, alarm.category)}" if alarm.category else ""
    values: dict[str, object] = {
        "day": alarm.day,
        "model": f"{alarm.model_id}{place}",
        "what": _KINDS[alarm.kind],
        "value": figures.share(alarm.value),
        "limit": figures.share(alarm.limit),
        "seen": counted("{number} prediction", "{number} predictions", alarm.n),
    }
    if alarm.kind == "withheld_precision":
        values["seen"] = counted("{number} label", "{number} labels", alarm.n)
    if alarm.kind in ("expected_accuracy", "withheld_precision"):
        return translated("alarm  {day} model {model}: {what} {value} is below {limit} ({seen})", **values)
    return translated("alarm  {day} model {model}: {what} {value} is above {limit} ({seen})", **values)
