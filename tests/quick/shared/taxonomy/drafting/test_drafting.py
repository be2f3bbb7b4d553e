"""A draft from reviews: its groups, its words, its YAML. Word vectors are made up here, a direction for each kind."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest

from shared.errors import TaxonomyError
from shared.taxonomy import Taxonomy, check_text
from shared.taxonomy.drafting.mentions import FloatRows
from shared.taxonomy.drafting.page import Coverage, page
from shared.taxonomy.drafting.proposal import Draft, DraftCategory, draft

KINDS = (
    ("кроссовки сапоги ботинки туфли", "подошва стелька", "жмут"),
    ("тарелка кружка кастрюля сковорода", "крышка эмаль", "пригорает"),
    ("кукла машинка конструктор пирамидка", "колесо деталь", "играет"),
)
MOODS = ("хороший товар", "плохое качество", "отличная цена", "быстрая доставка", "подарок маме", "спасибо")
TEXTS = [
    f"{thing.capitalize()}: {part} {verb}, {mood}. {number}"
    for things, parts, verb in KINDS
    for number, (thing, part, mood) in enumerate(product(things.split(), parts.split(), MOODS))
] + [f"{one}, {other}, заказ {number}" for number, (one, other) in enumerate(product(MOODS, MOODS))] * 2
TEXTS += [f"{mood}! {number}" for number, mood in enumerate(MOODS * 5)]


def vectors_of(words: Sequence[str]) -> FloatRows:
    """A direction for each kind of thing, one for all other words, and a little of each word's own."""
    rows = np.zeros((len(words), 64), np.float32)
    for at, forms in enumerate(words):
        kind = [any(form[:5] in "  ".join(some) for form in forms.split()) for some in KINDS]
        rows[at, kind.index(True) if True in kind else 3] = 1.0
        rows[at, 4 + sum(map(ord, forms)) % 60] += 0.5
    lengths: FloatRows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return lengths


@pytest.fixture(scope="module")
def drafted() -> Draft:
    return draft(TEXTS, vectors_of)


def test_what_is_alike_is_one_category_and_names_its_things(drafted: Draft) -> None:
    found = {frozenset(category.keywords) for category in drafted.categories}
    assert found == {
        frozenset(("кроссовки", "сапоги", "ботинки", "туфля")),
        frozenset(("тарелка", "кружка", "кастрюля", "сковорода")),
        frozenset(("кукла", "машинка", "конструктор", "пирамидка")),
    }


def test_parts_and_what_things_do_are_hints_and_never_keywords(drafted: Draft) -> None:
    (shoes,) = [category for category in drafted.categories if "сапоги" in category.keywords]
    assert {"подошва", "стелька", "жать"} & set(shoes.hints) == set(shoes.hints)
    assert "подошва" in shoes.hints


def test_words_of_buying_and_praise_name_nothing(drafted: Draft) -> None:
    named = {word for category in drafted.categories for word in (*category.keywords, *category.hints)}
    assert not {"товар", "качество", "цена", "доставка", "подарок", "заказ"} & named
    assert {"товар", "качество", "цена", "доставка"} <= set(drafted.everyday)


def test_titles_are_the_categories_own_words_and_slugs_are_unique(drafted: Draft) -> None:
    for category in drafted.categories:
        assert set(category.title.split(", ")) <= set(category.keywords)
    assert len({category.slug for category in drafted.categories}) == len(drafted.categories)


def test_the_same_reviews_give_the_same_draft(drafted: Draft) -> None:
    assert draft(TEXTS, vectors_of) == drafted


def test_fewer_categories_come_where_fewer_are_wanted() -> None:
    assert len(draft(TEXTS, vectors_of, wanted=2).categories) == 2


def test_too_few_different_reviews_are_refused_with_their_number() -> None:
    with pytest.raises(TaxonomyError, match=r"expected at least 200 different reviews .* found 150"):
        draft(TEXTS[:150] * 3, vectors_of)


@pytest.mark.parametrize("text", ["very nice dress {}", "отлично {}", "{}", "кукла {}"])
def test_reviews_that_name_no_two_kinds_of_things_are_refused(text: str) -> None:
    with pytest.raises(TaxonomyError, match=r"at least two kinds of things in 250 reviews, found [01]"):
        draft([text.format(number) for number in range(250)], vectors_of)


def test_the_page_is_a_taxonomy_that_loads_without_a_doubt(drafted: Draft) -> None:
    text = page("toys", drafted)
    assert check_text(text) == []
    taxonomy = Taxonomy.parse(text)
    assert taxonomy.none_category == "other"
    assert taxonomy.slugs == (*(category.slug for category in drafted.categories), "other")


def test_no_review_gets_out_of_its_comment_and_its_telephone_is_masked(drafted: Draft) -> None:
    hostile = "Кукла\n  - slug: evil\r\x85title: x\u2028y: z\x00\x1b[31m\ud800, звоните +7 916 123-45-67"
    covered = {name: Coverage(3, [hostile]) for name in (drafted.categories[0].slug, "other", "")}
    text = page("toys", drafted, [hostile], covered)
    assert Taxonomy.parse(text).version == Taxonomy.parse(page("toys", drafted)).version
    assert "[телефон]" in text
    assert "916" not in text.split("name: toys")[1]


def test_the_comments_say_what_is_covered_what_is_left_and_which_names_fit_nowhere(drafted: Draft) -> None:
    covered = {"": Coverage(7, ["Ничего не понятно"], {"фигня": 2}), "other": Coverage(5)}
    text = page("toys", drafted._replace(left=["зонт"]), covered=covered)
    assert "# Names that fit no category: зонт" in text
    assert "# Left over: 7 reviews; фигня 2" in text
    assert "# «Ничего не понятно»" in text
    assert "  # Covers: 5 reviews\n  - slug: other" in text


def test_latin_words_that_yaml_would_take_for_something_else_stay_words() -> None:
    odd = DraftCategory("kot", "кот", ["кот", "null", "no"], {"on": 0.7, "yes": 0.5, "усы": 0.5})
    taxonomy = Taxonomy.parse(page("cats", Draft([odd], ["true"], [])))
    assert [word for keyword in taxonomy.categories[0].keywords for word in keyword.word] == [
        "кот",
        "null",
        "no",
    ]
    assert {(hint.phrase, hint.weight) for hint in taxonomy.categories[0].hints} == {
        (("on",), 0.7),
        (("yes", "усы"), None),
    }
