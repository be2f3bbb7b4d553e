"""An architecture that is added by one file and one row can be chosen, trained, exported and retrained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="networks need torch")

from shared.catalogue import ARCHITECTURES
from shared.classifiers.packaging.export import export
from shared.errors import SettingsError, TrainingError
from shared.settings import load
from shared.training.arguments import arguments
from shared.training.network import train
from tests.support.head_only import ROW
from tests.support.tiny_training import LABELS, Eyes, base, data


def test_an_architecture_is_one_file_and_one_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TrainingError, match=r"expected one of linear, .*; found 'head_only'"):
        arguments(architecture="head_only")
    with pytest.raises(SettingsError, match="expected different architectures out of linear"):
        load(retrain="head_only")
    monkeypatch.setitem(ARCHITECTURES, ROW.name, ROW)
    assert load(retrain="linear,head_only").retrained == ("linear", "head_only")
    chosen = arguments(
        architecture="head_only", base=str(base(tmp_path / "base")), max_tokens=24, device="cpu"
    )
    made = train(chosen, data(), tmp_path / "run", Eyes())
    made_of = export(made.network, made.tokenizer, made.labels, ["Платье"], max_tokens=24, temperature=1.0)
    assert "model.fp32.onnx" in made_of.graphs
    assert made.labels == LABELS
    assert np.isfinite(made.temperature)
