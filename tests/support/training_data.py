"""Labelled reviews and gold for tests of training: two categories that a model tells apart by a word."""

from __future__ import annotations

from shared.store import Database, gold, labels
from shared.store.gold import GoldAnswer
from tests.support.stored import ask, review, take_reviews

WORDS = {
    "clothes": ("платье", "блузка", "рубашка", "юбка", "куртка"),
    "shoes": ("кроссовки", "ботинки", "туфли", "сапоги", "босоножки"),
}
ENDS = ("пришло быстро", "мне понравилось", "не подошло совсем", "за свои деньги", "советую всем")
GOLD = 60


def sentences(count: int, first: int = 0) -> list[tuple[str, str]]:
    """Texts and their categories, all different."""
    slugs = tuple(WORDS)
    found = []
    for number in range(first, first + count):
        slug = slugs[number % len(slugs)]
        word = WORDS[slug][number // 2 % 5]
        found.append((f"{word} номер {number} {ENDS[number // 10 % 5]}", slug))
    return found


def store(database: Database, taxonomy_id: int, count: int = 300, gold_reviews: int = GOLD) -> None:
    """Store reviews, label all of them, and make the last ones gold."""
    rows = sentences(count)
    ids = take_reviews(
        database, taxonomy_id, *(review(str(n), text) for n, (text, _) in enumerate(rows))
    ).ids[0]
    with database.transaction() as cursor:
        labels.settle_from_outside(
            cursor, [(ids[n], 1, slug, 0.9) for n, (_, slug) in enumerate(rows)], taxonomy_id, "test"
        )
        checked = list(zip(ids, rows, strict=True))[count - gold_reviews :] if gold_reviews else []
        if checked:
            gold.record(
                cursor, [GoldAnswer(number, 1, slug, "person") for number, (_, slug) in checked], taxonomy_id
            )


def status(database: Database) -> list[tuple[int, str]]:
    """Runs and how they stand."""
    return ask(database, "SELECT id, status FROM training_runs ORDER BY 1")
