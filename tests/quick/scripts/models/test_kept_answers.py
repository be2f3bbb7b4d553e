"""PartAnswers of a model that are kept while a run of `otzyv predict` may be interrupted."""

from __future__ import annotations

from pathlib import Path

from scripts.labelling.unfinished import UnfinishedRun
from scripts.models.kept_answers import NAME, PartAnswers, PredictedText, kept_answers


def part(*numbers: int) -> PartAnswers:
    return [
        PredictedText("shoes", number / 10, truncated=False, probabilities={"shoes": number / 10})
        for number in numbers
    ]


def run(folder: Path) -> UnfinishedRun:
    return UnfinishedRun(folder, folder / "p.csv", "the same")


def test_answers_are_taken_up_in_order_and_only_new_ones_are_added(tmp_path):
    parts = [part(1, 2), [*part(3), "text: expected"], part(4)]
    with kept_answers(run(tmp_path)) as kept:
        assert list(kept.earlier) == []
        for some in parts[:2]:
            kept.add(some)
    with kept_answers(run(tmp_path)) as kept:
        assert list(kept.earlier) == parts[:2]
        for some in parts:
            kept.add(some)
    with kept_answers(run(tmp_path)) as kept:
        assert list(kept.earlier) == parts


def test_a_part_that_was_cut_or_not_noted_is_asked_for_again(tmp_path):
    with kept_answers(run(tmp_path)) as kept:
        kept.add(part(1, 2))
    file = tmp_path / NAME
    whole = file.read_bytes()
    for rest in (b"\0\0\0\x20", whole, whole[:-1]):
        file.write_bytes(whole + rest)
        with kept_answers(run(tmp_path)) as kept:
            assert list(kept.earlier) == [part(1, 2)]
        assert file.read_bytes() == whole


def test_what_another_run_has_left_is_no_answer(tmp_path):
    with kept_answers(run(tmp_path)) as kept:
        kept.add(part(1, 2))
    other = UnfinishedRun(tmp_path, tmp_path / "p.csv", "another")
    with kept_answers(other) as kept:
        assert list(kept.earlier) == []
    assert (tmp_path / NAME).read_bytes() == b""
