"""The audit of dependencies tells a service that is away from a package that is vulnerable."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / ".ci" / "dependencies.py"
NAMES = runpy.run_path(str(SCRIPT))
judged = NAMES["judged"]

FINE = {"name": "celery", "version": "5.7.0", "vulns": []}
BAD = {
    "name": "torch",
    "version": "2.1.0",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.10.0"]}, {"id": "GHSA-2", "fix_versions": []}],
}
SKIPPED = {"name": "ours", "skip_reason": "Dependency not found on PyPI and could not be audited: ours (1.0)"}


def told(*packages: object) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def test_a_vulnerable_package_fails_the_audit_and_is_named():
    status, sentence = judged(1, told(FINE, BAD, SKIPPED), "Found 2 known vulnerabilities in 1 package")
    assert status == 1
    assert "torch 2.1.0: PYSEC-1, mended in 2.10.0" in sentence
    assert "torch 2.1.0: GHSA-2, mended in no version yet" in sentence
    assert "celery" not in sentence


def test_packages_without_vulnerabilities_pass():
    assert judged(0, told(FINE), "") == (0, "no known vulnerabilities in 1 packages")
    assert judged(0, told(FINE, SKIPPED), "")[1].endswith("; nothing is known of ours")


@pytest.mark.parametrize(
    "complaint",
    [
        "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='api.osv.dev', port=443): Max retries exceeded",
        "ERROR:pip_audit._cli:Could not connect to PyPI's vulnerability feed",
        "requests.exceptions.ReadTimeout: HTTPSConnectionPool: Read timed out.",
    ],
)
def test_a_service_that_is_away_is_no_verdict(complaint):
    status, sentence = judged(1, "", f"Traceback (most recent call last):\n  ...\n{complaint}\n")
    assert status is None
    assert sentence == complaint


def test_a_service_that_knows_no_package_is_no_verdict():
    assert judged(0, told(SKIPPED, SKIPPED), "")[0] is None


def test_any_other_failure_fails():
    status, sentence = judged(2, "", "usage: pip-audit [-h]\npip-audit: error: unrecognized arguments: --x")
    assert status == 2
    assert "unrecognized arguments" in sentence
