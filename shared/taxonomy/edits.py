"""Changes of a taxonomy's text: entries added or weighed anew, every other character left as a person wrote it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

import msgspec
import yaml

from shared.errors import TaxonomyError
from shared.taxonomy.model import Category, Keyword, Taxonomy
from shared.taxonomy.source import read

EXCLUSIONS = "exclusions"
_COMMA = re.compile(r"\s*,[ \t]*")

Cut = tuple[int, int, str]
"""From where to where characters are replaced, and by what."""
Meaning = dict[tuple[str, str, str], tuple[float | None, bool]]
"""Weight, and whether it is inflected, by category, field and text of each entry."""


class Change(msgspec.Struct, frozen=True):
    """An entry as it shall be: added to a field of a category, or, where it is there already, with another weight.

    `weight` is None where the field's usual one will do, and for exclusions, which have none.
    """

    slug: str
    field: str
    text: str
    weight: float | None = None


def revised(text: str, changes: Sequence[Change]) -> str:
    """The YAML text with the changes, one line for each entry that is added.

    Raises TaxonomyError where the text would not say then what it should, as where an alias stands for a list.
    """
    before = Taxonomy.parse(text)
    wanted = meaning(before) | {
        (one.slug, one.field, one.text): (one.weight, inflected(before, one)) for one in changes
    }
    cuts = sorted(cuts_of(text, changes, meaning(before)), key=lambda cut: cut[:2])
    pieces, end = [], 0
    for start, stop, new in cuts:
        pieces += [text[end:start], new]
        end = max(end, stop)
    changed = "".join((*pieces, text[end:]))
    problems = read(changed).problems
    if problems or meaning(Taxonomy.parse(changed)) != wanted:
        raise TaxonomyError(
            "expected a taxonomy whose entries can be changed where they stand, found one where that says something "
            "else (an alias in place of a list?); write the entries in by hand"
        )
    return changed


def meaning(taxonomy: Taxonomy) -> Meaning:
    """What the keyword stage reads in a taxonomy."""
    said: Meaning = {}
    for category in taxonomy.categories:
        for field, text, weight, inflect in entries(category):
            said[category.slug, field, text] = weight, inflect
        said |= {(category.slug, EXCLUSIONS, text): (None, True) for text in category.exclusions}
    return said


def entries(category: Category) -> Iterator[tuple[str, str, float | None, bool]]:
    """Field, text, weight and whether to inflect, in the order in which the keyword stage takes them."""
    for field in ("keywords", "phrases", "hints", "modifiers"):
        for entry in getattr(category, field):
            for text in entry.word if isinstance(entry, Keyword) else entry.phrase:
                yield field, text, entry.weight, entry.inflect


def inflected(taxonomy: Taxonomy, change: Change) -> bool:
    """Whether an entry is inflected: a new one is, another one as before."""
    return meaning(taxonomy).get((change.slug, change.field, change.text), (None, True))[1]


def written(field: str, text: str, weight: float | None, inflect: bool = True) -> str:
    """An entry as it stands in a list."""
    plain = yaml.safe_load(f"[{text}]") == [text] if re.fullmatch(r"[\w -]+", text) else False
    name = text if plain else json.dumps(text, ensure_ascii=False)
    if field == EXCLUSIONS or (weight is None and inflect):
        return name
    parts = [f"{'word' if field == 'keywords' else 'phrase'}: {name}"]
    parts += [] if weight is None else [f"weight: {weight:g}"]
    parts += [] if inflect else ["inflect: false"]
    return f"{{{', '.join(parts)}}}"


def cuts_of(text: str, changes: Sequence[Change], before: Meaning) -> Iterator[Cut]:
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    categories = {fields_of(node)["slug"].value: node for node in fields_of(root)["categories"].value}
    fresh = []
    for (slug, field), some in groupby(sorted(changes, key=lambda one: (one.slug, one.field)), place_of):
        added = []
        there = {}
        for one in some:
            old = before.get((slug, field, one.text))
            if old is None:
                added.append(written(field, one.text, one.weight))
            else:
                there[one.text] = (one.weight, old[1])
        category = categories[slug]
        items = fields_of(category).get(field)
        if there and items is not None:
            for item in items.value:
                cuts, moved = weighed(text, item, field, there)
                yield from cuts
                added += moved
        if added and items is not None:
            yield appended(text, category, items, field, added)
        elif added:
            fresh.append(appended(text, category, items, field, added))
    # At one and the same place, what joins the last field goes before a field that is new.
    yield from fresh


def place_of(change: Change) -> tuple[str, str]:
    return change.slug, change.field


def fields_of(node: Any) -> dict[str, Any]:
    return {key.value: value for key, value in node.value}


def weighed(
    text: str, item: Any, field: str, there: dict[str, tuple[float | None, bool]]
) -> tuple[list[Cut], list[str]]:
    """How one entry of a list changes where it stands, and what leaves it to become an entry of its own."""
    start, stop = item.start_mark.index, item.end_mark.index
    if isinstance(item, yaml.ScalarNode):
        if item.value.strip() not in there:
            return [], []
        return [(start, stop, written(field, item.value.strip(), *there[item.value.strip()]))], []
    fields = fields_of(item)
    words = fields["word" if field == "keywords" else "phrase"]
    nodes = words.value if isinstance(words, yaml.SequenceNode) else [words]
    leaving = [node for node in nodes if node.value.strip() in there]
    if len(leaving) == len(nodes):
        last = leaving.pop()
        cuts = [new_weight(item, words, fields, there[last.value.strip()][0])]
    else:
        cuts = []
    moved = [written(field, node.value.strip(), *there[node.value.strip()]) for node in leaving]
    return cuts + without(text, words, leaving), moved


def new_weight(item: Any, words: Any, fields: dict[str, Any], weight: float | None) -> Cut:
    if "weight" in fields:
        node = fields["weight"]
        return node.start_mark.index, node.end_mark.index, f"{weight:g}"
    gap = ", " if item.flow_style else "\n" + " " * item.start_mark.column
    return tail(words), tail(words), f"{gap}weight: {weight:g}"


def without(text: str, words: Any, leaving: Sequence[Any]) -> list[Cut]:
    """Takes some words, not all, out of the list of an entry, and the line of one that stood alone in it."""
    cuts: list[Cut] = []
    if not leaving:
        return cuts
    going = {node.start_mark.index for node in leaving}
    kept = [node for node in words.value if node.start_mark.index not in going]
    for node in leaving:
        start, stop = node.start_mark.index, node.end_mark.index
        if not words.flow_style:
            start = text.rindex("\n", 0, start) + 1
            cuts.append((start, text.find("\n", stop) + 1 or len(text), ""))
        elif start > kept[-1].start_mark.index:
            cuts.append((max(kept[-1].end_mark.index, *ends_before(words, start)), stop, ""))
        else:
            comma = _COMMA.match(text, stop)
            stop = comma.end() if comma else stop
            if text[stop : stop + 1] == "\n":
                start = len(text[:start].rstrip(" \t"))
                stop += text[start - 1] == "\n"
            cuts.append((start, stop, ""))
    return cuts


def ends_before(words: Any, start: int) -> list[int]:
    """Where the words before a place of the text end."""
    return [node.end_mark.index for node in words.value if node.start_mark.index < start] or [0]


def tail(node: Any) -> int:
    """Where a value really ends: a list in block style is said to end where the next thing begins."""
    if isinstance(node, yaml.ScalarNode) or node.flow_style or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    return tail(last[1] if isinstance(node, yaml.MappingNode) else last)


def appended(text: str, category: Any, items: Any | None, field: str, added: Sequence[str]) -> Cut:
    """New entries behind those of a field, or the field behind the others of its category."""
    indent = "\n" + " " * category.start_mark.column
    if items is not None and items.flow_style:
        gap = f",{indent}  "
        place = tail(items.value[-1]) if items.value else items.start_mark.index + 1
        comma = _COMMA.match(text, place)
        new = gap.join(added)
        if comma:
            return comma.end(), comma.end(), f"{indent}  {new}"
        return place, place, (gap if items.value else "") + new
    if items is None and category.flow_style:
        place = category.end_mark.index - 1
        return place, place, f", {field}: [{', '.join(added)}]"
    dash = f"{indent}  - " if items is None else "\n" + " " * items.start_mark.column + "- "
    place = tail(category if items is None else items)
    place = place if text[place - 1] == "\n" else text.find("\n", place)
    place = len(text) if place < 0 else place
    head = f"{indent}{field}:" if items is None else ""
    new = head + "".join(dash + one for one in added)
    return place, place, new if text[place - 1 : place] != "\n" else new[1:] + "\n"
