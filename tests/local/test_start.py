"""What processes import before they do anything: it is waited for at every start, and held for as long as they run."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from scripts.service.processes import require_training
from shared.errors import ConfigurationError

HEAVY = ("alembic", "pandas", "pyarrow", "scipy", "sklearn", "sqlalchemy", "torch", "transformers")


@pytest.mark.parametrize(
    "module",
    [
        "scripts.cli",
        "scripts.service.status",
        "scripts.service.processes",
        "workers.app",
        "workers.training.supervisor",
    ],
)
def test_a_process_imports_no_library_that_only_some_commands_need(module: str) -> None:
    code = f"import sys, {module}; print(sorted({{*{HEAVY}}} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


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
