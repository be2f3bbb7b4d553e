"""Taxonomy files: what loads, what is refused, and where the line numbers point."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.errors import TaxonomyError
from shared.taxonomy import DEFAULT_PATH, Problem, Taxonomy, check, check_text, default_taxonomy

GOOD = """\
name: shop
none_category: nothing
categories:
  - slug: shoes
    title: Обувь
    keywords: [кеды, {word: кроссовки, weight: 0.8}]
  - slug: nothing
    title: нет товара
"""


def problem(text: str) -> Problem:
    (found,) = check_text(text)
    return found


def test_the_default_taxonomy_loads_without_an_error_or_a_doubt_but_slang() -> None:
    doubts = [found for found in check(DEFAULT_PATH) if "of the dictionary" not in found.message]
    assert doubts == []


def test_the_default_taxonomy_has_the_nine_categories_with_examples() -> None:
    taxonomy = default_taxonomy()
    assert taxonomy.none_category == "no_product"
    titles = {category.slug: category.title for category in taxonomy.categories}
    assert len(titles) == 9
    assert titles["kids"] == "товары для детей"
    for category in taxonomy.categories:
        assert len(category.examples) >= 3
        assert category.description
        assert category.zero_shot_label


def test_a_category_is_found_by_slug_or_title_whatever_the_case_and_spaces() -> None:
    taxonomy = default_taxonomy()
    for name in ("shoes", " SHOES ", "обувь", "Обувь\n"):
        assert taxonomy.category(name).slug == "shoes"
    taxonomy = Taxonomy.parse("name: a\ncategories: [{slug: l, title: Бельё}]")
    assert taxonomy.category("белье").slug == "l"


def test_a_question_is_a_part_of_the_meaning_and_without_one_nothing_changes() -> None:
    asking = f"question: О чём отзыв?\n{GOOD}"
    assert Taxonomy.parse(asking).version != Taxonomy.parse(GOOD).version
    assert "question" not in Taxonomy.parse(GOOD).model_dump_json()
    stored = Taxonomy.model_validate_json(Taxonomy.parse(asking).model_dump_json())
    assert (stored.question, stored.version) == ("О чём отзыв?", Taxonomy.parse(asking).version)
    assert Taxonomy.parse(GOOD).version == "cbf87d4cb70c878e"


def test_an_unknown_category_names_the_nearest() -> None:
    with pytest.raises(TaxonomyError, match=r"expected a slug or title, found 'обуфь'\. Did you mean обувь"):
        default_taxonomy().category("обуфь")


def test_the_version_stays_when_only_comments_and_the_order_of_keys_change() -> None:
    other = """\
# a comment
categories:
  - {title: Обувь, slug: shoes, keywords: [{word: [кеды]}, {weight: 0.8, word: кроссовки}]}
  - {title: нет товара, slug: nothing, hints: []}
none_category: nothing
name: shop
"""
    assert Taxonomy.parse(GOOD).version == Taxonomy.parse(other).version
    assert len(Taxonomy.parse(GOOD).version) >= 12


def test_the_version_changes_with_a_weight() -> None:
    assert Taxonomy.parse(GOOD).version != Taxonomy.parse(GOOD.replace("0.8", "0.81")).version


def test_a_good_file_has_no_problems() -> None:
    assert check_text(GOOD) == []


@pytest.mark.parametrize(
    ("text", "line", "path", "said"),
    [
        ("name: [a\n", 2, "", "expected valid YAML, found:"),
        ("name: a\n\tx: 1\n", 2, "", "expected valid YAML, found:"),
        ("", 1, "", "found an empty file"),
        ("- a\n", 1, "", "expected a mapping, found a list of 1"),
        (GOOD.replace("keywords", "keyword"), 6, "categories[0].keyword", "Did you mean 'keywords'?"),
        (GOOD.replace("weight", "wieght"), 6, "categories[0].keywords[1].wieght", "Did you mean 'weight'?"),
        (
            GOOD.replace("    title: Обувь\n", ""),
            4,
            "categories[0].title",
            "expected the field 'title', found nothing",
        ),
        (
            GOOD.replace("0.8", "'много'"),
            6,
            "categories[0].keywords[1].weight",
            "expected a number, found 'много'",
        ),
        (
            GOOD.replace("0.8", "1.5"),
            6,
            "categories[0].keywords[1].weight",
            "expected a weight below 1, found 1.5",
        ),
        (GOOD.replace("[кеды", "[да нет"), 6, "categories[0].keywords[0].word[0]", "Move it to phrases"),
        (
            GOOD.replace("[кеды", "[42"),
            6,
            "categories[0].keywords[0]",
            "expected text or a mapping, found 42. Put the value in quotes",
        ),
        (GOOD.replace("title: нет товара", "title: обувь"), 8, "categories[1].title", "found 'обувь' again"),
        (GOOD + "  - {slug: shoes, title: x}\n", 9, "categories[2].slug", "found 'shoes' again"),
        (
            GOOD.replace("none_category: nothing", "none_category: noting"),
            2,
            "none_category",
            "Did you mean 'nothing'?",
        ),
        (GOOD + "    overrides: [shoe]\n", 9, "categories[1].overrides[0]", "Did you mean 'shoes'?"),
        (
            GOOD + "    title: ещё раз\n",
            9,
            "categories[1].title",
            "expected each key once, found 'title' again",
        ),
        (
            GOOD + "    phrases: ['{9-3} лет']\n",
            9,
            "categories[1].phrases[0]",
            "Write the smaller number first",
        ),
        (GOOD + "hypothesis: без места\n", 9, "hypothesis", "expected {} where the label goes"),
        ("name: a\ncategories: &x [*x]\n", 2, "", "alias"),
    ],
)
def test_a_mistake_is_reported_where_it_stands(text: str, line: int, path: str, said: str) -> None:
    found = check_text(text)[0]
    assert (found.line, found.path, found.severity) == (line, path, "error")
    assert said in str(found)


def test_every_mistake_of_a_file_is_reported() -> None:
    text = (
        GOOD.replace("keywords", "keyword").replace("nothing\ncat", "noting\ncat").replace("name: shop\n", "")
    )
    assert [found.path for found in check_text(text)] == ["name", "categories[0].keyword"]


def test_a_keyword_of_two_categories_is_a_warning_unless_weighted_in_both() -> None:
    shared = GOOD + "  - slug: sport\n    title: спорт\n    keywords: [кеды]\n"
    found = problem(shared)
    assert (found.line, found.severity) == (11, "warning")
    assert "expected 'кеды' in one category, found it in 'shoes' too" in found.message
    weighted = shared.replace("[кеды]", "[{word: кеды, weight: 0.4}]")
    assert check_text(weighted.replace("[кеды,", "[{word: кеды, weight: 0.9},")) == []


def test_a_keyword_listed_twice_in_one_category_is_a_warning() -> None:
    assert "found it again in this category" in problem(GOOD.replace("[кеды", "[кеды, Кеды")).message


def test_a_word_that_the_dictionary_lacks_is_only_a_warning() -> None:
    found = problem(GOOD.replace("[кеды", "[кедззы"))
    assert (found.line, found.severity) == (6, "warning")
    assert "Fine for slang" in found.suggestion


def test_a_category_without_words_is_a_warning() -> None:
    found = problem(GOOD + "  - slug: food\n    title: еда\n")
    assert (found.line, found.path, found.severity) == (9, "categories[2]", "warning")


def test_a_refused_file_says_file_line_expected_found_and_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text(GOOD.replace("keywords", "keyword"), encoding="utf-8")
    with pytest.raises(TaxonomyError) as caught:
        Taxonomy.load(path)
    expected = "shop.yaml:6: categories[0].keyword: expected a known field, found 'keyword'. Did you mean 'keywords'?"
    assert str(caught.value).endswith(expected)


def test_a_file_that_cannot_be_read_is_one_problem(tmp_path: Path) -> None:
    (found,) = check(tmp_path / "none.yaml")
    assert "expected a readable UTF-8 file" in found.message
    (tmp_path / "old.yaml").write_bytes("name: я".encode("cp1251"))
    (found,) = check(tmp_path / "old.yaml")
    assert "expected a readable UTF-8 file" in found.message
    with pytest.raises(TaxonomyError, match="expected a readable UTF-8 file"):
        Taxonomy.load(tmp_path / "old.yaml")


def test_a_taxonomy_cannot_be_changed_once_loaded() -> None:
    with pytest.raises(ValueError, match="frozen"):
        default_taxonomy().name = "other"


def test_a_list_whose_entries_are_wrong_is_not_called_empty_as_well() -> None:
    problems = check_text("name: x\ncategories:\n  - slug: a\n    titel: b\n    keywords: [c]\n")
    assert [problem.path for problem in problems] == ["categories[0].title", "categories[0].titel"]
