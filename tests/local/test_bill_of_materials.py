"""The bill of materials: every pinned package, by the command that writes it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / ".ci" / "dependencies.py"


def test_the_bill_of_materials_lists_every_pinned_package():
    pytest.importorskip("cyclonedx", reason="comes with pip-audit")
    done = subprocess.run([sys.executable, SCRIPT, "sbom"], capture_output=True, text=True, check=True)
    bill = json.loads(done.stdout)
    pinned = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert len(pinned) > 50
    assert {(one["name"], one["version"]) for one in bill["components"]} == set(pinned)
    assert all(one["purl"].startswith("pkg:pypi/") for one in bill["components"])
    assert bill["bomFormat"] == "CycloneDX"
