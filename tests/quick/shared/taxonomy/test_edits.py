"""Changes of a taxonomy's text: what is changed, and that nothing else is."""

from __future__ import annotations

import difflib

import pytest

from shared.errors import TaxonomyError
from shared.taxonomy import DEFAULT_PATH, Taxonomy, check_text
from shared.taxonomy.edits import Change, meaning, revised

SHOP = """\
# a comment at the top
name: petshop
none_category: nothing
categories:
  - slug: food   # what pets eat
    title: корм
    keywords: [корм, паштет, {word: [пакетик, пауч], weight: 0.6}]  # words
    phrases:
      - сухой корм
      - {phrase: ["{1-20} кг",
          два, три], weight: 0.5}
      # the last one
    exclusions: [миска для корма]

  - slug: bowls
    title: миски
    keywords:
      - word: миска
      - word:
          - поилка
          - блюдце
        weight: 0.7
        inflect: false
  - {slug: nothing, title: нет товара, hints: [доставка, продавец]}
"""


def lines(changed: str, sign: str) -> list[str]:
    """The lines that are new or gone, without their marks."""
    diff = difflib.ndiff(SHOP.splitlines(), changed.splitlines())
    return [line[2:] for line in diff if line.startswith(f"{sign} ")]


@pytest.mark.parametrize(
    "change",
    [
        Change("food", "keywords", "сухарик", 0.9),
        Change("food", "phrases", "для кошек", 0.8),
        Change("food", "hints", "хруст", 0.4),
        Change("food", "exclusions", "как корм"),
        Change("bowls", "keywords", "кормушка"),
        Change("bowls", "hints", "no", 0.5),
        Change("nothing", "hints", "быстро", 0.1),
        Change("nothing", "phrases", "все хорошо", 0.8),
        Change("food", "keywords", "паштет", 0.5),
        Change("food", "keywords", "пауч", 0.8),
        Change("food", "phrases", "{1-20} кг", 0.8),
        Change("bowls", "keywords", "миска", 0.8),
        Change("bowls", "keywords", "поилка", 0.8),
        Change("bowls", "keywords", "блюдце", 0.8),
        Change("nothing", "hints", "продавец", 0.7),
    ],
)
def test_a_change_says_what_it_should_and_nothing_else(change: Change) -> None:
    changed = revised(SHOP, [change])
    before, after = meaning(Taxonomy.parse(SHOP)), meaning(Taxonomy.parse(changed))
    key = change.slug, change.field, change.text
    assert after == before | {key: (change.weight, before.get(key, (None, True))[1])}
    assert [found for found in check_text(changed) if "of the dictionary" not in found.message] == []
    assert "# a comment at the top" in changed
    assert "# the last one" in changed


def test_every_new_entry_has_a_line_of_its_own() -> None:
    changed = revised(
        SHOP, [Change("food", "phrases", "для кошек", 0.8), Change("food", "phrases", "для собак", 0.8)]
    )
    assert lines(changed, "+") == [
        "      - {phrase: для кошек, weight: 0.8}",
        "      - {phrase: для собак, weight: 0.8}",
    ]
    assert lines(changed, "-") == []


def test_a_word_leaves_its_entry_for_another_weight() -> None:
    changed = revised(SHOP, [Change("bowls", "keywords", "поилка", 0.9)])
    assert lines(changed, "-") == ["          - поилка"]
    assert lines(changed, "+") == ["      - {word: поилка, weight: 0.9, inflect: false}"]


def test_an_entry_whose_words_all_get_other_weights_keeps_one() -> None:
    changed = revised(
        SHOP, [Change("food", "keywords", "пакетик", 0.7), Change("food", "keywords", "пауч", 0.8)]
    )
    assert "{word: [пауч], weight: 0.8}" in changed
    assert "{word: пакетик, weight: 0.7}" in changed


def test_many_changes_at_once_say_what_each_says() -> None:
    changes = [
        Change("food", "keywords", "сухарик", 0.9),
        Change("food", "keywords", "паштет", 0.95),
        Change("food", "keywords", "пауч", 0.8),
        Change("food", "phrases", "два", 0.3),
        Change("food", "phrases", "три", 0.4),
        Change("food", "phrases", "{1-20} кг", 0.4),
        Change("bowls", "keywords", "кормушка", 0.9),
        Change("bowls", "hints", "налить", 0.5),
        Change("bowls", "exclusions", "миска супа"),
        Change("nothing", "hints", "доставка", 0.4),
        Change("nothing", "hints", "быстро", 0.4),
    ]
    after = meaning(Taxonomy.parse(revised(SHOP, changes)))
    for one in changes:
        assert after[one.slug, one.field, one.text][0] == one.weight


def test_no_change_leaves_the_text_as_it_is() -> None:
    assert revised(SHOP, []) == SHOP


def test_the_shipped_taxonomy_can_be_changed_where_it_stands() -> None:
    text = DEFAULT_PATH.read_text(encoding="utf-8")
    changed = revised(
        text, [Change("no_product", "hints", "хорошо", 0.8), Change("textile", "keywords", "муслин", 0.9)]
    )
    gone = [line for line in difflib.ndiff(text.splitlines(), changed.splitlines()) if line.startswith("- ")]
    assert len(gone) <= 3


def test_a_text_without_an_end_of_line_gets_its_field() -> None:
    text = "name: a\ncategories:\n  - slug: one\n    title: один"
    assert revised(text, [Change("one", "keywords", "раз", 0.9)]) == (
        f"{text}\n    keywords:\n      - {{word: раз, weight: 0.9}}"
    )


def test_a_list_that_is_only_an_alias_is_left_to_people() -> None:
    text = (
        "name: a\ncategories:\n  - {slug: one, title: один, keywords: &words [раз]}\n"
        "  - {slug: two, title: два, keywords: *words}\n"
    )
    with pytest.raises(TaxonomyError, match="an alias in place of a list"):
        revised(text, [Change("two", "keywords", "два", 0.9)])
