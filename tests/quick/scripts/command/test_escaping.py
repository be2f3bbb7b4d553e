"""Hostile text on a terminal."""

from __future__ import annotations

import pytest

from scripts.command.escaping import decoded, escaped


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Платье 👍 «отлично»", "Платье 👍 «отлично»"),
        ("\x1b[31mred\x07", "\\x1b[31mred\\x07"),
        ("to the \u202eleft", "to the \\u202eleft"),
        ("a\rb\nc", "a\\rb\\nc"),
        ("half \ud83d", "half \\ud83d"),
    ],
)
def test_nothing_that_could_steer_a_terminal_is_left(text: str, shown: str) -> None:
    assert escaped(text) == shown


def test_line_breaks_stay_where_they_are_wanted() -> None:
    assert escaped("a\r\nb", lines=True) == "a\\r\nb"


def test_bytes_that_are_no_text_are_shown_as_escapes() -> None:
    assert decoded(b"\xff\xd0\xb4") == "\\xffд"


def test_half_a_character_is_left_out_only_where_the_bytes_were_cut() -> None:
    assert decoded("дд".encode()[:3], cut=True) == "д"
    assert decoded("дд".encode()[:3]) == "д\\xd0"
