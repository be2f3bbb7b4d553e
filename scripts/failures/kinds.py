"""The kinds of failures in words: what each is, and what is lost when it is dropped."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from scripts.language.language import Sentence, counted, translated
from shared.store.failures import FailureKind

ONE: Mapping[FailureKind, Sentence] = {
    "stage": Sentence("a review that a stage could not process"),
    "prediction": Sentence("a review that could not be predicted"),
    "rejected": Sentence("a rejected message or review"),
}
_COUNTED: Mapping[FailureKind, Callable[[int], str]] = {
    "stage": lambda count: counted(
        "{number} review that a stage could not process",
        "{number} reviews that a stage could not process",
        count,
    ),
    "prediction": lambda count: counted(
        "{number} review that could not be predicted", "{number} reviews that could not be predicted", count
    ),
    "rejected": lambda count: counted(
        "{number} rejected message or review", "{number} rejected messages or reviews", count
    ),
}
_LOSS: Mapping[FailureKind, Sentence] = {
    "stage": Sentence(
        "only the row of the failure goes, the review stays stored; without a label it is given to a person"
    ),
    "prediction": Sentence("only the row of the failure goes, the review stays stored with its label"),
    "rejected": Sentence("never stored as a review, so the payload is gone for good"),
}


def number_of(kind: FailureKind, count: int) -> str:
    """So many failures of a kind."""
    return _COUNTED[kind](count)


def loss(kind: FailureKind, count: int) -> str:
    """What dropping so many failures of a kind means, in one line."""
    return f"{number_of(kind, count)}: {_LOSS[kind]}"


def question(counts: Mapping[FailureKind, int]) -> str:
    """What to ask before they are dropped: in other words where something is lost that is nowhere else."""
    payloads = counts.get("rejected", 0)
    if not payloads:
        return translated("Forget these failures? The reviews themselves stay stored")
    if len(counts) == 1:
        return counted("Delete {number} payload for good?", "Delete {number} payloads for good?", payloads)
    return counted(
        "Delete {number} payload for good, and forget the other failures?",
        "Delete {number} payloads for good, and forget the other failures?",
        payloads,
    )
