"""Fixtures over an empty database: a taxonomy, a way to store reviews, a cascade to label them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from shared.labelling.intake import Stored, take_in
from shared.labelling.labeller import Labeller
from shared.labelling.rules import Rules
from shared.reviews.review import Review
from shared.reviews.wire import BatchPart, Message, Rejected
from shared.store import Database, taxonomies
from tests.support.stored import QUEUE, ByFirstLetter


@pytest.fixture
def taxonomy(database: Database) -> int:
    with database.transaction() as cursor:
        return taxonomies.register(cursor, "test", "1", "{}")


@pytest.fixture
def take(database: Database, taxonomy: int):
    """Store reviews as one message would bring them."""

    def take_reviews(
        *reviews: Review, batch: BatchPart | None = None, rejected: Sequence[Rejected] = ()
    ) -> Stored:
        message = Message(list(reviews), list(rejected), batch)
        return take_in(database, [message], queue=QUEUE, taxonomy_id=taxonomy, first_stage="keywords")

    return take_reviews


@pytest.fixture
def cascade(database: Database, taxonomy: int) -> Labeller:
    return Labeller(
        database, taxonomy, ("keywords",), {"keywords": ByFirstLetter()}, Rules(taxonomy, {"keywords": 0.8})
    )
