"""What `otzyv taxonomy learn` brings on the reference reviews: learned outside gold, measured on gold."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.command import run_here

LABELS = "llm_labels.csv"


def test_keywords_keep_more_of_gold_when_all_that_was_learned_outside_of_it_is_taken(
    shared_data: Path, tmp_path: Path
) -> None:
    new, gold = tmp_path / "new.yaml", shared_data / "gold.csv"
    reviews = shared_data / "reviews.csv"
    given = ("--labels", shared_data / LABELS, "--reviews", reviews, "--without", gold)
    learned = run_here("taxonomy", "learn", *given, "--out", new)
    assert learned.returncode == 0, learned.stderr
    measured = run_here(
        "evaluate", "--gold", gold, "--reviews", reviews, "--stage", "keywords", "--taxonomy", new, "--json"
    )
    score = json.loads(measured.stdout)["groups"]["all"]
    assert score["coverage"] >= 0.68
    assert score["precision"] >= 0.975
