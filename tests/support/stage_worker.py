"""A CPU worker with a stage of the tests in the place of the keywords."""

from __future__ import annotations

from collections.abc import Callable

from scripts.service.processes import work
from shared.cascade.stage import Stage
from shared.runtime import stages
from shared.settings import settings
from shared.taxonomy import Taxonomy


class InsteadOfKeywords:
    """What such stages have in common."""

    name = "keywords"
    default_threshold = 0.5


def work_with(stage: Callable[[Taxonomy], Stage]) -> None:
    """Work in two processes until stopped."""
    stages.build = lambda _name, taxonomy, *_rest: stage(taxonomy)
    work("cpu", settings(), 2, None)
