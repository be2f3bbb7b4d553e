"""The guard of the quick tests, and what several of them read."""

from __future__ import annotations

import pytest

from shared.encoders.navec import NavecEncoder
from shared.stages.keywords.stage import KeywordStage
from shared.taxonomy import default_taxonomy
from tests.support.guard import (  # noqa: F401  pytest finds its hooks here
    pytest_fixture_setup,
    pytest_make_collect_report,
    pytest_runtest_call,
    pytest_runtest_setup,
)


@pytest.fixture(scope="session")
def navec() -> NavecEncoder:
    """The word vectors."""
    return NavecEncoder()


@pytest.fixture(scope="session")
def market() -> KeywordStage:
    """The keywords of the nine categories."""
    return KeywordStage(default_taxonomy())
