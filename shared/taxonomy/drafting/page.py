"""A draft as a YAML file with comments: what each category covers, by which words, and some of its reviews.

Reviews are hostile text. In a comment everything but printable characters becomes a space, so no review can end it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from shared.taxonomy.drafting.proposal import NOTHING, Draft, DraftCategory
from shared.taxonomy.model import HINT_WEIGHT
from shared.text.masking import mask

WIDTH: Final = 110
LONGEST_EXAMPLE: Final = 160


class Coverage(NamedTuple):
    """How many reviews a category was the label of, some of them, and their commonest nouns with numbers of reviews."""

    reviews: int
    examples: Sequence[str] = ()
    nouns: Mapping[str, int] = MappingProxyType({})


def page(
    name: str, draft: Draft, head: Iterable[str] = (), covered: dict[str, Coverage] | None = None
) -> str:
    """The YAML of a draft. `covered` maps slugs to what their categories cover, and "" to what none does."""
    covered = covered or {}
    slug, title = NOTHING
    nothing = DraftCategory(slug, title, [], dict.fromkeys(draft.everyday, HINT_WEIGHT))
    lines = [line for text in head for line in comment(text)]
    if draft.left:
        lines += comment(f"Names that fit no category: {', '.join(draft.left)}")
    if "" in covered:
        lines += coverage_lines("Left over", covered[""])
    lines += [f"name: {name}", f"none_category: {slug}", "categories:"]
    for category in (*draft.categories, nothing):
        lines += ["", *category_lines(category, covered.get(category.slug))]
    return "\n".join(lines) + "\n"


def category_lines(category: DraftCategory, covered: Coverage | None) -> list[str]:
    """One category of the list, with its comment before it."""
    lines = []
    if covered is not None:
        lines += coverage_lines("Covers", covered, indent="  ")
    lines += [f"  - slug: {category.slug}", f"    title: {category.title}"]
    if category.keywords:
        lines += listed("    keywords: [", map(quoted, category.keywords), "]")
    weights = sorted(set(category.hints.values()), reverse=True)
    if weights:
        lines.append("    hints:")
    for weight in weights:
        words = [quoted(word) for word, own in category.hints.items() if own == weight]
        given = "" if weight == HINT_WEIGHT else f"weight: {weight}, "
        lines += listed(f"      - {{{given}phrase: [", words, "]}")
    return lines


def coverage_lines(what: str, covered: Coverage, indent: str = "") -> list[str]:
    """How many reviews, their commonest nouns, and some of them."""
    nouns = ", ".join(f"{noun} {count}" for noun, count in covered.nouns.items())
    lines = comment(f"{what}: {covered.reviews} reviews{nouns and '; '}{nouns}", indent)
    for example in covered.examples:
        lines += comment(f"«{clipped(mask(example))}»", indent)
    return lines


def comment(text: str, indent: str = "") -> list[str]:
    """A text as comment lines."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    return textwrap.wrap(
        plain, WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}#   ", break_on_hyphens=False
    )


def listed(beginning: str, entries: Iterable[str], ending: str) -> list[str]:
    """Entries with commas between a beginning and an ending, over as many lines as it takes."""
    inner = " " * (len(beginning) - len(beginning.lstrip()) + 4)
    text = ", ".join(entries) + ending
    return textwrap.wrap(
        text, WIDTH, initial_indent=beginning, subsequent_indent=inner, break_on_hyphens=False
    )


def quoted(word: str) -> str:
    """A word as a value of YAML: Latin ones in quotes, since null, on and no are none."""
    return f'"{word}"' if word.isascii() else word


def clipped(text: str) -> str:
    """The beginning of a text, up to a whole word."""
    return textwrap.shorten(text, LONGEST_EXAMPLE, placeholder=" …")
