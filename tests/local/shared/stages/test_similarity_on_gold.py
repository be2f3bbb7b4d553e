"""The similarity stage's figures on the reference data."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from shared.cascade.stage import verdicts
from shared.encoders.navec import NavecEncoder
from shared.stages.keywords.stage import KeywordStage
from shared.stages.similarity import SimilarityStage
from shared.taxonomy import default_taxonomy
from tests.support.row_files import read_rows


def test_labels_of_keywords_and_similarity_are_right_in_93_of_100_on_gold(shared_data: Path) -> None:
    checked = read_rows(shared_data / "gold.csv")
    gold = {row["id"]: default_taxonomy().category(row["category"]).slug for row in checked}
    reviews = [row for row in read_rows(shared_data / "reviews.csv") if row["id"] in gold]
    right: dict[str, list[bool]] = {"keywords": [], "similarity": []}
    for stage in (KeywordStage(default_taxonomy()), SimilarityStage(default_taxonomy(), NavecEncoder())):
        answers = verdicts(stage, [row["text"] for row in reviews])
        kept = [answer is not None and answer.confidence >= stage.default_threshold for answer in answers]
        right[stage.name] = [
            answer is not None and answer.category == gold[row["id"]]
            for row, answer, sure in zip(reviews, answers, kept, strict=True)
            if sure
        ]
        reviews = [row for row, sure in zip(reviews, kept, strict=True) if not sure]
    assert np.mean(right["keywords"] + right["similarity"]) >= 0.93
    assert np.mean(right["similarity"]) >= 0.85
    assert len(right["similarity"]) >= 0.04 * len(gold)
