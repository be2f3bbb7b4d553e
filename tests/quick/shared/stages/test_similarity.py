"""The similarity stage: its formula, its evidence, and its figures on the reference data."""

from __future__ import annotations

import numpy as np
import pytest

from shared.cascade.stage import Verdict, verdicts
from shared.encoders.encoder import Encoder
from shared.encoders.navec import NavecEncoder
from shared.stages.similarity import NEAREST, TEMPERATURE, SimilarityStage, sentences, words
from shared.taxonomy import Taxonomy, default_taxonomy
from tests.support.small_shop import SMALL, TEXTS
from tests.support.stage_contract import check_stage


@pytest.fixture(scope="module")
def stage(navec: NavecEncoder) -> SimilarityStage:
    return SimilarityStage(SMALL, navec)


@pytest.fixture(scope="module")
def market(navec: NavecEncoder) -> SimilarityStage:
    return SimilarityStage(default_taxonomy(), navec)


def one(stage: SimilarityStage, text: str) -> Verdict:
    verdict = verdicts(stage, [text])[0]
    assert verdict is not None, text
    return verdict


def test_the_stage_keeps_the_contract_with_word_vectors(stage: SimilarityStage) -> None:
    check_stage(stage, SMALL, TEXTS)


def test_the_stage_keeps_the_contract_with_the_default_taxonomy(market: SimilarityStage) -> None:
    examples = tuple(text for category in default_taxonomy().categories for text in category.examples)
    check_stage(market, default_taxonomy(), examples)


def test_the_model_names_stage_and_encoder(stage: SimilarityStage, navec: NavecEncoder) -> None:
    assert stage.name == "similarity"
    assert stage.model == f"similarity/1 {navec.model}"


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("пальто", "clothes"),
        ("Ботинки", "shoes"),
        ("кружка и блюдце", "kitchen"),
        ("Открыла спор, продавец денег не вернул", "nothing"),
    ],
)
def test_words_of_no_entry_find_the_category_of_their_neighbours(
    stage: SimilarityStage, text: str, category: str
) -> None:
    assert one(stage, text).category == category


def test_confidence_and_cosine_are_those_of_the_plain_formula(
    stage: SimilarityStage, navec: NavecEncoder
) -> None:
    for text in TEXTS[:4]:
        confidences, nearest = plainly(text, navec)
        best = max(confidences, key=lambda slug: confidences[slug])
        verdict = one(stage, text)
        assert verdict.category == best
        assert verdict.confidence == pytest.approx(confidences[best], abs=1e-5)
        entry, cosine = nearest[best]
        second = sorted(confidences, key=lambda slug: -confidences[slug])[1]
        expected = {"nearest": entry, "cosine": pytest.approx(cosine, abs=1e-4), "runner_up": second}
        assert verdict.evidence == expected


def plainly(text: str, encoder: Encoder) -> tuple[dict[str, float], dict[str, tuple[str, float]]]:
    """The formula of the stage, one number at a time: confidence by category, and its nearest entry."""

    def vector(some: str) -> list[float]:
        return encoder.embed([some], "query")[0].tolist()

    def cosine(one: str, other: str) -> float:
        return sum(a * b for a, b in zip(vector(one), vector(other), strict=True))

    entries = {
        kind: {category.slug: list(say(category)) for category in SMALL.categories}
        for kind, say in (("words", words), ("sentences", sentences))
    }

    def closeness(kind: str, slug: str, some: str) -> float:
        cosines = sorted((cosine(some, entry) for entry in entries[kind][slug]), reverse=True)[:NEAREST]
        return sum(cosines) / len(cosines) if cosines else 0.0

    def habit(kind: str, slug: str) -> float:
        foreign = [
            text for some in entries.values() for other in some if other != slug for text in some[other]
        ]
        return sum(closeness(kind, slug, entry) for entry in foreign) / len(foreign)

    scores = {
        slug: sum(closeness(kind, slug, text) - habit(kind, slug) for kind in entries) for slug in SMALL.slugs
    }
    powers = {slug: float(np.exp(score / TEMPERATURE)) for slug, score in scores.items()}
    confidences = {slug: power / (1 + sum(powers.values())) for slug, power in powers.items()}
    nearest = {
        slug: max(
            ((entry, cosine(text, entry)) for some in entries.values() for entry in some[slug]),
            key=lambda pair: pair[1],
        )
        for slug in SMALL.slugs
    }
    return confidences, nearest


def test_the_evidence_names_the_entry_itself_when_a_text_is_one(stage: SimilarityStage) -> None:
    for entry in ("юбка", "Кастрюля не пригорает."):
        evidence = one(stage, entry).evidence
        assert isinstance(evidence, dict)
        assert evidence["nearest"] == entry
        assert evidence["cosine"] == pytest.approx(1, abs=1e-4)


def test_a_text_of_unknown_words_gets_no_verdict(stage: SimilarityStage) -> None:
    assert verdicts(stage, ["ыыъпкх щщщъ", "", "\ud800", "!!!"]) == [None, None, None, None]


def test_identical_texts_get_equal_verdicts_and_keep_their_places(stage: SimilarityStage) -> None:
    first, none, second = verdicts(stage, ["пальто", "", "пальто"])
    assert first == second
    assert first is not None
    assert none is None


def test_a_megabyte_of_text_is_survived(stage: SimilarityStage) -> None:
    assert one(stage, "пальто " * 150_000).category == "clothes"


def test_more_texts_than_fit_one_chunk_are_all_judged(stage: SimilarityStage) -> None:
    texts = [f"пальто {number}" for number in range(600)]
    answers = verdicts(stage, texts)
    assert [answer is not None for answer in answers] == [True] * 600


def test_a_taxonomy_of_one_category_is_unsure_of_what_is_foreign_to_it(navec: NavecEncoder) -> None:
    taxonomy = Taxonomy.parse(
        "name: one\ncategories: [{slug: shoes, title: обувь, keywords: [туфли, сапоги]}]"
    )
    stage = SimilarityStage(taxonomy, navec)
    near, far = one(stage, "ботинки"), one(stage, "губернатор подписал закон")
    assert near.confidence > far.confidence
    assert isinstance(near.evidence, dict)
    assert near.evidence["runner_up"] is None


def test_a_taxonomy_without_any_known_word_is_never_sure(navec: NavecEncoder) -> None:
    taxonomy = Taxonomy.parse("name: odd\ncategories: [{slug: a, title: ыыъпкх}, {slug: b, title: щщщъ}]")
    verdict = one(SimilarityStage(taxonomy, navec), "пальто")
    assert verdict.confidence == pytest.approx(1 / 3)
    assert verdict.evidence == {"nearest": None, "cosine": 0.0, "runner_up": "b"}


def test_a_large_taxonomy_is_compiled_from_a_part_of_its_entries(navec: NavecEncoder) -> None:
    nouns = [word for category in default_taxonomy().categories for word in words(category)]
    lines = "".join(
        f"  - {{slug: c{number}, title: {noun}, keywords: [{', '.join(nouns[number : number + 30])}]}}\n"
        for number, noun in enumerate(dict.fromkeys(nouns[:150]))
    )
    taxonomy = Taxonomy.parse(f"name: large\ncategories:\n{lines}")
    assert one(SimilarityStage(taxonomy, navec), "чайник кипит").category in taxonomy.slugs
