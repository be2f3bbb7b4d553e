"""The table of commands: what `otzyv --help` says of each is what the command says of itself."""

from __future__ import annotations

from importlib import import_module

import pytest
import typer.main
from typer.testing import CliRunner

from scripts.cli import COMMANDS, app
from scripts.labelling.taxonomy_commands import SISTERS
from shared.errors import InputFileError

MODULES = sorted({module for module, _ in COMMANDS.values()})


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_of_help_in_the_table_is_the_commands_own(name: str) -> None:
    module, line = COMMANDS[name]
    assert typer.main.get_group(import_module(f"scripts.{module}").commands).commands[name].help == line


@pytest.mark.parametrize("name", SISTERS)
def test_the_line_of_help_of_a_taxonomy_command_is_the_commands_own(name: str) -> None:
    module, line = SISTERS[name]
    commands = typer.main.get_group(import_module(f"scripts.labelling.{module}").commands).commands
    assert commands[name].help == line


@pytest.mark.parametrize("module", MODULES)
def test_every_command_of_a_module_is_in_the_table(module: str) -> None:
    listed = {name for name, (where, _) in COMMANDS.items() if where == module}
    assert set(typer.main.get_group(import_module(f"scripts.{module}").commands).commands) == listed


def test_a_misspelt_command_is_told_which_one_was_meant() -> None:
    result = CliRunner().invoke(app, ["lable"])
    assert result.exit_code == 2
    assert "Did you mean 'label'" in result.output


def test_a_groups_own_commands_and_help_are_those_of_its_module() -> None:
    result = CliRunner().invoke(app, ["worker", "--help"])
    assert result.exit_code == 0
    assert "Incoming reviews, stages without a GPU, and upkeep, until stopped." in result.output


def test_a_missing_file_is_asked_for_before_any_missing_option() -> None:
    result = CliRunner().invoke(app, ["label"])
    assert result.exit_code == 2
    assert "Missing argument" in result.output


def test_every_option_of_a_file_reaches_its_reader() -> None:
    result = CliRunner().invoke(app, ["enqueue", "reviews.csv", "--encoding", "klingon"])
    assert isinstance(result.exception, InputFileError)
    assert "--encoding: expected an encoding of text that Python knows" in str(result.exception)
