"""Fixtures over an empty database: a taxonomy, a way to store reviews, a cascade to label them; models and roles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from shared.intake.intake import Stored, take_in
from shared.labelling.labeller import Labeller
from shared.labelling.rules import Rules
from shared.reviews.review import Review
from shared.reviews.wire import BatchPart, Message, Rejected
from shared.store import Database, taxonomies
from tests.support.once import once
from tests.support.roles import RoleUrl, given_roles
from tests.support.stored import QUEUE, ByFirstLetter

if TYPE_CHECKING:
    from tests.support.tiny_registry import Models


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """Three packaged models and their folders; whoever registers them copies them."""
    from tests.support import tiny_registry  # torch, which most tests do without

    return once(tmp_path_factory, "tiny-models", tiny_registry.Models)


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
def as_role(database: Database, database_url: str) -> RoleUrl:
    """The database as a role sees it, closed to everybody who has no right of his own."""
    return given_roles(database, database_url)


@pytest.fixture
def cascade(database: Database, taxonomy: int) -> Labeller:
    return Labeller(
        database, taxonomy, ("keywords",), {"keywords": ByFirstLetter()}, Rules(taxonomy, {"keywords": 0.8})
    )
