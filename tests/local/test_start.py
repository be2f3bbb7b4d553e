"""What processes import before they do anything: it is waited for at every start, and held for as long as they run."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from scripts.service.processes import require_training
from shared.errors import ConfigurationError
from tests.support.processes import printed

HEAVY = ("alembic", "pandas", "pyarrow", "scipy", "sklearn", "sqlalchemy", "torch", "transformers")


@pytest.mark.parametrize(
    "module",
    [
        "scripts.cli",
        "scripts.service.commands",
        "scripts.service.process_commands",
        "scripts.labelling.taxonomy_commands",
        "scripts.failures.commands",
        "workers.app",
        "workers.training.supervisor",
    ],
)
def test_a_process_imports_no_library_that_only_some_commands_need(module: str) -> None:
    code = f"import sys, {module}; print(sorted({{*{HEAVY}}} & sys.modules.keys()))"
    assert printed(code) == "[]"


def test_help_imports_no_command_and_nothing_that_its_settings_need() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from scripts.cli import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "print(sorted(name for name in sys.modules if name.startswith('scripts.') or name == 'pydantic'))"
    )
    assert ast.literal_eval(printed(code)) == [
        "scripts.cli", "scripts.command", "scripts.command.console", "scripts.command.ending",
        "scripts.command.help", "scripts.command.lazy", "scripts.language",
        "scripts.language.catalogue", "scripts.language.language",
    ]  # fmt: skip


@pytest.mark.parametrize("command", ["worker", "ingest", "beat"])
def test_a_process_of_the_service_imports_no_other_command(command: str) -> None:
    code = (
        "import sys; from scripts.cli import Commands\n"
        f"Commands(name='otzyv').commands[{command!r}].loaded()\n"
        "print(sorted(name.split('.')[1] for name in sys.modules if name.startswith('scripts.')))"
    )
    assert set(ast.literal_eval(printed(code))) == {"cli", "command", "language", "pages", "service"}


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed: `make models`")
def test_a_worker_whose_torch_is_broken_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "torch.py").write_text('raise OSError("libtorch_cpu.so: cannot open shared object file")')
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(
        ConfigurationError,
        match=r"found: OSError: libtorch_cpu.so: .*; in the project's folder: `make models`",
    ):
        require_training()


def test_an_application_whose_settings_are_wrong_says_so_when_it_is_first_used() -> None:
    # Celery logs what a receiver of its own signal raises, and goes on with its defaults.
    code = "from workers.app import app; print(app.conf.task_acks_late)"
    wrong = {**os.environ, "OTZYV_RETRAIN": "linear", "OTZYV_RETRAIN_CRON": "60 3 * * *"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=wrong, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert "SettingsError: OTZYV_RETRAIN_CRON: expected five crontab fields" in done.stderr
