"""`otzyv thresholds`: which thresholds hold, which held before, and the way back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from scripts.command import promise
from scripts.command.console import out
from scripts.command.database import opened
from scripts.language.language import counted, grouped, translated
from scripts.pages import figures
from scripts.pages.tables import table
from shared.errors import ConfigurationError
from shared.runtime import runtime
from shared.runtime.runtime import Runtime
from shared.settings import Settings
from shared.store import thresholds
from shared.store.thresholds import Threshold, Version

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
        told = translated("no thresholds stored: every stage uses OTZYV_THRESHOLDS or its own default")
        out.print(told, soft_wrap=True)
        return
    out.print(history_of(versions))
    if (more := len(every) - VERSIONS_SHOWN) > 0:
        told = counted(
            "and {number} earlier one, which `otzyv thresholds use NUMBER` takes too",
            "and {number} earlier ones, which `otzyv thresholds use NUMBER` takes too",
            more,
        )
        out.print(told, soft_wrap=True)
    out.print(values_of(versions[0], rows))
    held = promise.by_settings(versions[0], runtime.labeller(here).awake, settings.thresholds)
    told = translated("* holds now: {what}", what=held if rows else translated("the defaults"))
    out.print(told, soft_wrap=True)


def history_of(versions: Sequence[Version]) -> Table:
    """The versions, the one that holds first."""
    rows = [
        (
            f"{version.id}{'' if number else ' *'}",
            f"{version.at:%Y-%m-%d %H:%M}",
            certified_by(version),
            "" if version.target is None else figures.short(version.target),
            "" if version.gold_reviews is None else grouped(version.gold_reviews),
            version.note,
        )
        for number, version in enumerate(versions)
    ]
    heads = (translated("version"), translated("at (UTC)"), translated("certified"), translated("target"))
    return table((*heads, translated("gold"), translated("comment")), rows, left=6)


def certified_by(version: Version) -> str:
    """Whether a chain was certified, or each stage by itself."""
    if version.target is None:
        return ""
    return translated("each stage") if version.chain is None else translated("chain")


def values_of(version: Version, rows: Sequence[Threshold]) -> Table:
    """The thresholds of a version, by stage and category."""
    now = [
        (
            row.stage,
            row.category or translated("all others"),
            translated("keeps nothing") if row.value is None else figures.confidence(row.value),
            "" if row.kept is None or row.answers is None else _part(row.kept, row.answers),
            "" if row.bound is None else figures.share(row.bound),
        )
        for row in rows
    ]
    chain = version.chain
    if chain is not None:
        kept = _part(chain.kept, version.gold_reviews or 0)
        now.append((translated("the chain"), translated("all"), "", kept, figures.share(chain.bound)))
    if chain:
        heads = (translated("from score"), translated("kept of\nreached"))
    else:
        heads = (translated("threshold"), translated("kept of\nanswers"))
    first = (translated("stage"), translated("category"))
    return table((*first, *heads, translated("precision\nat least")), now, left=5)


def _part(some: int, of: int) -> str:
    return translated("{done} of {total}", done=grouped(some), total=grouped(of))


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
    told = translated(
        "version {new}, a copy of {number}, holds from the workers' next batch on", new=new, number=number
    )
    out.print(told, soft_wrap=True)


def reset(settings: Settings, store: Path | None) -> None:
    """Let the stages' own defaults hold again, as a new version."""
    with opened(settings, store, NAME) as here, here.database.transaction() as cursor:
        new = thresholds.store(cursor, here.taxonomy_id, [], note="defaults")
    told = translated("version {new}, the defaults, holds from the workers' next batch on", new=new)
    out.print(told, soft_wrap=True)
