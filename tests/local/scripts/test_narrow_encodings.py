"""Terminals and pipes whose encoding lacks letters and signs that we print."""

from __future__ import annotations

from tests.support.processes import run


def test_what_an_encoding_lacks_is_escaped_and_ends_no_command() -> None:
    done = run("--help", OTZYV_LANGUAGE="ru", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "\\u04" in done.stdout
