"""What processes import before they do anything: it is waited for at every start, and held for as long as they run."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("alembic", "pandas", "pyarrow", "scipy", "sklearn", "sqlalchemy", "torch", "transformers")


@pytest.mark.parametrize(
    "module", ["scripts.cli", "scripts.status", "scripts.worker", "workers.app", "workers.training"]
)
def test_a_process_imports_no_library_that_only_some_commands_need(module: str) -> None:
    code = f"import sys, {module}; print(sorted({{*{HEAVY}}} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
