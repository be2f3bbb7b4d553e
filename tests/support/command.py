"""The `otzyv` command in the process of the tests: for what it refuses, without the second that a start takes."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from scripts.cli import main


def run_here(*arguments: str | Path, **environment: str) -> CompletedProcess[str]:
    """What `tests.support.processes.run` tells of a command, by calling what the console script calls."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["otzyv", *map(str, arguments)])
        for name, value in {"COLUMNS": "200", **environment}.items():
            patch.setenv(name, value)
        status = 0
        try:
            main()
        except SystemExit as end:
            status = int(end.code or 0)
    return CompletedProcess(["otzyv", *map(str, arguments)], status, out.getvalue(), err.getvalue())
