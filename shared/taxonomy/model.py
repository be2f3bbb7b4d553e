"""Taxonomies: the categories, and the words by which the keyword stage knows them.

The YAML form is explained in docs/taxonomy.md. Reading files with line numbers is `source`, looking for
mistakes beyond the form is `inspection`.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from shared.errors import TaxonomyError
from shared.taxonomy.complaints import Fault, complaints
from shared.taxonomy.source import FieldPath, Problem, dotted, read

KEYWORD_WEIGHT: Final = 0.9
"""How much one keyword, phrase or modifier without a weight of its own says: close to certain."""
HINT_WEIGHT: Final = 0.5
"""How much one hint without a weight of its own says."""
MAX_RANGE: Final = 1000
"""A number range such as {38-64} may hold at most this many numbers."""

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Weight = Annotated[float, Field(gt=0, lt=1)]

RANGE = re.compile(r"\{(\d{1,9})-(\d{1,9})\}")


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _lists(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {key: tuple(item) if isinstance(item, list) else item for key, item in value.items()}


class _Words(_Form):
    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        """A bare string stands for `{field: string}`, where that is the first one, and one string for a list of one."""
        field = next(iter(cls.model_fields))
        if isinstance(value, str):
            return {field: (value,)}
        if isinstance(value, dict) and isinstance(value.get(field), str):
            return {**value, field: (value[field],)}
        return value


class Keyword(_Words):
    """One word, or several of equal weight; `inflect: false` takes it exactly as written."""

    word: Annotated[tuple[Text, ...], Field(min_length=1)]
    weight: Weight | None = None
    inflect: bool = True


class Phrase(_Words):
    """Words that stand side by side; `{38-64}` stands for any whole number from 38 to 64."""

    phrase: Annotated[tuple[Text, ...], Field(min_length=1)]
    weight: Weight | None = None
    inflect: bool = True


class Category(_Form):
    """One category. Only `slug` and `title` are required."""

    slug: Slug
    title: Text
    description: str = ""
    zero_shot_label: str = ""
    keywords: tuple[Keyword, ...] = ()
    phrases: tuple[Phrase, ...] = ()
    hints: tuple[Phrase, ...] = ()
    modifiers: tuple[Phrase, ...] = ()
    overrides: tuple[Slug, ...] = ()
    exclusions: tuple[Text, ...] = ()
    examples: tuple[Text, ...] = ()


class Taxonomy(_Form):
    """A named list of categories. `version` changes with every change of meaning.

    Raises nothing but pydantic's ValidationError when built directly; `load` and `parse` raise TaxonomyError
    with the place in the file.
    """

    name: Slug
    none_category: Slug | None = None
    hypothesis: Text = "Это отзыв о товаре из категории: {}."
    question: str = ""
    categories: Annotated[tuple[Category, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Taxonomy:
        found = list(faults(self))
        if found:
            place, message, suggestion = found[0]
            context = {"faults": found, "first": f"{dotted(place)}: {message}. {suggestion}"}
            raise PydanticCustomError("faults", "{first}", context)
        return self

    @model_serializer(mode="wrap")
    def as_document(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """As JSON. Without a question it is what it was before there were any, so its labels stay current."""
        document: dict[str, Any] = dump(self)
        if not self.question:
            del document["question"]
        return document

    @cached_property
    def version(self) -> str:
        """16 hex digits of SHA-256 over the meaning: comments and the order of keys do not count."""
        meaning = json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(meaning.encode()).hexdigest()[:16]

    @property
    def slugs(self) -> tuple[str, ...]:
        return tuple(category.slug for category in self.categories)

    def category(self, name: str) -> Category:
        """The category with this slug or title; case, ё/е and outer spaces do not count.

        Raises TaxonomyError where there is none; the message lists the nearest names.
        """
        found = self._by_name.get(plain(name))
        if found is not None:
            return found
        near = difflib.get_close_matches(plain(name), self._by_name, n=3, cutoff=0.5)
        hint = f"Did you mean {', '.join(near)}?" if near else f"Known: {', '.join(self.slugs)}."
        raise TaxonomyError(f"Taxonomy {self.name!r}: expected a slug or title, found {name!r}. {hint}")

    @cached_property
    def _by_name(self) -> dict[str, Category]:
        titles = {plain(category.title): category for category in self.categories}
        return titles | {plain(category.slug): category for category in self.categories}

    @classmethod
    def load(cls, path: str | Path) -> Taxonomy:
        """Reads a taxonomy file (UTF-8 YAML). Raises TaxonomyError, with file:line where it is not a taxonomy."""
        try:
            text = Path(path).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise TaxonomyError(f"{path}: expected a readable UTF-8 file, found: {error}") from error
        return cls.parse(text, str(path))

    @classmethod
    def parse(cls, text: str, name: str = "<text>") -> Taxonomy:
        """Reads a taxonomy from YAML text; `name` stands for the file in messages. Raises TaxonomyError."""
        taxonomy, problems = examine(text)
        if taxonomy is None:
            first, more = problems[0], len(problems) - 1
            tail = f" (and {more} more: otzyv taxonomy check {name})" if more else ""
            raise TaxonomyError(f"{name}:{first.line}: {first}{tail}")
        return taxonomy


def examine(text: str) -> tuple[Taxonomy | None, list[Problem]]:
    """The taxonomy in a YAML text, or None and every error in it, in the order of lines."""
    source = read(text)
    problems = list(source.problems)
    if source.data is None:
        return None, problems
    try:
        taxonomy = Taxonomy.model_validate(source.data)
    except ValidationError as error:
        problems += complaints(error, source, _fields_at)
        taxonomy = None
    problems.sort(key=lambda problem: (problem.line, problem.column))
    return (None if problems else taxonomy), problems


def _fields_at(place: FieldPath) -> tuple[str, ...]:
    """The fields that the mapping at `place` may have."""
    form: type[BaseModel] = Taxonomy
    if len(place) >= 2:
        form = Category
    if len(place) >= 4:
        form = Keyword if place[2] == "keywords" else Phrase
    return tuple(form.model_fields)


def plain(name: str) -> str:
    """A name as it is compared: lower case, е for ё, no outer spaces."""
    return name.strip().casefold().replace("ё", "е")


def faults(taxonomy: Taxonomy) -> Iterator[Fault]:
    """Contradictions of a well-formed taxonomy: where, what, and what to do."""
    slugs = taxonomy.slugs
    if taxonomy.none_category is not None and taxonomy.none_category not in slugs:
        yield ("none_category",), *_unknown(taxonomy.none_category, slugs)
    if "{}" not in taxonomy.hypothesis:
        message = f"expected {{}} where the label goes, found {taxonomy.hypothesis!r}"
        yield ("hypothesis",), message, "Write, for example, 'Это отзыв о товаре: {}.'"
    yield from _same_names(taxonomy)
    for index, category in enumerate(taxonomy.categories):
        place: FieldPath = ("categories", index)
        for number, slug in enumerate(category.overrides):
            if slug not in slugs:
                yield (*place, "overrides", number), *_unknown(slug, slugs)
        for number, keyword in enumerate(category.keywords):
            for nth, word in enumerate(keyword.word):
                if len(word.split()) > 1:
                    message = f"expected one word, found {word!r}"
                    yield (*place, "keywords", number, "word", nth), message, "Move it to phrases"
        yield from _bad_ranges(place, category)


def _unknown(slug: str, slugs: tuple[str, ...]) -> tuple[str, str]:
    near = difflib.get_close_matches(slug, slugs, n=1)
    known = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(slugs)}"
    return f"expected the slug of a category, found {slug!r}", known


def _same_names(taxonomy: Taxonomy) -> Iterator[Fault]:
    seen: dict[str, str] = {}
    for index, category in enumerate(taxonomy.categories):
        for field, name in (("slug", category.slug), ("title", category.title)):
            if seen.get(plain(name), category.slug) != category.slug or (
                field == "slug" and plain(name) in seen
            ):
                message = f"expected each slug and title once, found {name!r} again"
                yield ("categories", index, field), message, "Rename or merge the two categories"
            seen.setdefault(plain(name), category.slug)


def _bad_ranges(place: FieldPath, category: Category) -> Iterator[Fault]:
    for field in ("phrases", "hints", "modifiers"):
        for number, entry in enumerate(getattr(category, field)):
            for low, high in (found for text in entry.phrase for found in RANGE.findall(text)):
                if not 0 <= int(high) - int(low) < MAX_RANGE:
                    message = (
                        f"expected a rising range of at most {MAX_RANGE} numbers, found {{{low}-{high}}}"
                    )
                    yield (*place, field, number), message, "Write the smaller number first"
