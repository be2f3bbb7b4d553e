"""`otzyv evaluate`: one stage against a gold set."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
from rich.table import Table

from scripts.console import out
from scripts.input_file import InputFile, Record
from shared.errors import InputFileError, TaxonomyError
from shared.evaluation import Score, score
from shared.rules import resolve
from shared.settings import Settings
from shared.taxonomy import Taxonomy
from workers import runtime, stages

ALL = "all"


class GoldRow(msgspec.Struct, frozen=True):
    """A review and the category that people gave it, as a slug."""

    text: str
    category: str
    source: str
    ambiguous: bool


def evaluate_stage(
    gold: Path, reviews: Path | None, stage: str, settings: Settings, *, as_json: bool
) -> None:
    """Put the gold reviews through a stage and show precision and coverage of what it keeps."""
    taxonomy = runtime.load_taxonomy(settings)
    rows = read_gold(gold, reviews, taxonomy)
    method = stages.build(stage, taxonomy, settings, None, 0)
    rule = resolve(method, settings.thresholds)
    threshold = rule.value
    verdicts = method.verdicts([row.text for row in rows])
    answers = [v.category if v is not None and rule.keeps(v) else None for v in verdicts]
    scores = by_source(rows, answers)
    if as_json:
        out.print_json(json.dumps(_as_json(scores, stage, method.model, threshold), ensure_ascii=False))
        return
    out.print(f"stage {stage} ({method.model}), labels kept from confidence {threshold:g}")
    out.print(_summary_table(scores))
    out.print(_category_table(scores[ALL], taxonomy))


def by_source(rows: list[GoldRow], answers: list[str | None]) -> dict[str, Score]:
    """Scores of all rows, of each source, and of the rows on which careful readers would agree."""
    groups = {ALL: list(range(len(rows)))}
    for position, row in enumerate(rows):
        groups.setdefault(f"source {row.source}", []).append(position)
    groups["not ambiguous"] = [position for position, row in enumerate(rows) if not row.ambiguous]
    return {
        name: score([rows[p].category for p in positions], [answers[p] for p in positions])
        for name, positions in groups.items()
    }


def read_gold(gold: Path, reviews: Path | None, taxonomy: Taxonomy) -> list[GoldRow]:
    """Gold rows with their texts: from a column `text` in the gold file, or by id from the reviews file.

    The reviews file is `reviews.csv` beside the gold file unless another is named. Raises InputFileError.
    """
    records = _read(gold)
    _require(gold, records, "category")
    if "text" not in records[0]:
        _require(gold, records, "id")
        texts = {_text(record, "id"): record for record in _read_reviews(gold, reviews)}
        missing = [_text(record, "id") for record in records if _text(record, "id") not in texts]
        if missing:
            raise InputFileError(
                f"{gold}: expected every id in the reviews file, {len(missing)} are not there (first: {missing[0]})"
            )
        records = [{**texts[_text(record, "id")], **record} for record in records]
    return [_gold_row(gold, number, record, taxonomy) for number, record in enumerate(records, 1)]


def _gold_row(gold: Path, number: int, record: Record, taxonomy: Taxonomy) -> GoldRow:
    try:
        category = taxonomy.category(_text(record, "category"))
    except TaxonomyError as error:
        raise InputFileError(f"{gold}, row {number}: {error}") from error
    ambiguous = _text(record, "ambiguous").lower() in ("1", "true", "yes")
    return GoldRow(_text(record, "text"), category.slug, _text(record, "source") or "?", ambiguous)


def _text(record: Record, column: str) -> str:
    """A cell as text, whatever type its file gives it; empty where there is none. 42.0 is the id 42."""
    value = record.get(column)
    if value is None or value != value:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _read_reviews(gold: Path, reviews: Path | None) -> list[Record]:
    path = reviews or gold.with_name("reviews.csv")
    if not path.is_file():
        raise InputFileError(
            f"{gold}: expected a column 'text' or a reviews file, found neither; name it with --reviews"
        )
    records = _read(path)
    for column in ("id", "text"):
        _require(path, records, column)
    return records


def _read(path: Path) -> list[Record]:
    return [record for chunk in InputFile(path).records() for record in chunk]


def _require(path: Path, records: list[Record], column: str) -> None:
    if column not in records[0]:
        raise InputFileError(
            f"{path}: expected a column {column!r}, found {', '.join(map(repr, records[0]))}"
        )


def _summary_table(scores: dict[str, Score]) -> Table:
    table = Table("reviews", box=None)
    for name in ("gold", "kept", "precision", "coverage", "accuracy"):
        table.add_column(name, justify="right")
    for name, row in scores.items():
        table.add_row(
            name,
            f"{row.total:,}",
            f"{row.answered:,}",
            f"{row.precision:.3f}",
            f"{row.coverage:.3f}",
            f"{row.accuracy:.3f}",
        )
    return table


def _category_table(total: Score, taxonomy: Taxonomy) -> Table:
    table = Table("category", box=None)
    for name in ("gold", "kept", "precision", "recall"):
        table.add_column(name, justify="right")
    for row in total.categories:
        table.add_row(
            taxonomy.category(row.category).title,
            f"{row.gold:,}",
            f"{row.answered:,}",
            f"{row.precision:.3f}" if row.answered else "",
            f"{row.recall:.3f}" if row.gold else "",
        )
    return table


def _as_json(scores: dict[str, Score], stage: str, model: str, threshold: float | None) -> dict[str, object]:
    return {
        "stage": stage,
        "model": model,
        "threshold": threshold,
        "groups": {
            name: {
                "gold": row.total,
                "kept": row.answered,
                "right": row.right,
                "precision": row.precision,
                "coverage": row.coverage,
                "accuracy": row.accuracy,
            }
            for name, row in scores.items()
        },
        "categories": [msgspec.to_builtins(row) for row in scores[ALL].categories],
    }
