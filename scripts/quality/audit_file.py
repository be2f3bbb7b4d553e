"""The file of an audit that people fill in: a table with the answers allowed, or tasks for Label Studio."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from scripts.command.console import out
from scripts.files.csv_writer import opened_csv
from scripts.files.record import Record
from scripts.files.sheet_writer import opened_sheet
from scripts.files.whole_file import whole, write_text
from scripts.language.language import translated
from scripts.pages.templates import rendered
from shared.errors import InputFileError
from shared.store.audits import AuditItem
from shared.taxonomy import Taxonomy

FORMATS: Final = (".csv", ".xlsx", ".json")
COLUMNS: Final = ("audit", "source", "id", "text", "answer")
SHOWN: Final = ("label", "stage", "confidence")
ALLOWED: Final = "allowed"
"""The column of a CSV with the answers that may be given; a workbook has a sheet for them."""


def check(path: Path, *, overwrite: bool) -> None:
    """Raises InputFileError where no audit can be written there, or one would be lost."""
    if path.suffix.lower() not in FORMATS:
        raise InputFileError(
            f"{path}: expected a name that ends in .csv, .xlsx or .json (Label Studio); rename --out"
        )
    if path.exists() and not overwrite:
        raise InputFileError(
            f"{path}: expected a new file, found one that may hold answers; name another with --out, or add --overwrite"
        )


def write(
    path: Path,
    number: int,
    items: Sequence[AuditItem],
    taxonomy: Taxonomy,
    *,
    show_labels: bool,
    semicolons: bool,
) -> None:
    """Write a table, or tasks."""
    if path.suffix.lower() == ".json":
        write_text(path, _tasks(number, items))
        return
    names = (*COLUMNS, *(SHOWN if show_labels else ()))
    titles = {category.slug: category.title for category in taxonomy.categories}
    rows = [_row(number, item, titles) for item in items]
    with whole(path) as unfinished:
        if path.suffix.lower() == ".csv":
            allowed = "; ".join(category.title for category in taxonomy.categories)
            with opened_csv(unfinished, (*names, ALLOWED), semicolons=semicolons) as write_rows:
                write_rows([{**row, ALLOWED: allowed} for row in rows])
        else:
            answers = [(category.title, category.description) for category in taxonomy.categories]
            with opened_sheet(unfinished, names, "audit", {"answer": answers}) as write_rows:
                write_rows(rows)


def write_interface(path: Path, taxonomy: Taxonomy) -> None:
    """Beside tasks for Label Studio, the interface in which they are answered."""
    interface = path.with_suffix(".xml")
    write_text(interface, f"{rendered('quality/interface.xml', categories=taxonomy.categories)}\n")
    told = translated("labelling interface for Label Studio: {file}", file=interface)
    out.print(told, soft_wrap=True)


def _row(number: int, item: AuditItem, titles: Mapping[str, str]) -> Record:
    return {
        "audit": str(number),
        "source": item.source,
        "id": item.external_id,
        "text": item.text,
        "answer": "",
        "label": titles.get(item.category or "", ""),
        "stage": item.stage or "",
        "confidence": None if item.confidence is None else round(item.confidence, 3),
    }


def _tasks(number: int, items: Sequence[AuditItem]) -> str:
    """Tasks as Label Studio imports them. Labels are left out: who sees one tends to agree with it."""
    tasks = [
        {"data": {"audit": number, "source": item.source, "id": item.external_id, "text": item.text}}
        for item in items
    ]
    return json.dumps(tasks, ensure_ascii=False, indent=1)
