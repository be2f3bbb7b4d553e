"""A file of labels, such as `otzyv label` writes or another annotator gave, read for a comparison with gold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scripts.files.columns import names_in, require_columns
from scripts.files.gold_file import GoldRow, Key, category_in
from scripts.files.opinions import choices, of_one_mind, opinion
from scripts.files.options import AS_FOUND, TableOptions
from scripts.files.record import Record, cell
from shared.errors import InputFileError
from shared.quality.agreement import Opinion
from shared.taxonomy import Taxonomy

Slugs = list[str | None]


def read_labels(
    path: Path, gold: Sequence[GoldRow], taxonomy: Taxonomy, tables: TableOptions = AS_FOUND
) -> tuple[Slugs, Slugs, int]:
    """For the gold rows, in their order: kept labels, labels with guesses, and how many rows the file lacks.

    They are found by id, and by source where both files have it, or by text where one of the files has no ids. A row
    with the status `needs_review` is a guess and not accepted. Several rows about one review come to one label by the
    rule of `shared.quality.agreement`. Raises InputFileError.
    """
    records = tables.records(path, "category")
    present = names_in(records)
    by_id = "id" in present and all(row.id for row in gold)
    require_columns(path, present, present, "id" if by_id else "text")
    with_source = by_id and "source" in present and all(row.source != "?" for row in gold)

    def key(source: str, name: str, text: str) -> Key:
        return (source if with_source else "", name) if by_id else ("", text)

    wanted, names = set(keys := [key(row.source, row.id, row.text) for row in gold]), dict[Key, str]()
    found, said = dict[Key, Record](), dict[Key, list[Opinion]]()
    for number, record in records.numbered():
        here = key(*(cell(record, name) for name in ("source", "id", "text")))
        slugs = (
            [category_in(path, number, name, taxonomy) for name in choices(record)] if here in wanted else []
        )
        if here in wanted and (slugs or here not in found):
            found[here] = record
        if slugs:
            names[here] = f"the id {'/'.join(filter(None, here))!r}" if by_id else "one text"
            said.setdefault(here, []).append(opinion(path, number, record, slugs))
    if gold and not found:
        raise about_nothing(path, "text" if not by_id else "source and id" if with_source else "id")
    settled = of_one_mind(path, said, names)
    rows = [found.get(one) for one in keys]
    final = [settled.get(one) for one in keys]
    accepted = [
        None if row is None or cell(row, "status") == "needs_review" else slug
        for row, slug in zip(rows, final, strict=True)
    ]
    return accepted, final, rows.count(None)


def about_nothing(path: Path, shared: str) -> InputFileError:
    """The error over labels of which none shares that with a gold review."""
    return InputFileError(
        f"{path}: expected labels of the gold reviews, found none with the {shared} of one; check that both files are "
        "about the same reviews, and that these columns hold the same"
    )
