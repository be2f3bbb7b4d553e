"""Log lines hold no personal data, whoever wrote what into them."""

from __future__ import annotations

import io
import json
import logging
import sys

import pytest
import structlog

from shared import logs
from shared.settings import load
from workers.process import log_lines


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]):
    """What has been logged, as JSON."""
    return lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_values_are_masked_however_deep_they_are(lines):
    logs.configure(load(log_format="json"))
    structlog.get_logger().info(
        "a.b", error="нет: +79161234567", nested={"rows": [("anna@example.ru", 1)]}, review_ids=[89161234567]
    )
    (line,) = lines()
    assert line["error"] == "нет: [телефон]"
    assert line["nested"] == {"rows": [["[почта]", 1]]}
    assert line["review_ids"] == [89161234567]


def test_a_line_is_one_write_so_that_lines_of_several_processes_stay_apart(monkeypatch):
    class Written(io.StringIO):
        def write(self, text: str) -> int:
            parts.append(text)
            return super().write(text)

    parts: list[str] = []
    monkeypatch.setattr(sys, "stderr", Written())
    logs.configure(load(log_format="json"))
    structlog.get_logger().info("a.b")
    assert [part[-1] for part in parts] == ["\n"]


def test_a_traceback_is_masked(lines):
    logs.configure(load(log_format="json"))
    try:
        int("звоните 8 (916) 123-45-67")
    except ValueError as error:
        structlog.get_logger().exception("a.b", error=error)
    (line,) = lines()
    assert "звоните [телефон]" in line["exception"]
    assert line["error"] == "invalid literal for int() with base 10: 'звоните [телефон]'"
    assert "916" not in str(line)


@pytest.mark.parametrize("form", ["json", "console"])
def test_lines_of_libraries_are_masked_as_well(capsys, form):
    before = logging.getLogger().handlers, logging.getLogger().level
    try:
        chosen = load(log_format=form)
        logs.configure(chosen)
        log_lines.install(chosen)
        try:
            int("4111 1111 1111 1111")
        except ValueError:
            logging.getLogger("celery.worker").exception("Task %s raised: %s", "x", "anna@example.ru")
    finally:
        logging.getLogger().handlers, level = before
        logging.getLogger().setLevel(level)
    told = capsys.readouterr().err
    assert "Task x raised: [почта]" in told
    assert "[карта]" in told
    assert "1111" not in told


def test_names_of_workers_and_queues_stay_readable(lines):
    logs.configure(load(log_format="json"))
    names = ["cpu@srv.example.com", "cpu@host.celery.pidbox", "otzyv.x@host", "gpu-2@host.local"]
    structlog.get_logger().info("a.b", workers=names, error=f"{names[0]}: anna@example.ru")
    (line,) = lines()
    assert line["workers"] == names
    assert line["error"] == f"{names[0]}: [почта]"


def test_masking_of_logs_can_be_switched_off(lines):
    logs.configure(load(log_format="json", mask_logs=False))
    structlog.get_logger().info("a.b", error="+79161234567")
    assert lines()[0]["error"] == "+79161234567"
