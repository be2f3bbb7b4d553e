"""An evaluation as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from scripts.language.language import counted, decimal, translated
from scripts.pages import figures
from scripts.pages.tables import table
from scripts.quality.evaluation_report.findings import Evaluation, group_title


def tables(result: Evaluation) -> RenderableType:
    """Scores by group and category, what each stage adds, and every shorter chain."""
    parts: list[RenderableType] = [Text(result.title, style="bold"), _groups(result), _categories(result)]
    if result.missing:
        told = counted(
            "{number} gold review has no row in the labels; it counts as unlabelled",
            "{number} gold reviews have no row in the labels; they count as unlabelled",
            result.missing,
        )
        parts.append(Text(told))
    if result.certified:
        parts.append(Text(str(result.certified)))
    if result.stages:
        parts.append(_stages(result))
    if len(result.chains) > 1:
        parts.append(_chains(result))
    return Group(*parts)


def _table(title: str, heads: str, rows: Iterable[Sequence[RenderableType]]) -> Table:
    first, *others = heads.split(", ")
    return table((Column(first, no_wrap=True), *others), rows, title=title, collapse_padding=True)


def _groups(result: Evaluation) -> Table:
    rows = []
    for name, kept in result.groups.items():
        final = result.final[name]
        shares = (kept.precision, kept.coverage, final.accuracy, final.weighted_f1, final.macro_f1)
        counts = (figures.count(kept.total), figures.count(kept.answered))
        rows.append((group_title(name), *counts, *map(figures.share, shares)))
    heads = translated(
        "reviews, gold, kept, precision, coverage, accuracy, weighted F1\non gold, macro F1\non gold"
    )
    return _table(translated("kept labels | with best guesses"), heads, rows)


def _categories(result: Evaluation) -> Table:
    by_slug = {row.category: row for row in result.labelled.categories}
    rows = [
        (
            Text(result.taxonomy.category(row.category).title),
            figures.count(row.gold),
            figures.count(row.answered),
            figures.share(row.precision) if row.answered else "",
            figures.share(row.recall) if row.gold else "",
            figures.share(by_slug[row.category].f1) if row.category in by_slug else "",
        )
        for row in result.kept.categories
    ]
    return _table("", translated("category, gold, kept, precision, recall, final F1\non gold"), rows)


def _stages(result: Evaluation) -> Table:
    rows = [
        (
            row.stage,
            translated("keeps nothing") if row.threshold is None else figures.confidence(row.threshold),
            figures.count(row.seen),
            figures.count(row.kept),
            figures.share(row.precision) if row.kept else figures.NONE,
            decimal(row.seconds, 2),
            figures.count(row.tokens),
            figures.signed(row.gain_right, 0),
            figures.signed(row.gain_f1),
        )
        for row in result.stages
    ]
    heads = translated(
        "stage, threshold, seen, kept, precision, seconds, tokens, adds right, adds F1\non gold"
    )
    return _table(translated("stages"), heads, rows)


def _chains(result: Evaluation) -> Table:
    rows = []
    for row in result.chains:
        kept = figures.share(row.accepted.precision) if row.accepted.coverage else figures.NONE
        scores = (row.accepted.coverage, row.final.weighted_f1, row.final.macro_f1)
        costs = (figures.percent(row.sent_to_llm), decimal(row.seconds, 2), figures.count(row.tokens))
        rows.append((row.name, kept, *map(figures.share, scores), *costs))
    heads = translated(
        "chain, precision, coverage, weighted F1\non gold, macro F1\non gold, to LLM, seconds, tokens"
    )
    return _table(translated("every chain of these stages"), heads, rows)
