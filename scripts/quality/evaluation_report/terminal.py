"""An evaluation as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.table import Column, Table
from rich.text import Text

from scripts.pages import figures
from scripts.pages.tables import table
from scripts.quality.evaluation_report.findings import Evaluation


def tables(result: Evaluation) -> RenderableType:
    """Scores by group and category, what each stage adds, and every shorter chain."""
    parts: list[RenderableType] = [Text(result.title, style="bold"), _groups(result), _categories(result)]
    if result.missing:
        parts.append(
            Text(f"{result.missing:,} gold reviews have no row in the labels; they count as unlabelled")
        )
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
        rows.append((name, f"{kept.total:,}", f"{kept.answered:,}", *(f"{share:.3f}" for share in shares)))
    heads = "reviews, gold, kept, precision, coverage, accuracy, weighted F1, macro F1"
    return _table("kept labels | with best guesses", heads, rows)


def _categories(result: Evaluation) -> Table:
    whole, final = (next(iter(groups.values())) for groups in (result.groups, result.final))
    by_slug = {row.category: row for row in final.categories}
    rows = [
        (
            Text(result.taxonomy.category(row.category).title),
            f"{row.gold:,}",
            f"{row.answered:,}",
            f"{row.precision:.3f}" if row.answered else "",
            f"{row.recall:.3f}" if row.gold else "",
            f"{by_slug[row.category].f1:.3f}" if row.category in by_slug else "",
        )
        for row in whole.categories
    ]
    return _table("", "category, gold, kept, precision, recall, final F1", rows)


def _stages(result: Evaluation) -> Table:
    rows = [
        (
            row.stage,
            "keeps nothing" if row.threshold is None else f"{row.threshold:.2f}",
            f"{row.seen:,}",
            f"{row.kept:,}",
            f"{row.precision:.3f}" if row.kept else figures.NONE,
            f"{row.seconds:.2f}",
            f"{row.tokens:,}",
            f"{row.gain_right:+,}",
            f"{row.gain_f1:+.3f}",
        )
        for row in result.stages
    ]
    heads = "stage, threshold, seen, kept, precision, seconds, tokens, adds right, adds F1"
    return _table("stages", heads, rows)


def _chains(result: Evaluation) -> Table:
    rows = []
    for row in result.chains:
        scores = (row.accepted.precision, row.accepted.coverage, row.final.weighted_f1, row.final.macro_f1)
        costs = (figures.percent(row.sent_to_llm), f"{row.seconds:.2f}", f"{row.tokens:,}")
        rows.append((row.name, *(f"{score:.3f}" for score in scores), *costs))
    heads = "chain, precision, coverage, weighted F1, macro F1, to LLM, seconds, tokens"
    return _table("every chain of these stages", heads, rows)
