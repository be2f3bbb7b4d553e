"""Three rounds of labelling and retraining on a stream whose goods change: with what the student labelled among its
lessons it never finds out; without, it learns the new goods from the few reviews that dearer stages see."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from shared.cascade.stage import Answer, Verdict
from shared.classifiers import LinearClassifier, Location
from shared.classifiers.packaging.package import package
from shared.labelling.labeller import Labeller
from shared.labelling.rules import Rules
from shared.reviews.labelled_text import Row
from shared.runtime import stages
from shared.runtime.runtime import Runtime
from shared.runtime.stages import LazyStages
from shared.serving.registry import Registry
from shared.serving.standing import judge_of
from shared.settings import load
from shared.store import Database, snapshots, taxonomies, thresholds
from shared.store.thresholds import Threshold
from shared.taxonomy import Taxonomy
from shared.training.arguments import arguments
from shared.training.data import prepared
from shared.training.linear import train_linear
from tests.support.stored import ask, review, take_reviews

SHOP: Final = Taxonomy.parse("""
name: rounds
none_category: nothing
categories:
  - {slug: toys, title: игрушки, keywords: [кубики]}
  - {slug: electronics, title: электроника, keywords: [колонка]}
  - {slug: nothing, title: нет товара}
""")
PRODUCTS: Final = {
    "toys": ("кукла", "пазл", "мячик", "конструктор"),
    "electronics": ("наушники", "зарядка", "телефон", "флешка"),
    "nothing": ("доставка", "продавец", "возврат", "спор"),
}
NEW: Final = "квадрокоптер"
"""What the stream brings from the second round on: electronics, of which people write as they do of toys."""
PLAYED: Final = ("сын играет", "подарили ребёнку", "дочка довольна", "внук в восторге")
SAID: Final = {
    "toys": PLAYED,
    "electronics": ("заряжается долго", "звук хороший", "держит заряд", "провод короткий"),
    "nothing": ("жду второй месяц", "деньги вернули", "не отвечает", "трек не отслеживается"),
}
ENDS: Final = ("спасибо", "советую", "четвёрка", "пока нормально", "посмотрим", "обычное дело", "всё так")
ROUNDS: Final = 3
REVIEWS: Final = 240
KEPT_FROM: Final = 0.6
WITHHELD: Final = 0.06


def stream(turn: int, rng: random.Random) -> list[str]:
    """Reviews of one round."""
    texts = []
    for _ in range(REVIEWS):
        slug = rng.choice([*PRODUCTS])
        product, said = rng.choice(PRODUCTS[slug]), rng.choice(SAID[slug])
        if turn > 0 and slug == "electronics":
            product, said = NEW, rng.choice(PLAYED)
        texts.append(f"{product} {said} {rng.choice(ENDS)} {rng.choice(ENDS)} {rng.randrange(1_000)}")
    return texts


def truth(text: str) -> str:
    product = text.split()[0]
    return "electronics" if product == NEW else next(s for s, names in PRODUCTS.items() if product in names)


class Teacher:
    """A dear stage that is always right."""

    name = "llm"
    model = "teacher"
    default_threshold = 0.5

    def answers(self, texts: Sequence[str]) -> list[Answer]:
        return [Answer(Verdict(truth(text), 1.0)) for text in texts]


class World:
    """A database and a register in which the student is trained with or without its own labels."""

    def __init__(self, database: Database, folder: Path, *, in_a_circle: bool) -> None:
        self.in_a_circle = in_a_circle
        self.taxonomy = SHOP.model_copy(update={"name": f"rounds-{in_a_circle}".lower()})
        with database.transaction() as cursor:
            document = self.taxonomy.model_dump_json()
            number = taxonomies.register(cursor, self.taxonomy.name, self.taxonomy.version, document)
        chosen = {
            "models": str(folder / self.taxonomy.name),
            "cascade_stages": "student,llm",
            "student_withheld": WITHHELD,
        }
        self.here = Runtime(load().model_copy(update=chosen), database, self.taxonomy, number)
        self.registry = Registry(database, Location(self.here.settings.models), self.taxonomy, number)
        self.rng = random.Random(0)

    def cascade(self) -> Labeller:
        here = self.here
        made = LazyStages(
            lambda name: stages.build(name, here.taxonomy, here.settings, here.database, here.taxonomy_id)
        )
        made["llm"] = Teacher()
        order = here.settings.stages
        return Labeller(
            here.database, here.taxonomy_id, order, made, Rules(here.taxonomy_id, {}), withhold=WITHHELD
        )

    def round(self, turn: int) -> None:
        """Label a round's reviews, train on what is stored, and let the new model be the student."""
        labeller, texts = self.cascade(), stream(turn, self.rng)
        reviews = [review(f"{self.taxonomy.name}-{turn}-{n}", text) for n, text in enumerate(texts)]
        stored = take_reviews(
            self.here.database, self.here.taxonomy_id, *reviews, first_stage=labeller.order[0]
        )
        outcome = labeller.run("student", stored.first_stage)
        labeller.run("llm", outcome.forward)
        model = self.taught()
        self.registry.promote(model, "champion", moved_by="test")
        row = Threshold("student", None, judge_of(self.registry.get(model)), KEPT_FROM)
        with self.here.database.transaction() as cursor:
            thresholds.store(cursor, self.here.taxonomy_id, [row])

    def lessons(self) -> list[Row]:
        with self.here.database.transaction() as cursor:
            rows = snapshots.rows(cursor, snapshots.take(cursor, self.here.taxonomy_id))
        return rows + [Row(text, category) for text, category in self.own()] if self.in_a_circle else rows

    def own(self) -> list[tuple[str, str]]:
        """What the student has labelled by itself."""
        query = """
            SELECT r.text, l.category FROM labels l JOIN reviews r ON r.id = l.review_id
            WHERE l.taxonomy_id = %s AND l.stage = 'student' AND l.status = 'accepted'
        """
        return ask(self.here.database, query, self.here.taxonomy_id)

    def taught(self) -> int:
        chosen = arguments(architecture="linear", too_few="without", fewest=2, validation=0.2)
        made = train_linear(chosen, prepared(self.lessons(), [], self.taxonomy, chosen))
        return self.registry.register(
            package(made, self.taxonomy, stream(0, self.rng), self.registry.location)
        )

    def right_about_the_new(self) -> float:
        """Share of reviews of the new goods that the last student gives the right category."""
        serving = self.registry.artefact(max(model_numbers(self))).classifier()
        assert isinstance(serving, LinearClassifier)
        texts = [text for text in stream(1, random.Random(99)) if text.startswith(NEW)]
        found = serving.predict(texts).probabilities.argmax(axis=1)
        return sum(serving.labels[at] == "electronics" for at in found) / len(texts)


def model_numbers(world: World) -> list[int]:
    query = "SELECT m.id FROM models m WHERE m.taxonomy_id = %s"
    return [number for (number,) in ask(world.here.database, query, world.here.taxonomy_id)]


@pytest.fixture
def worlds(database: Database, tmp_path: Path) -> list[World]:
    """Two, after the same three rounds: one with the guard, and one in which the student learns from itself."""
    made = [World(database, tmp_path, in_a_circle=circle) for circle in (False, True)]
    for world in made:
        for turn in range(ROUNDS):
            world.round(turn)
    return made


def test_a_student_that_learns_from_itself_never_learns_what_is_new(worlds: list[World]) -> None:
    guarded, in_a_circle = worlds
    assert guarded.right_about_the_new() > 0.95
    assert in_a_circle.right_about_the_new() < 0.5


def test_through_three_rounds_no_lesson_is_a_label_that_the_student_gave(worlds: list[World]) -> None:
    guarded, _ = worlds
    own = {text for text, _ in guarded.own()}
    lessons = guarded.lessons()
    assert len(own) > REVIEWS, "it labels most of two rounds"
    assert own.isdisjoint(row.text for row in lessons)
    assert all(row.category == truth(row.text) for row in lessons)
