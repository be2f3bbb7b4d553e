"""Advice can be followed: an option that a message names is one of the command that gives the message."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
import pytest
import typer

from scripts.cli import app
from tests.support.reachable import options_named

# What is passed on to Celery and to git, what is to be given to pip, and what every command has.
OF_OTHERS = {
    "--address", "--concurrency", "--hostname", "--loglevel", "--pidfile", "--pool", "--port", "--queues", "--quiet",
    "--schedule", "--without-gossip", "--without-mingle", "--force-reinstall", "--end-of-options",
    "--show-toplevel", "--verify", "--help",
}  # fmt: skip
TABLE = {"--encoding", "--delimiter", "--quotes", "--header", "--sheet"}


def commands(command: Any, *path: str) -> Iterator[tuple[str, click.Command]]:
    """Every command of the program by its name."""
    if hasattr(command, "loaded"):
        command = command.loaded()
    if not hasattr(command, "commands"):
        yield " ".join(path), command
        return
    for name, one in command.commands.items():
        yield from commands(one, *path, name)


def of(command: click.Command) -> set[str]:
    return {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}


def named_by(command: click.Command) -> dict[str, set[str]]:
    called: Any = command.callback
    return options_named(called.__module__, called.__qualname__)


COMMANDS = dict(commands(typer.main.get_command(app)))


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_that_a_message_names_is_one_of_the_command_that_gives_it(name):
    command = COMMANDS[name]
    wrong = {
        option: places
        for option, places in named_by(command).items()
        if option not in of(command) | OF_OTHERS
    }
    assert wrong == {}


def test_every_command_that_reads_a_table_takes_the_same_options_of_tables():
    reading = {name for name, command in COMMANDS.items() if "--encoding" in named_by(command)}
    assert {
        "label", "plan", "enqueue", "predict", "evaluate", "calibrate", "train", "audit import", "labels import",
        "models import", "taxonomy learn", "taxonomy draft", "bench keywords",
    } <= reading  # fmt: skip
    assert {name: TABLE - of(COMMANDS[name]) for name in reading if TABLE - of(COMMANDS[name])} == {}


def test_what_is_found_in_code_is_what_its_messages_name(tmp_path):
    found = options_named("scripts.files.csv_rows", "one_character")
    assert found == {"--delimiter": {"scripts.files.csv_rows.one_character"}}
    assert "--without-ids" not in options_named("scripts.labelling.commands", "labels_import")
    assert "--without-ids" in options_named("scripts.labelling.commands", "label")
