"""`otzyv quality`: what predictions say about themselves, day by day, and what is alarming about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from rich.table import Table

from scripts.command.console import out, remark
from scripts.command.database import opened
from scripts.pages.tables import table
from shared.quality.drift import Alarm, Quality
from shared.runtime.runtime import Runtime
from shared.serving import watching
from shared.settings import Settings
from shared.store import quality
from shared.store.processes import waits

COUNTS = ("predictions", "expected\naccuracy", "differ from\nlabels")
_KINDS = {
    "expected_accuracy": "expected accuracy",
    "disagreement": "disagreement with labels",
    "psi_categories": "stability index of categories",
    "psi_confidence": "stability index of confidence",
    "withheld_precision": "precision of withheld labels",
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
        remark("waits for its next try", str(wait))
    if as_json:
        out.print_json(data=msgspec.to_builtins({"days": rows, "alarms": found}))
        return
    if not rows:
        out.print(f"no predictions in the last {days} days; see `otzyv models list`")
        return
    titles = {category.slug: category.title for category in here.taxonomy.categories}
    out.print(_days([row for row in rows if row.category is None]))
    out.print(_categories(rows, titles))
    for alarm in found:
        out.print(_sentence(alarm, titles), soft_wrap=True)
    if not found:
        out.print("no alarms")


def _days(rows: Sequence[Quality]) -> Table:
    cells = [
        (
            row.day.isoformat(),
            *_counts(row),
            "" if row.psi_categories is None else f"{row.psi_categories:.3f}",
            "" if row.psi_confidence is None else f"{row.psi_confidence:.3f}",
        )
        for row in rows
    ]
    heads = ("day", "model", *COUNTS, "PSI of\ncategories", "PSI of\nconfidence")
    return table(heads, cells, left=2, title="By day")


def _categories(rows: Sequence[Quality], titles: Mapping[str, str]) -> Table:
    """The newest day of each model, by category. One that the taxonomy has no more is shown by its slug."""
    newest = {row.model_id: row.day for row in reversed(rows)}
    cells = [
        (titles.get(row.category, row.category), *_counts(row))
        for row in rows
        if row.category is not None and row.day == newest[row.model_id]
    ]
    return table(("category", "model", *COUNTS), cells, left=2, title="Newest day, by category")


def _counts(row: Quality) -> tuple[str, ...]:
    differ = f"{row.disagreements / row.labelled:.1%} of {row.labelled:,}" if row.labelled else ""
    return str(row.model_id), f"{row.predictions:,}", f"{row.expected_accuracy:.3f}", differ


def _sentence(alarm: Alarm, titles: Mapping[str, str]) -> str:
    place = f" / {titles.get(alarm.category, alarm.category)}" if alarm.category else ""
    side = "below" if alarm.kind in ("expected_accuracy", "withheld_precision") else "above"
    return (
        f"alarm  {alarm.day} model {alarm.model_id}{place}: {_KINDS[alarm.kind]} {alarm.value:.3f} is {side} "
        f"{alarm.limit:.3f} ({alarm.n:,} {'labels' if alarm.kind == 'withheld_precision' else 'predictions'})"
    )
