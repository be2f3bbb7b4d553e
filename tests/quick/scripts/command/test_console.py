"""What a person is asked before something is lost."""

from __future__ import annotations

import io

import pytest
import typer

from scripts.command.console import require_yes
from scripts.language import language


def ask(answer: str, monkeypatch: pytest.MonkeyPatch, spoken: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{answer}\n"))
    with language.speaking(spoken):
        require_yes("?")


@pytest.mark.parametrize("spoken", language.LANGUAGES)
@pytest.mark.parametrize("answer", ["y", "YES", "д", " Да "])
def test_yes_may_be_said_in_either_language(answer, spoken, monkeypatch):
    ask(answer, monkeypatch, spoken)


@pytest.mark.parametrize("answer", ["", "n", "нет", "x"])
def test_all_else_changes_nothing_and_that_is_said(answer, monkeypatch, capsys):
    with pytest.raises(typer.Exit) as ended:
        ask(answer, monkeypatch, "ru")
    assert ended.value.exit_code == 1
    assert "[д/Н]" in (said := capsys.readouterr().err)
    assert "ничего не изменено" in said
