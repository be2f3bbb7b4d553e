"""What a benchmark needs is asked for before its file is read."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts.bench import report
from scripts.bench.options import BenchOptions
from shared.errors import ConfigurationError

ABSENT = BenchOptions(Path("absent.csv"))


def test_a_classifier_without_torch_is_refused_before_the_file_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(
        sys.modules, "scripts.bench.classifier", None
    )  # which makes Python refuse to import it
    with pytest.raises(ImportError):
        report.classifier(ABSENT, 1.0, None)


def test_zero_shot_without_its_device_is_refused_before_the_file_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(choice: str) -> None:
        raise ConfigurationError(f"no {choice}")

    monkeypatch.setattr(report, "device_for", refuse)
    with pytest.raises(ConfigurationError, match="no cuda:9"):
        report.zero_shot(ABSENT, 1.0, "cuda:9")
