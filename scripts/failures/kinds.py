"""The kinds of failures in words: what each is, and what is lost when it is dropped."""

from __future__ import annotations

from collections.abc import Mapping

from shared.store.failures import FailureKind

ONE: Mapping[FailureKind, str] = {
    "stage": "review that a stage could not process",
    "prediction": "review that could not be predicted",
    "rejected": "rejected message or review",
}
MANY: Mapping[FailureKind, str] = {
    "stage": "reviews that a stage could not process",
    "prediction": "reviews that could not be predicted",
    "rejected": "rejected messages or reviews",
}
_LOSS: Mapping[FailureKind, str] = {
    "stage": "only the row of the failure goes, the review stays stored; without a label it is given to a person",
    "prediction": "only the row of the failure goes, the review stays stored with its label",
    "rejected": "never stored as a review, so the payload is gone for good",
}


def counted(kind: FailureKind, count: int) -> str:
    """So many failures of a kind."""
    return f"{count:,} {ONE[kind] if count == 1 else MANY[kind]}"


def loss(kind: FailureKind, count: int) -> str:
    """What dropping so many failures of a kind means, in one line."""
    return f"{counted(kind, count)}: {_LOSS[kind]}"


def question(counts: Mapping[FailureKind, int]) -> str:
    """What to ask before they are dropped: in other words where something is lost that is nowhere else."""
    payloads = counts.get("rejected", 0)
    if not payloads:
        return "Forget these failures? The reviews themselves stay stored"
    deleted = f"Delete {payloads:,} {'payload' if payloads == 1 else 'payloads'} for good"
    return f"{deleted}?" if len(counts) == 1 else f"{deleted}, and forget the other failures?"
