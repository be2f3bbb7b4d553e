"""`otzyv thresholds`: which thresholds hold, which held before, and the way back."""

from __future__ import annotations

from scripts.command.console import out
from scripts.pages.tables import table
from shared.errors import ConfigurationError
from shared.runtime import runtime
from shared.settings import Settings
from shared.store import thresholds

VERSIONS_SHOWN = 20


def show(settings: Settings) -> None:
    """The newest versions, and the thresholds of the one that holds."""
    here = runtime.build(settings)
    with here.database.transaction() as cursor:
        versions = thresholds.versions(cursor, here.taxonomy_id, VERSIONS_SHOWN)
        rows = thresholds.rows(cursor, versions[0].id) if versions else []
    if not versions:
        out.print("no thresholds stored: every stage uses OTZYV_THRESHOLDS or its own default")
        return
    history = [
        (
            f"{version.id}{'' if number else ' *'}",
            f"{version.at:%Y-%m-%d %H:%M}",
            "" if version.target is None else f"{version.target:g}",
            "" if version.gold_reviews is None else f"{version.gold_reviews:,}",
            version.note,
        )
        for number, version in enumerate(versions)
    ]
    out.print(table(("version", "at", "target", "gold", "note"), history, left=5))
    now = [
        (
            row.stage,
            row.category or "all others",
            "keeps nothing" if row.value is None else f"{row.value:.2f}",
            "" if row.kept is None else f"{row.kept:,} of {row.answers:,}",
            "" if row.bound is None else f"{row.bound:.3f}",
        )
        for row in rows
    ]
    heads = ("stage", "category", "threshold", "kept of answers", "precision at least")
    out.print(table(heads, now, left=5))
    out.print("* holds now" + ("" if rows else ": the defaults"))


def use(number: int, settings: Settings) -> None:
    """Let an earlier version hold again, as a new version. Raises ConfigurationError where there is none."""
    here = runtime.build(settings)
    with here.database.transaction() as cursor:
        known = {version.id: version for version in thresholds.versions(cursor, here.taxonomy_id, 10_000)}
        if number not in known:
            raise ConfigurationError(
                f"thresholds: expected the number of a version, found {number}; see `otzyv thresholds list`"
            )
        old = known[number]
        new = thresholds.store(
            cursor, here.taxonomy_id, thresholds.rows(cursor, number), target=old.target,
            certainty=old.certainty, gold_reviews=old.gold_reviews, note=f"version {number} again",
        )  # fmt: skip
    out.print(f"version {new}, a copy of {number}, holds from the workers' next batch on")


def reset(settings: Settings) -> None:
    """Let the stages' own defaults hold again, as a new version."""
    here = runtime.build(settings)
    with here.database.transaction() as cursor:
        new = thresholds.store(cursor, here.taxonomy_id, [], note="defaults")
    out.print(f"version {new}, the defaults, holds from the workers' next batch on")
