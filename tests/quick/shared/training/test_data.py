"""What a model is trained on: whichever rows come in whatever order, the same parts come out."""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec
import numpy as np
import pytest

from shared.errors import TrainingError
from shared.reviews.labelled_text import Row
from shared.taxonomy import Taxonomy
from shared.training.arguments import Arguments, arguments
from shared.training.data import (
    Data,
    class_weights,
    counts,
    facts,
    is_validation,
    normalised,
    oversampled,
    prepared,
)
from shared.training.label_errors import without_suspects
from shared.training.taxonomy_rows import own_texts

TAXONOMY = Taxonomy.parse(
    """
name: shop
none_category: nothing
categories:
  - slug: shoes
    title: обувь
    keywords: [ботинки, {word: [кроссовки, тапки], weight: 0.9}]
    phrases: ["{38-64} размер ноги {1-3}", "высокий каблук"]
    hints: [натирать]
    examples: [Сапоги тёплые.]
  - slug: toys
    title: игрушки
    keywords: [кукла]
    modifiers: [детский]
  - slug: nothing
    title: нет товара
"""
)
WORDS = {"shoes": "ботинки", "toys": "кукла", "nothing": "доставка"}


def one(text: str) -> str:
    return next(normalised([text]))


def chosen(**values: object) -> Arguments:
    return arguments(**{"architecture": "linear", "taxonomy_rows": False, "fewest": 2} | values)


def rows(**sizes: int) -> list[Row]:
    """So many reviews of each category, all different."""
    return [
        Row(f"{WORDS[slug]} номер {number}", slug, 1_000 * place + number + 1)
        for place, (slug, size) in enumerate(sizes.items())
        for number in range(size)
    ]


def texts(of: Sequence[Row]) -> set[str]:
    return {row.text for row in of}


# How texts count as equal


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("Ёлка упала!!!", "ЕЛКА  упала"),
        ("  Платье, село...\nотлично ", "платье село отлично"),
        ("Плат\u00adье", "платье"),
        ("и\u0306огурт", "йогурт"),
    ],
)
def test_case_punctuation_white_space_and_yo_make_no_other_text(text: str, other: str) -> None:
    assert one(text) == one(other) != ""


def test_texts_of_other_alphabets_and_of_symbols_stay_different_ones() -> None:
    assert len({one(text) for text in ("很好", "很坏", "👍", "👎")}) == 4
    assert [one(text) for text in ("", " ", "...", "\n!?", "\u200b")] == [""] * 5


def test_many_texts_are_normalised_as_each_of_them_alone() -> None:
    many = ["Ёлка", "", "很好", "и\u0306огурт", "\ud800", "a" * 5_000] * 2_000
    assert list(normalised(many)) == [one(text) for text in many[:6]] * 2_000


# Which rows are left


def test_of_equal_texts_the_one_that_is_trusted_most_counts() -> None:
    given = [
        Row("Ботинки жмут", "shoes", 1, trusted=True),
        Row("ботинки, жмут!", "toys", 2),
        *rows(shoes=5, toys=5),
    ]
    data = prepared(given, [], TAXONOMY, chosen())
    assert [row.category for row in (*data.train, *data.validation) if "жмут" in row.text] == ["shoes"]
    assert data.left_out["same text as a row that is trusted more"] == 1


def test_a_gold_text_is_not_trained_on_however_it_is_written() -> None:
    given = [Row("ЁЛКА упала!", "toys", 1), *rows(shoes=5, toys=5)]
    data = prepared(given, ["елка упала"], TAXONOMY, chosen())
    assert "ЁЛКА упала!" not in texts(data.train) | texts(data.validation)
    assert data.left_out["same text as a gold review"] == 1


def test_a_word_of_the_taxonomy_that_is_a_gold_text_is_not_trained_on_either() -> None:
    data = prepared(rows(shoes=5, toys=5), ["Кукла."], TAXONOMY, chosen(taxonomy_rows=True))
    assert "кукла" not in texts(data.train)
    assert "ботинки" in texts(data.train)


def test_empty_texts_and_unknown_categories_are_left_out_and_said() -> None:
    given = [Row(" ...", "shoes", 1), Row("Хлеб", "food", 2), *rows(shoes=5, toys=5)]
    found = prepared(given, [], TAXONOMY, chosen()).left_out
    assert found["text without letter, digit or symbol"] == 1
    assert found["category that the taxonomy lacks"] == 1


# The split


def test_a_text_is_in_the_same_part_whatever_rows_there_are_and_in_whatever_order() -> None:
    given = rows(shoes=300, toys=300, nothing=300)
    whole = prepared(given, [], TAXONOMY, chosen())
    shuffled = list(given)
    random.Random(1).shuffle(shuffled)
    assert texts(prepared(shuffled, [], TAXONOMY, chosen()).validation) == texts(whole.validation)
    half = prepared(shuffled[:450], [], TAXONOMY, chosen())
    assert texts(half.validation) == texts(whole.validation) & texts(shuffled[:450])


def test_the_validation_part_has_its_share_and_nothing_in_common_with_the_training_part() -> None:
    data = prepared(rows(shoes=4_000, toys=4_000), [], TAXONOMY, chosen(validation=0.2))
    assert 0.18 < len(data.validation) / 8_000 < 0.22
    assert not texts(data.train) & texts(data.validation)
    assert len(data.train) + len(data.validation) == 8_000


def test_a_text_written_otherwise_falls_into_the_same_part() -> None:
    assert is_validation(one("Ёлка!"), 0.5) == is_validation(one("елка"), 0.5)


def test_texts_of_the_taxonomy_are_trained_on_and_never_validated_with() -> None:
    data = prepared(rows(shoes=30, toys=30), [], TAXONOMY, chosen(taxonomy_rows=True, validation=0.5))
    own = {text for _, text in own_texts(TAXONOMY)}
    assert own <= texts(data.train)
    assert {row.review_id for row in data.train if row.text in own} == {0}
    assert all(row.review_id for row in data.validation)


def test_a_word_of_the_taxonomy_that_is_a_review_too_counts_as_the_review() -> None:
    given = [Row("Кукла", "shoes", 7), *rows(shoes=5, toys=5)]
    data = prepared(given, [], TAXONOMY, chosen(taxonomy_rows=True))
    assert [
        (row.category, row.review_id) for row in (*data.train, *data.validation) if one(row.text) == "кукла"
    ] == [("shoes", 7)]


def test_of_a_range_its_ends_and_its_middle_are_written_out() -> None:
    found = [text for slug, text in own_texts(TAXONOMY) if slug == "shoes"]
    assert [text for text in found if "размер" in text] == [
        "38 размер ноги 2",
        "51 размер ноги 2",
        "64 размер ноги 2",
    ]
    assert {"ботинки", "кроссовки", "тапки", "высокий каблук", "натирать", "Сапоги тёплые."} <= set(found)
    assert ("toys", "детский") in own_texts(TAXONOMY)


# Too few of a category


def test_a_category_with_too_few_rows_is_left_out_of_both_parts_and_said() -> None:
    data = prepared(rows(shoes=100, toys=100, nothing=3), [], TAXONOMY, chosen(fewest=10, validation=0.5))
    assert set(counts(data.train)) == set(counts(data.validation)) == {"shoes", "toys"}
    assert data.labels == ("shoes", "toys", "nothing"), "the taxonomy's slugs, all of them, in its order"
    assert data.left_out == {"too few of the category nothing": 3}


def test_a_category_without_any_row_is_said_too() -> None:
    assert prepared(rows(shoes=30, toys=30), [], TAXONOMY, chosen()).left_out == {
        "too few of the category nothing": 0
    }


def test_too_few_are_refused_by_option_and_the_sentence_names_them() -> None:
    with pytest.raises(TrainingError) as error:
        prepared(rows(shoes=100, toys=100, nothing=3), [], TAXONOMY, chosen(fewest=10, too_few="refuse"))
    assert "expected at least 10 of each category, found nothing " in str(error.value)
    assert "label more reviews of them, lower `fewest`, or train without them" in str(error.value)


@pytest.mark.parametrize("too_few", ["without", "refuse"])
def test_fewer_than_two_categories_are_refused(too_few: str) -> None:
    with pytest.raises(
        TrainingError,
        match=r"expected at least 2 categories with 10 or more, found too few of toys \d, nothing 0",
    ):
        prepared(rows(shoes=100, toys=5), [], TAXONOMY, chosen(fewest=10, too_few=too_few))


def test_no_rows_at_all_are_refused() -> None:
    with pytest.raises(TrainingError, match="found too few of shoes 0, toys 0, nothing 0"):
        prepared([], [], TAXONOMY, chosen())


# Balance


def test_rows_are_drawn_again_until_categories_are_equally_large_and_none_is_lost() -> None:
    pytest.importorskip("imblearn", reason="imbalanced-learn is not installed: `make models`")
    given = rows(shoes=20, toys=3, nothing=7)
    drawn = oversampled(given, 5)
    assert counts(drawn) == {"shoes": 20, "toys": 20, "nothing": 20}
    assert set(drawn) == set(given)
    assert oversampled(given, 5) == drawn
    assert oversampled(given, 6) != drawn


def test_one_category_alone_needs_no_rows_again() -> None:
    assert oversampled(rows(shoes=3), 0) == rows(shoes=3)
    assert oversampled([], 0) == []


def test_weights_are_those_of_scikit_learn_and_one_for_what_is_not_there() -> None:
    from sklearn.utils.class_weight import compute_class_weight

    given = rows(shoes=20, toys=3)
    classes = np.array(["shoes", "toys"])
    expected = compute_class_weight("balanced", classes=classes, y=[row.category for row in given])
    assert class_weights(given, TAXONOMY.slugs) == pytest.approx([*expected, 1.0])
    roots = [weight**0.5 for weight in expected]
    assert class_weights(given, TAXONOMY.slugs, roots=True) == pytest.approx([*roots, 1.0])


def test_facts_count_reviews_texts_of_the_taxonomy_and_what_was_left_out() -> None:
    data = prepared(rows(shoes=40, toys=40), [], TAXONOMY, chosen(taxonomy_rows=True))
    told = facts(data)
    assert told["taxonomy_texts"] == {"shoes": 9, "toys": 2, "nothing": 0}
    assert told["training_reviews"]["shoes"] + told["validation_reviews"]["shoes"] == 40
    assert told["left_out"] == {"too few of the category nothing": 0}
    assert msgspec.json.decode(msgspec.json.encode(told)) == told


# Suspected label errors


def mislabelled() -> tuple[Data, set[int]]:
    """Reviews of two categories that one word tells apart, five of which say the other one; and their ids."""
    ends = ("пришло быстро", "мне понравилось", "не подошло", "за свои деньги", "советую всем")
    given = [
        Row(f"{WORDS[slug]} номер {number} {ends[number % 5]}", slug, 100 * place + number + 1)
        for place, slug in enumerate(("shoes", "toys"))
        for number in range(60)
    ]
    wrong = {3, 17, 29, 41, 55}
    given = [
        msgspec.structs.replace(row, category="toys") if row.review_id in wrong else row for row in given
    ]
    own = (Row("кукла", "shoes"),)  # the taxonomy says so, right or wrong
    return Data(TAXONOMY.slugs, (*given, *own), ()), wrong


def test_reviews_whose_label_is_probably_wrong_are_left_out_and_told() -> None:
    pytest.importorskip("cleanlab", reason="cleanlab is not installed: `make models`")
    data, wrong = mislabelled()
    kept, suspects = without_suspects(data, 0)
    assert {row.review_id for row in suspects} == wrong
    assert set(kept.train) == set(data.train) - set(suspects)
    assert kept.left_out == {"suspected label error": 5}
    assert without_suspects(data, 0) == (kept, suspects)


def test_labels_of_people_are_never_suspected() -> None:
    pytest.importorskip("cleanlab", reason="cleanlab is not installed: `make models`")
    data, wrong = mislabelled()
    people = tuple(msgspec.structs.replace(row, trusted=row.review_id in (3, 17)) for row in data.train)
    _, suspects = without_suspects(msgspec.structs.replace(data, train=people), 0)
    assert {row.review_id for row in suspects} == wrong - {3, 17}


@pytest.mark.parametrize("sizes", [{"shoes": 3, "toys": 3}, {"shoes": 20, "toys": 4}, {"shoes": 20}])
def test_too_few_reviews_to_judge_are_all_kept(sizes: dict[str, int]) -> None:
    data = Data(TAXONOMY.slugs, tuple(rows(**sizes)), ())
    assert without_suspects(data, 0) == (data, [])


def test_of_more_reviews_than_are_trained_on_a_random_part_is_taken_and_all_labels_of_people() -> None:
    trusted = [Row(f"Кукла от человека {number}", "toys", 90_000 + number, 1, True) for number in range(20)]
    many = [*rows(shoes=300, toys=300), *trusted]
    data = prepared(many, (), TAXONOMY, chosen(most_reviews=100))
    assert len(data.train) + len(data.validation) == 100
    assert data.left_out["more than most_reviews"] == 520
    kept = {row.review_id for row in (*data.train, *data.validation)}
    held_out = sum(is_validation(one(row.text), 0.1) for row in trusted)
    assert len(kept & {row.review_id for row in trusted}) >= 20 - max(0, held_out - 10)
    assert prepared(many, (), TAXONOMY, chosen(most_reviews=100)) == data


def test_guesses_are_trained_on_only_where_that_is_asked_for_and_never_validated_with() -> None:
    guesses = [
        Row(f"Кукла наугад {number}", "toys", 90_000 + number, 1, False, number / 100)
        for number in range(100)
    ]
    many = [*rows(shoes=100, toys=100), *guesses]
    without, some = (prepared(many, (), TAXONOMY, chosen(guesses=least)) for least in (None, 0.5))
    assert without.left_out["a guess that is too unsure"] == 100
    assert some.left_out["a guess that is too unsure"] == 50
    assert len(some.train) == len(without.train) + 50
    assert some.validation == without.validation


def test_labels_of_which_none_can_be_used_are_refused_with_the_reason() -> None:
    foreign = [Row(f"Отзыв {number}", "food", number + 1) for number in range(20)]
    with pytest.raises(TrainingError, match="none that can be used: 20 category that the taxonomy lacks"):
        prepared(foreign, (), TAXONOMY, chosen(taxonomy_rows=True))
