"""`otzyv quality`: what predictions say about themselves, day by day, and what is alarming about it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from rich.table import Table

from scripts.command.console import out
from shared.quality.drift import Alarm, Quality
from shared.runtime import runtime
from shared.runtime.runtime import Runtime
from shared.serving import watching
from shared.settings import Settings
from shared.store import quality

COUNTS = ("predictions", "expected\naccuracy", "differ from\nlabels")
_KINDS = {
    "expected_accuracy": "expected accuracy",
    "disagreement": "disagreement with labels",
    "psi_categories": "stability index of categories",
    "psi_confidence": "stability index of confidence",
}


def show(days: int, settings: Settings, *, as_json: bool) -> None:
    """Count the newest days anew, and show them with their alarms."""
    here = runtime.build(settings)
    since = datetime.now(UTC).date() - timedelta(days=days - 1)
    watching.watch(here.database, here.taxonomy.name, since, watching.limits(settings))
    with here.database.transaction() as cursor:
        rows = quality.since(cursor, here.taxonomy.name, since)
        found = quality.alarms_since(cursor, here.taxonomy.name, since)
    if as_json:
        document = {"days": msgspec.to_builtins(rows), "alarms": msgspec.to_builtins(found)}
        out.print_json(json.dumps(document, ensure_ascii=False))
        return
    if not rows:
        out.print(f"no predictions in the last {days} days; see `otzyv models list`")
        return
    out.print(_days([row for row in rows if row.category is None]))
    out.print(_categories(rows, here))
    for alarm in found:
        out.print(_sentence(alarm, here), soft_wrap=True)
    if not found:
        out.print("no alarms")


def _days(rows: Sequence[Quality]) -> Table:
    table = Table("day", "model", title="By day", title_justify="left", box=None, pad_edge=False)
    for name in (*COUNTS, "PSI of\ncategories", "PSI of\nconfidence"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            row.day.isoformat(),
            str(row.model_id),
            f"{row.predictions:,}",
            f"{row.expected_accuracy:.3f}",
            _share(row),
            "" if row.psi_categories is None else f"{row.psi_categories:.3f}",
            "" if row.psi_confidence is None else f"{row.psi_confidence:.3f}",
        )
    return table


def _categories(rows: Sequence[Quality], here: Runtime) -> Table:
    """The newest day of each model, by category."""
    newest = {row.model_id: row.day for row in reversed(rows)}
    table = Table(
        "category", "model", title="Newest day, by category", title_justify="left", box=None, pad_edge=False
    )
    for name in COUNTS:
        table.add_column(name, justify="right")
    for row in rows:
        if row.category is not None and row.day == newest[row.model_id]:
            table.add_row(
                _title(row.category, here),
                str(row.model_id),
                f"{row.predictions:,}",
                f"{row.expected_accuracy:.3f}",
                _share(row),
            )
    return table


def _title(slug: str, here: Runtime) -> str:
    """A category's title; of one that the taxonomy has no more, its slug."""
    known = {category.slug: category.title for category in here.taxonomy.categories}
    return known.get(slug, slug)


def _share(row: Quality) -> str:
    return f"{row.disagreements / row.labelled:.1%} of {row.labelled:,}" if row.labelled else ""


def _sentence(alarm: Alarm, here: Runtime) -> str:
    place = f" / {_title(alarm.category, here)}" if alarm.category else ""
    side = "below" if alarm.kind == "expected_accuracy" else "above"
    return (
        f"alarm  {alarm.day} model {alarm.model_id}{place}: {_KINDS[alarm.kind]} {alarm.value:.3f} is {side} "
        f"{alarm.limit:.3f} ({alarm.n:,} predictions)"
    )
