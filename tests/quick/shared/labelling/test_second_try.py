"""Which stage a review that failed in a queue may have failed in."""

from __future__ import annotations

from shared.labelling.second_try import RetriedPart, stages_of_queues
from shared.settings import load
from shared.store.second_tries import Again


def test_a_queue_means_the_stages_in_use_that_go_to_it_in_their_order() -> None:
    chosen = load(cascade_stages="keywords,zero_shot,similarity,llm", similarity_encoder="navec")
    assert stages_of_queues(chosen) == [
        ("cpu.keywords", "keywords"),
        ("gpu.label", "zero_shot"),
        ("cpu.similarity", "similarity"),
        ("gpu.label", "llm"),
    ]


def test_a_queue_that_nothing_goes_to_any_more_means_what_went_there_by_other_settings() -> None:
    navec = load(cascade_stages="keywords,similarity", similarity_encoder="navec")
    assert ("gpu.label", "similarity") in stages_of_queues(navec)
    large = load(cascade_stages="keywords,similarity", similarity_encoder="deepvk/USER2-small")
    assert ("cpu.similarity", "similarity") in stages_of_queues(large)


def test_a_stage_out_of_use_is_in_no_queue() -> None:
    assert stages_of_queues(load(cascade_stages="keywords")) == [("cpu.keywords", "keywords")]


def test_reviews_are_sent_by_stage_and_taxonomy() -> None:
    rows = [Again(1, 7, 1, "keywords"), Again(2, 8, 1, "keywords"), Again(3, 7, 2, "keywords")]
    assert RetriedPart(3, 3, reviews=rows).by_stage() == {("keywords", 7): [1, 3], ("keywords", 8): [2]}
