"""The keyword stage: forms, context, the formula, and its figures on the reference data."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.cascade.stage import Verdict, verdicts
from shared.errors import TaxonomyError
from shared.stages.keywords.stage import DEFAULT_THRESHOLD, KeywordStage
from shared.taxonomy import Taxonomy, default_taxonomy
from shared.text.reading import Page
from tests.support.row_files import read_rows
from tests.support.stage_contract import AWKWARD, check_stage

SMALL = """
name: small
none_category: nothing
categories:
  - slug: clothes
    title: одежда
    keywords: [платье, кофта, {word: рукав, weight: 0.6}, {word: [манжета, подол], weight: 0.5}]
    phrases: [{phrase: "рост {145-205}", weight: 0.8}, нижнее бельё]
    exclusions: [рукав реки]
  - slug: accessories
    title: аксессуары
    keywords: [ремень, часы, сумка, перчатка]
  - slug: electronics
    title: электроника
    keywords: [телефон]
    phrases: [чехол для сумки]
    hints: [{phrase: звук, weight: 0.7}]
  - slug: kids
    title: детям
    keywords: [игрушка]
    modifiers: [дочка, детский]
    overrides: [clothes]
  - slug: nothing
    title: нет товара
    hints: [{phrase: [товар, отлично, не пришёл, заказ], weight: 0.9}]
"""


@pytest.fixture(scope="module")
def stage() -> KeywordStage:
    return KeywordStage(Taxonomy.parse(SMALL))


def one(stage: KeywordStage, text: str) -> Verdict:
    verdict = verdicts(stage, [text])[0]
    assert verdict is not None, text
    return verdict


def test_the_stage_keeps_the_contract_with_a_small_taxonomy(stage: KeywordStage) -> None:
    check_stage(stage, Taxonomy.parse(SMALL), ("Платье и ремень", "товар не пришёл", "дочке платье", ""))


def test_the_stage_keeps_the_contract_with_the_default_taxonomy(market: KeywordStage) -> None:
    examples = tuple(text for category in default_taxonomy().categories for text in category.examples)
    check_stage(market, default_taxonomy(), examples)


def test_the_default_taxonomy_knows_its_own_examples(market: KeywordStage) -> None:
    for category in default_taxonomy().categories:
        for verdict in verdicts(market, category.examples):
            assert verdict is None or verdict.category == category.slug


@pytest.mark.parametrize(
    "text", ["платьями", "ПЛАТЬЮ", "Платьев", "нижнего белья", "нижнее белье", "рост 170"]
)
def test_inflected_forms_count_as_the_word(stage: KeywordStage, text: str) -> None:
    assert one(stage, text).category == "clothes"


HYPHENS = """
name: hyphens
categories:
  - {slug: kitchen, title: кухня, keywords: [кофе-машина], exclusions: [кофе-машины музей]}
  - {slug: cosmetics, title: косметика, phrases: ["крем 30-40 лет"]}
"""


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("Купили кофе-машину", "kitchen"),
        ("Купили кофемашину", "kitchen"),
        ("Купили кофе машину", "kitchen"),
        ("Были в кофемашины музее", None),
        ("Крем 30-40 лет", "cosmetics"),
        ("Крем 3040 лет", None),
    ],
)
def test_words_beside_a_hyphen_of_an_entry_are_found_together_and_apart(
    text: str, category: str | None
) -> None:
    found = verdicts(KeywordStage(Taxonomy.parse(HYPHENS)), [text])
    assert [verdict and verdict.category for verdict in found] == [category]


@pytest.mark.parametrize("text", ["часто", "рукавицы", "рост 144", "рост 1700", "телефонный", "час"])
def test_parts_of_words_and_numbers_out_of_range_do_not_count(stage: KeywordStage, text: str) -> None:
    assert verdicts(stage, [text]) == [None]


def test_a_name_of_the_product_beats_everything_said_of_the_delivery(stage: KeywordStage) -> None:
    assert one(stage, "Заказ не пришёл, товар не пришёл, платье не получила").category == "clothes"


def test_a_text_that_names_nothing_has_no_product(stage: KeywordStage) -> None:
    verdict = one(stage, "Товар не пришёл!")
    assert verdict.category == "nothing"
    assert {match.keyword for match in verdict.evidence} == {"товар", "не пришёл"}


def test_unknown_words_lower_the_confidence_that_no_product_is_named(stage: KeywordStage) -> None:
    plain, strange = one(stage, "Отлично"), one(stage, "Отлично, барабан")
    assert plain.confidence > strange.confidence


def test_confidence_is_one_minus_the_product_of_what_each_keyword_leaves(stage: KeywordStage) -> None:
    assert one(stage, "рукав и подол").confidence == pytest.approx(1 - 0.4 * 0.5)


def test_a_keyword_counts_once_however_often_it_is_said(stage: KeywordStage) -> None:
    assert one(stage, "рукав, рукав, рукава").confidence == pytest.approx(0.6)


def test_two_products_named_alike_leave_the_stage_unsure(stage: KeywordStage) -> None:
    assert verdicts(stage, ["платье и сумка"]) == [None]


def test_hints_do_not_compete_with_a_name(stage: KeywordStage) -> None:
    assert one(stage, "платье, звук").confidence == pytest.approx(0.9)
    assert one(stage, "звук").category == "electronics"


def test_a_modifier_turns_what_it_overrides_into_its_own_category(stage: KeywordStage) -> None:
    verdict = one(stage, "Платье дочке понравилось")
    assert verdict.category == "kids"
    assert verdict.confidence == pytest.approx(0.9 * (1 - 0.9 * 0.1))


def test_a_modifier_leaves_other_categories_alone(stage: KeywordStage) -> None:
    assert verdicts(stage, ["сумка дочке"]) == [None]


def test_exclusions_silence_the_words_inside_them(stage: KeywordStage) -> None:
    assert verdicts(stage, ["в рукавах реки"]) == [None]
    assert one(stage, "рукав и река").category == "clothes"


def test_a_phrase_hides_the_words_inside_it(stage: KeywordStage) -> None:
    verdict = one(stage, "чехол для сумки")
    assert (verdict.category, verdict.confidence) == ("electronics", pytest.approx(0.9))


@pytest.mark.parametrize(
    "text", ["ремня нет", "без ремня", "как у платья", "похоже на сумку", "вместо сумки"]
)
def test_what_is_absent_or_only_compared_is_not_the_product(stage: KeywordStage, text: str) -> None:
    verdict = verdicts(stage, [text])[0]
    assert verdict is None or verdict.confidence < DEFAULT_THRESHOLD


def test_punctuation_ends_the_reach_of_a_comparison(stage: KeywordStage) -> None:
    assert one(stage, "всё как надо. Платье село").confidence == pytest.approx(0.9)
    assert one(stage, "такое же как! Платье").confidence == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Пла\u0301тье", "Пла\u0301тье"),
        ("очень кра\u00adси\u00adвая коф\u00adта", "коф\u00adта"),
        ("пер\u200bчатка", "пер\u200bчатка"),
        ("плаааатье", "плаааатье"),
        ("платьe", "платьe"),
        ("👩‍👩‍👧 😀 платье", "платье"),
        ("И\u0306од и пла\u0301тье", "пла\u0301тье"),
        ("İ ﬁ 𝓧 платье", "платье"),
        ("перчвтка", "перчвтка"),
        ("прчатка", "прчатка"),
        ("перчатака", "перчатака"),
    ],
)
def test_evidence_points_into_the_original_text(stage: KeywordStage, text: str, found: str) -> None:
    (match,) = one(stage, text).evidence
    assert match.word == found
    assert text[match.start : match.end] == found


def test_a_word_of_the_dictionary_is_no_typo_of_a_keyword() -> None:
    stage = KeywordStage(
        Taxonomy.parse("name: t\ncategories: [{slug: a, title: а, keywords: [рубашка, тарелка]}]")
    )
    assert verdicts(stage, ["мурашка", "рубаха", "карелка"]) == [None, None, None]
    assert one(stage, "рубащка").category == "a"


def test_phrases_never_span_two_texts_of_a_batch(stage: KeywordStage) -> None:
    assert verdicts(stage, ["нижнее", "бельё", "рост", "170"]) == [None] * 4


def test_a_megabyte_is_survived(stage: KeywordStage) -> None:
    text = "слово платье " * 80_000
    assert one(stage, text).category == "clothes"
    assert verdicts(stage, ["ъ" * 1_000_000]) == [None]


@pytest.mark.parametrize(
    "text",
    [
        "name: a\ncategories: [{slug: only, title: всё, keywords: [стол]}]",
        "name: a\nnone_category: none\ncategories: [{slug: none, title: ничего}]",
        "name: a\ncategories: [{slug: a, title: а}, {slug: b, title: б, hints: [стол]}]",
        "name: a\ncategories: [{slug: a, title: а, keywords: [größe, 你好, '!!!']}, {slug: b, title: б, hints: [да]}]",
    ],
)
def test_any_taxonomy_makes_a_stage(text: str) -> None:
    taxonomy = Taxonomy.parse(text)
    check_stage(KeywordStage(taxonomy), taxonomy, ("стол", "größe", "ничего"))


def test_fifty_categories_make_a_stage() -> None:
    rows = "".join(f"  - {{slug: c{n}, title: к{n}, keywords: [товар{n}]}}\n" for n in range(50))
    taxonomy = Taxonomy.parse(f"name: many\ncategories:\n{rows}")
    answers = verdicts(KeywordStage(taxonomy), [f"это товар{n}" for n in range(50)])
    assert [answer and answer.category for answer in answers] == list(taxonomy.slugs)


def test_a_phrase_with_too_many_forms_is_refused_with_advice() -> None:
    text = "name: a\ncategories: [{slug: a, title: а, phrases: ['{1-900} {1-900}']}]"
    with pytest.raises(TaxonomyError, match=r"expected at most 20000 .* found 810000 .*narrow its ranges"):
        KeywordStage(Taxonomy.parse(text))


def test_a_page_keeps_every_text_apart() -> None:
    page = Page(("Один?", "", "😀 два", *AWKWARD))
    assert [page.text(index) for index in range(3)] == [
        text.encode("cp1251") for text in ("один ", "", "  два")
    ]


@pytest.mark.parametrize(
    ("source", "least_coverage"), [("all", 0.55), ("aliexpress", 0.40), ("lamoda", 0.40), ("dns", 0.40)]
)
def test_kept_labels_are_right_in_95_of_100_on_gold(
    market: KeywordStage, shared_data: Path, source: str, least_coverage: float
) -> None:
    checked, everything = (read_rows(shared_data / name) for name in ("gold.csv", "reviews.csv"))
    gold = {row["id"]: default_taxonomy().category(row["category"]).slug for row in checked}
    reviews = [row for row in everything if row["id"] in gold and source in ("all", row["source"])]
    answers = verdicts(market, [row["text"] for row in reviews])
    kept = [
        answer.category == gold[row["id"]]
        for row, answer in zip(reviews, answers, strict=True)
        if answer is not None and answer.confidence >= DEFAULT_THRESHOLD
    ]
    assert sum(kept) / len(kept) >= 0.95
    assert len(kept) / len(reviews) >= least_coverage


def test_all_reference_reviews_keep_the_contract_of_evidence(market: KeywordStage, shared_data: Path) -> None:
    texts = [row["text"] for row in read_rows(shared_data / "reviews.csv")]
    for text, verdict in zip(texts, verdicts(market, texts), strict=True):
        for match in verdict.evidence if verdict else ():
            assert text[match.start : match.end] == match.word
