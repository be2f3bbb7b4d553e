"""Entries learned from labelled reviews: what is proposed, what is not, and that the stage would keep it."""

from __future__ import annotations

import random
from functools import cache

from shared.cascade.rule import StageRule
from shared.cascade.stage import verdicts
from shared.learning.effect import effect, least_kept
from shared.learning.ground import LEAST_LABELS, Ground
from shared.learning.learning import STEPS, Lesson, learn
from shared.learning.proposal import Proposal, applied
from shared.stages.keywords.stage import KeywordStage
from shared.taxonomy import Taxonomy
from tests.support.pet_shop import PET_SHOP, labelled

LEAST = [0.8, 0.8, 0.8]


def taught(texts: list[str], labels: list[str], precision: float = 0.9, floor: float = 0.3) -> Lesson:
    return learn(Taxonomy.parse(PET_SHOP), texts, labels, LEAST, precision=precision, floor=floor)


@cache
def usual() -> Lesson:
    return taught(*labelled())


def found(lesson: Lesson) -> dict[tuple[str, str], Proposal]:
    return {(one.change.slug, one.change.text): one for one in lesson.proposals}


def test_words_that_the_labels_know_are_proposed_in_their_dictionary_form() -> None:
    assert {("food", "сухарик"), ("bowls", "поилка"), ("nothing", "курьер")} <= found(usual()).keys()


def test_the_stage_keeps_what_was_proposed() -> None:
    changed = Taxonomy.parse(applied(PET_SHOP, usual().proposals))
    answers = verdicts(KeywordStage(changed), ["Сухарики так себе", "Поилкой довольны"])
    assert [answer.category for answer in answers if answer and answer.confidence >= 0.8] == ["food", "bowls"]


def test_a_proposal_says_what_speaks_for_it_and_how_sure_that_is() -> None:
    one = found(usual())["food", "сухарик"]
    assert one.support == (20, 20)
    heard = one.heard
    assert heard.checked == heard.right == heard.changed == heard.changed_right > 10
    low, high = heard.bounds()
    assert 0.7 < low < high == 1.0
    assert "ухарик" in one.example


def test_comments_and_all_other_lines_stay_as_they_are() -> None:
    changed = applied(PET_SHOP, usual().proposals)
    assert "# our shop" in changed
    assert "# what they eat" in changed


def test_a_word_without_support_is_not_proposed() -> None:
    texts, labels = labelled()
    lesson = taught([*texts, "Ошейник малюсенький"], [*labels, "food"])
    assert ("food", "ошейник") not in found(lesson)


def test_a_word_that_stands_for_several_categories_is_not_proposed() -> None:
    texts, labels = labelled()
    mixed = [
        f"{word} {tail}"
        for word in ("Пакетик", "Пакетики")
        for tail in ("целый", "мятый", "большой", "жёлтый")
    ]
    lesson = taught([*texts, *mixed], [*labels, *("food", "bowls") * 4])
    assert not {("food", "пакетик"), ("bowls", "пакетик")} & found(lesson).keys()


def test_labels_without_any_pattern_teach_nothing() -> None:
    texts, labels = labelled()
    chance = random.Random(3)
    shuffled = chance.sample(labels, len(labels))
    lesson = taught(texts, shuffled, floor=0.6)
    assert lesson.proposals == ()


def test_the_same_labels_teach_the_same_in_any_order() -> None:
    texts, labels = labelled()
    rows = list(zip(texts, labels, strict=True))
    random.Random(1).shuffle(rows)
    texts, labels = map(list, zip(*rows, strict=True))
    assert applied(PET_SHOP, taught(texts, labels).proposals) == applied(PET_SHOP, usual().proposals)


def test_a_category_with_few_labels_gets_no_proposals_but_the_number_that_it_lacks() -> None:
    texts, labels = labelled()
    some = [place for place, label in enumerate(labels) if label != "bowls"]
    some += [place for place, label in enumerate(labels) if label == "bowls"][:4]
    lesson = taught([texts[place] for place in some], [labels[place] for place in some])
    assert "bowls" not in {one.change.slug for one in lesson.proposals}
    assert lesson.more["bowls"] == LEAST_LABELS - 4


def test_a_floor_that_few_labels_cannot_reach_tells_how_many_could() -> None:
    lesson = taught(*labelled(), floor=0.95)
    assert lesson.proposals == ()
    assert 20 < lesson.more["food"] < 100


def test_ten_labels_a_category_are_enough_for_a_word_that_most_of_them_have() -> None:
    texts, labels = labelled(tails=3)
    assert max(labels.count(slug) for slug in set(labels)) < 14
    assert {("food", "сухарик"), ("bowls", "поилка")} <= found(taught(texts, labels)).keys()


def test_progress_is_told_after_each_search() -> None:
    steps: list[int] = []
    texts, labels = labelled()
    learn(
        Taxonomy.parse(PET_SHOP),
        texts,
        labels,
        LEAST,
        precision=0.9,
        floor=0.3,
        on_step=lambda: steps.append(1),
    )
    assert len(steps) == STEPS


def test_the_arithmetic_answers_as_the_stage_does() -> None:
    texts, labels = labelled()
    texts = [*texts, "Корм и миска", "без миски", "как корм", "отлично", "Корм отлично, спасибо"]
    ground = Ground(Taxonomy.parse(PET_SHOP), texts, [*labels, *["food"] * 5], LEAST)
    said = verdicts(KeywordStage(Taxonomy.parse(PET_SHOP)), texts)
    slugs = Taxonomy.parse(PET_SHOP).slugs
    for verdict, category, confidence in zip(said, *map(list, ground.before), strict=True):
        assert (slugs[category] if category >= 0 else None) == (verdict.category if verdict else None)
        assert verdict is None or abs(verdict.confidence - confidence) < 1e-9


def test_a_phrase_in_which_a_word_errs_becomes_an_exclusion() -> None:
    texts, labels = labelled()
    tails = ("синий", "серый", "белый", "чёрный", "жёлтый", "красный", "новый", "старый", "лёгкий", "тяжёлый")
    smells = [f"{word}, запах корма {tail}" for tail in tails for word in ("Черпак", "Совок")]
    food = [f"Корм {tail}" for tail in tails]
    lesson = taught([*texts, *smells, *food], [*labels, *["nothing"] * len(smells), *["food"] * len(food)])
    assert ("food", "запах корма") in {
        (o.change.slug, o.change.text) for o in lesson.proposals if o.sort == "exclusion"
    }


def test_what_changes_is_counted_by_what_was_kept_and_would_be() -> None:
    old = Taxonomy.parse(PET_SHOP)
    new = Taxonomy.parse(PET_SHOP.replace("[миска]", "[миска, поилка]").replace(", паштет", ""))
    told = effect(old, new, StageRule(0.8), ["Поилка", "Две поилки", "Паштет", "Миска"])
    assert (told.reviews, told.before, told.after) == (4, 2, 3)
    assert [(one.then, one.now, one.count) for one in told.changes] == [(None, "bowls", 2), ("food", None, 1)]
    assert told.changes[0].samples == ["Поилка", "Две поилки"]


def test_the_least_confidence_that_is_kept_is_read_off_the_rule() -> None:
    assert least_kept(StageRule(0.8, {"food": 0.9}), "bowls") == 0.8
    assert least_kept(StageRule(0.8, {"food": 0.9}), "food") == 0.9
    assert least_kept(StageRule(None), "food") == 2.0
