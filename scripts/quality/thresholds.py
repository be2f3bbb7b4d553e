"""`otzyv thresholds`: which thresholds hold, which held before, and the way back."""

from __future__ import annotations

from pathlib import Path

from scripts.command import promise
from scripts.command.console import out
from scripts.command.database import opened
from scripts.pages.tables import table
from shared.errors import ConfigurationError
from shared.runtime import runtime
from shared.runtime.runtime import Runtime
from shared.settings import Settings
from shared.store import thresholds

VERSIONS_SHOWN, MOST_VERSIONS = 20, 10_000
NAME = "otzyv thresholds"


def show(settings: Settings, store: Path | None) -> None:
    """The newest versions, and the thresholds of the one that holds."""
    with opened(settings, store, NAME) as here:
        _show(here, settings)


def _show(here: Runtime, settings: Settings) -> None:
    with here.database.transaction() as cursor:
        every = thresholds.versions(cursor, here.taxonomy_id, MOST_VERSIONS)
        versions = every[:VERSIONS_SHOWN]
        rows = thresholds.rows(cursor, versions[0].id) if versions else []
    if not versions:
        out.print("no thresholds stored: every stage uses OTZYV_THRESHOLDS or its own default")
        return
    history = [
        (
            f"{version.id}{'' if number else ' *'}",
            f"{version.at:%Y-%m-%d %H:%M}",
            "" if version.target is None else "each stage" if version.chain is None else "chain",
            "" if version.target is None else f"{version.target:g}",
            "" if version.gold_reviews is None else f"{version.gold_reviews:,}",
            version.note,
        )
        for number, version in enumerate(versions)
    ]
    out.print(table(("version", "at", "certified", "target", "gold", "note"), history, left=6))
    if (more := len(every) - VERSIONS_SHOWN) > 0:
        out.print(f"and {more:,} earlier ones, which `otzyv thresholds use NUMBER` takes too")
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
    chain = versions[0].chain
    if chain is not None:
        kept = f"{chain.kept:,} of {versions[0].gold_reviews or 0:,}"
        now.append(("the chain", "all", "", kept, f"{chain.bound:.3f}"))
    heads = ("from score", "kept of reached") if chain else ("threshold", "kept of answers")
    out.print(table(("stage", "category", *heads, "precision at least"), now, left=5))
    held = promise.by_settings(versions[0], runtime.labeller(here).awake, settings.thresholds)
    out.print(f"* holds now: {held if rows else 'the defaults'}", soft_wrap=True)


def use(number: int, settings: Settings, store: Path | None) -> None:
    """Let an earlier version hold again, as a new version. Raises ConfigurationError where there is none."""
    with opened(settings, store, NAME) as here, here.database.transaction() as cursor:
        known = {
            version.id: version for version in thresholds.versions(cursor, here.taxonomy_id, MOST_VERSIONS)
        }
        if number not in known:
            raise ConfigurationError(
                f"thresholds: expected the number of a version, found {number}; see `otzyv thresholds list`"
            )
        old = known[number]
        new = thresholds.store(
            cursor, here.taxonomy_id, thresholds.rows(cursor, number), target=old.target,
            certainty=old.certainty, gold_reviews=old.gold_reviews, note=f"version {number} again", chain=old.chain,
            calibrated_at=old.calibrated_at,
        )  # fmt: skip
    out.print(f"version {new}, a copy of {number}, holds from the workers' next batch on")


def reset(settings: Settings, store: Path | None) -> None:
    """Let the stages' own defaults hold again, as a new version."""
    with opened(settings, store, NAME) as here, here.database.transaction() as cursor:
        new = thresholds.store(cursor, here.taxonomy_id, [], note="defaults")
    out.print(f"version {new}, the defaults, holds from the workers' next batch on")
