"""What the help of a command loads: its options, and nothing of its work."""

from __future__ import annotations

import subprocess
import sys

import pytest

OF_WORK = ("celery", "jinja2", "kombu", "numpy", "pandas", "psycopg2", "pyarrow", "scipy", "sklearn", "torch")


@pytest.mark.parametrize(
    "command", ["label", "train", "runs list", "models list", "evaluate", "bench pipeline"]
)
def test_help_waits_for_no_library_that_the_work_needs(command: str) -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from scripts.cli import app\n"
        f"assert CliRunner().invoke(app, [*{command.split()}, '--help']).exit_code == 0\n"
        f"print(sorted({{*{OF_WORK}}} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
