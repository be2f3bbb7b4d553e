"""What the commands around the services say where they cannot do their work, and none of the services is needed."""

from __future__ import annotations

import pytest
import xlsxwriter
from typer.testing import CliRunner

from scripts.cli import app
from shared.errors import InputFileError
from tests.support.command import run_here
from tests.support.processes import EXAMPLES


def test_without_a_broker_enqueue_says_so_and_tells_what_was_sent() -> None:
    failed = run_here("enqueue", EXAMPLES, OTZYV_AMQP_URL="amqp://guest:guest@127.0.0.1:1//")
    assert failed.returncode == 75
    assert "0 reviews had been confirmed" in failed.stderr
    assert "RabbitMQ did not answer" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_flower_refuses_to_start_without_a_password() -> None:
    failed = run_here("flower", OTZYV_FLOWER_BASIC_AUTH="")
    assert failed.returncode == 2
    assert "OTZYV_FLOWER_BASIC_AUTH: expected user:password" in failed.stderr


TITLE_ALONE = {"Титул": [["Отзывы за ноябрь"]], "Пусто": []}
COMMANDS = (
    ("label", "{file}", "--out", "{folder}/labels.csv", "--store", "{folder}/store"),
    ("enqueue", "{file}"),
    ("plan", "{file}"),
    ("predict", "{file}", "--out", "{folder}/predictions.csv"),
    ("evaluate", "--gold", "{file}"),
    ("calibrate", "--gold", "{file}"),
    ("train", "linear", "--gold", "{file}"),
    ("audit", "import", "{file}"),
    ("labels", "import", "{file}"),
    ("taxonomy", "learn", "--labels", "{file}"),
    ("taxonomy", "draft", "{file}", "--out", "{folder}/taxonomy.yaml"),
)


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words[:2]))
def test_a_file_that_cannot_be_read_is_refused_before_any_server_is_asked_or_started(
    words, tmp_path, monkeypatch
):
    monkeypatch.setenv("OTZYV_DATABASE_URL", "postgresql://postgres@127.0.0.1:1/none")
    monkeypatch.setenv("OTZYV_AMQP_URL", "amqp://guest:guest@127.0.0.1:1//")
    path = tmp_path / "reviews.xlsx"
    with xlsxwriter.Workbook(path) as book:
        for name, rows in TITLE_ALONE.items():
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
    result = CliRunner().invoke(app, [word.format(file=path, folder=tmp_path) for word in words])
    assert isinstance(result.exception, InputFileError), result.output + repr(result.exception)
    assert "or name with --sheet another than 'Титул': 'Пусто'" in str(result.exception)
    assert not (tmp_path / "store").exists()
