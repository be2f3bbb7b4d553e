"""What `otzyv failures` is to work on has to be said, and only in one way; what it asks, and how it shows things."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import CliRunner

from scripts.cli import app
from scripts.failures.document import as_json, document_of
from scripts.failures.kinds import loss, question
from scripts.failures.listing import merged
from scripts.language.language import grouped
from shared.errors import ConfigurationError
from shared.store.failures import Failure, FailureKind


def refusal(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["failures", *arguments])
    assert isinstance(result.exception, ConfigurationError), result.output
    return str(result.exception)


@pytest.mark.parametrize("command", ["retry", "drop"])
def test_nothing_is_chosen_unless_it_is_said(command: str) -> None:
    assert refusal(command) == (
        "failures: expected numbers, --queue and --reason, or else --all, or else --dead-letters; found none of these"
    )


@pytest.mark.parametrize(
    "arguments",
    [("1", "--all"), ("--queue", "cpu.keywords", "--all"), ("--all", "--dead-letters", "cpu.keywords.dead")],
)
def test_two_ways_at_once_are_refused(arguments: tuple[str, ...]) -> None:
    assert refusal("drop", *arguments).endswith("found several of these")


def test_the_name_of_a_dead_letter_queue_leads_to_the_option_for_them() -> None:
    assert "write --dead-letters" in refusal("retry", "--queue", "cpu.keywords.dead")


def test_a_dead_letter_queue_that_there_is_not_is_refused() -> None:
    assert "found 'nonsense'" in refusal("drop", "--dead-letters", "nonsense", "--yes")


@pytest.mark.parametrize(
    ("counts", "asked"),
    [
        ({"stage": 2}, "Forget these failures? The reviews themselves stay stored"),
        ({"prediction": 1, "stage": 2}, "Forget these failures? The reviews themselves stay stored"),
        ({"rejected": 1}, "Delete 1 payload for good?"),
        ({"rejected": 1_200}, f"Delete {grouped(1_200)} payloads for good?"),
        ({"stage": 1, "rejected": 2}, "Delete 2 payloads for good, and forget the other failures?"),
    ],
)
def test_it_is_asked_in_other_words_where_something_is_lost_for_good(
    counts: dict[FailureKind, int], asked: str
) -> None:
    assert question(counts) == asked


def test_it_is_said_of_each_kind_what_is_lost() -> None:
    assert loss("stage", 1) == (
        "1 review that a stage could not process: only the row of the failure goes, the review stays stored; "
        "without a label it is given to a person"
    )
    assert loss("prediction", 2) == (
        "2 reviews that could not be predicted: only the row of the failure goes, "
        "the review stays stored with its label"
    )
    assert loss("rejected", 1_200) == (
        f"{grouped(1_200)} rejected messages or reviews: never stored as a review, so the payload is gone for good"
    )


def rejected(payload: bytes, size: int | None = None) -> dict[str, Any]:
    """The document of something that was rejected, as a program reads it."""
    at = datetime(2026, 1, 2, tzinfo=UTC)
    nothing = dict.fromkeys(
        (
            "traceback_hash",
            "batch",
            "taxonomy",
            "review_id",
            "revision",
            "source",
            "external_id",
            "text",
            "settled",
        )
    )
    failure = Failure(
        number=1,
        kind="rejected",
        queue="stream shop",
        stream_offset=5,
        reason="message: bad",
        at=at,
        payload=payload,
        size=len(payload) if size is None else size,
        **nothing,
    )
    found = json.loads(as_json(document_of(failure)))
    assert isinstance(found, dict)
    return found


def test_a_payload_is_text_in_json_where_it_is_utf_8() -> None:
    found = rejected("Платье \x1b[2J".encode())
    assert (found["payload"], found["cut"], found["stream_offset"]) == ("Платье \x1b[2J", False, 5)
    assert "payload_base64" not in found


def test_a_payload_that_is_no_utf_8_is_base64_in_json_under_a_key_that_says_so() -> None:
    found = rejected(b"\xff\x00")
    assert base64.b64decode(found["payload_base64"]) == b"\xff\x00"
    assert "payload" not in found


def test_half_a_character_where_a_payload_was_cut_leaves_it_text() -> None:
    found = rejected("дд".encode()[:3], size=4)
    assert (found["payload"], found["cut"], found["size"]) == ("д", True, 4)


def test_nothing_in_json_can_steer_a_terminal_or_is_changed() -> None:
    hostile = "\x1b[2J\u202e\x9b\x7f\u2028 :heart: [red] «👍» \ud83d\U000e0041"
    shown = as_json({"a": hostile})
    assert all(char.isprintable() or char == "\n" for char in shown)
    assert ":heart: [red] «👍»" in shown
    assert json.loads(shown) == {"a": hostile}


def test_reasons_of_dead_letters_that_differ_in_numbers_are_counted_as_one() -> None:
    causes = [("text: bad", 3), ("bad byte 7", 2), ("bad byte 12", 2)]
    assert merged(causes) == [("bad byte 7", 4), ("text: bad", 3)]
