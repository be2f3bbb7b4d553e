"""Help in Russian: wherever its option stands, with Typer's own words, and English again afterwards."""

from __future__ import annotations

from importlib import reload
from typing import Any

import pytest
import typer.main
import typer.rich_utils

from scripts.cli import COMMANDS, app
from scripts.command import help as helping
from scripts.command.help import language_taken
from scripts.language import language
from shared.errors import ConfigurationError
from tests.support.command import run_here

RUSSIAN_HELP = [
    ("--language", "ru", "db", "--help"),
    ("--language=ru", "db", "--help"),
    ("db", "--help", "--language", "ru"),
    ("db", "--language=ru", "--help"),
]


@pytest.fixture(autouse=True)
def _english_afterwards():
    yield
    language.use("en")


@pytest.mark.parametrize("arguments", RUSSIAN_HELP, ids=" ".join)
def test_help_is_russian_wherever_the_option_stands(arguments):
    said = run_here(*arguments).stdout
    assert "Использование: otzyv db [ПАРАМЕТРЫ] КОМАНДА [АРГУМЕНТЫ]..." in said
    assert "Схема базы данных." in said
    assert "─ Параметры ─" in said
    assert "─ Команды ─" in said
    assert "Показать эту справку и выйти." in said
    assert "Удалить старые отзывы" in said


def test_help_is_russian_where_the_setting_or_the_locale_is():
    assert "Схема базы данных." in run_here("db", "--help", OTZYV_LANGUAGE="ru").stdout
    assert "Схема базы данных." in run_here("db", "--help", OTZYV_LANGUAGE="", LC_ALL="ru_RU.UTF-8").stdout
    assert (
        "The database schema." in run_here("db", "--help", OTZYV_LANGUAGE="en", LC_ALL="ru_RU.UTF-8").stdout
    )


def test_the_list_of_commands_is_russian():
    said = run_here("--help", "--language", "ru").stdout
    assert "Разметить файл здесь и сейчас" in said
    assert not [name for name, (_, line) in COMMANDS.items() if line in said]


def test_help_of_the_next_command_is_english_again():
    run_here("db", "--help", "--language", "ru")
    said = run_here("db", "--help").stdout
    assert "Usage: otzyv db [OPTIONS] COMMAND [ARGS]..." in said
    assert "─ Options ─" in said
    assert "─ Commands ─" in said


def test_a_wrong_argument_is_told_under_a_russian_head():
    said = run_here("db", "prune", "--language", "ru")
    assert said.returncode == 2
    assert "Использование: otzyv db prune" in said.stderr
    assert "Справка: 'otzyv db prune --help'." in said.stderr
    assert "─ Ошибка ─" in said.stderr


@pytest.mark.parametrize("spoken", ["en", "ru"])
@pytest.mark.parametrize("command", ["label", "models promote", "failures list", "calibrate", "worker cpu"])
def test_no_word_of_help_is_broken_where_a_terminal_is_narrow(spoken, command):
    def words(columns):
        said = run_here(*command.split(), "--help", "--language", spoken, COLUMNS=columns).stdout
        return {word for line in said.splitlines() for word in line.strip("│ ").split()}

    assert {word for word in words("80") - words("240") if word[0] not in "╭╰─"} == set()


def test_another_language_is_refused_with_those_that_there_are():
    with pytest.raises(ConfigurationError, match="--language: expected en or ru, found 'fr'; leave it out"):
        language_taken(["--language", "fr", "db"])


def test_what_is_passed_on_to_other_programs_is_left_to_them():
    assert language_taken(["worker", "cpu", "--", "--language", "ru"]) == (
        None,
        ["worker", "cpu", "--", "--language", "ru"],
    )
    assert language_taken(["db", "--language"]) == (None, ["db", "--language"])


def test_the_words_that_change_are_those_of_the_typer_that_is_installed():
    fresh = reload(typer.rich_utils)
    assert {name: getattr(fresh, name) for name in helping.WORDS} == helping.WORDS


def test_the_options_help_names_the_languages_that_there_are():
    root: Any = typer.main.get_command(app)
    option = next(parameter for parameter in root.params if helping.OPTION in parameter.opts)
    assert tuple(option.type_descriptor.choices) == language.LANGUAGES
