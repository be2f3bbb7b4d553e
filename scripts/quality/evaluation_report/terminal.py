"""An evaluation as tables for the terminal."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from scripts.pages import figures
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


def _table(title: str, first: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, collapse_padding=True)
    table.add_column(first, no_wrap=True)
    for name in columns:
        table.add_column(name, justify="right")
    return table


def _groups(result: Evaluation) -> Table:
    table = _table(
        "kept labels | with best guesses", "reviews", "gold", "kept", "precision", "coverage", "accuracy",
        "weighted F1", "macro F1",
    )  # fmt: skip
    for name, kept in result.groups.items():
        final = result.final[name]
        table.add_row(
            name,
            f"{kept.total:,}",
            f"{kept.answered:,}",
            f"{kept.precision:.3f}",
            f"{kept.coverage:.3f}",
            f"{final.accuracy:.3f}",
            f"{final.weighted_f1:.3f}",
            f"{final.macro_f1:.3f}",
        )
    return table


def _categories(result: Evaluation) -> Table:
    whole, final = (next(iter(groups.values())) for groups in (result.groups, result.final))
    by_slug = {row.category: row for row in final.categories}
    table = _table("", "category", "gold", "kept", "precision", "recall", "final F1")
    for row in whole.categories:
        table.add_row(
            Text(result.taxonomy.category(row.category).title),
            f"{row.gold:,}",
            f"{row.answered:,}",
            f"{row.precision:.3f}" if row.answered else "",
            f"{row.recall:.3f}" if row.gold else "",
            f"{by_slug[row.category].f1:.3f}" if row.category in by_slug else "",
        )
    return table


def _stages(result: Evaluation) -> Table:
    table = _table(
        "stages",
        "stage",
        "threshold",
        "seen",
        "kept",
        "precision",
        "seconds",
        "tokens",
        "adds right",
        "adds F1",
    )
    for row in result.stages:
        table.add_row(
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
    return table


def _chains(result: Evaluation) -> Table:
    table = _table(
        "every chain of these stages", "chain", "precision", "coverage", "weighted F1", "macro F1", "to LLM",
        "seconds", "tokens",
    )  # fmt: skip
    for row in result.chains:
        table.add_row(
            row.name,
            f"{row.accepted.precision:.3f}",
            f"{row.accepted.coverage:.3f}",
            f"{row.final.weighted_f1:.3f}",
            f"{row.final.macro_f1:.3f}",
            figures.percent(row.sent_to_llm),
            f"{row.seconds:.2f}",
            f"{row.tokens:,}",
        )
    return table
