"""What `otzyv failures retry` and `drop` are to work on has to be said, and only in one way."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from scripts.cli import app
from shared.errors import ConfigurationError


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
