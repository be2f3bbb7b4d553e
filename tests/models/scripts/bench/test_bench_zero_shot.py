"""The zero-shot benchmark on a small shape: its counts are checked, its speed means nothing here."""

from __future__ import annotations

import os

import numpy as np
import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
torch = pytest.importorskip("torch", reason="the zero-shot benchmark needs torch: pip install '.[gpu]'")
pytest.importorskip("transformers", reason="the zero-shot benchmark needs transformers")

from torch.utils.flop_counter import FlopCounterMode  # noqa: E402
from transformers import XLMRobertaConfig, XLMRobertaForSequenceClassification  # noqa: E402

from scripts.bench.shapes import BGE_M3, Shape  # noqa: E402
from scripts.bench.zero_shot import matrix_peak, run  # noqa: E402
from shared.errors import ConfigurationError  # noqa: E402
from tests.support.tiny_models import CORPUS  # noqa: E402

SMALL = Shape(layers=2, hidden=32, heads=4, intermediate=64, vocabulary=600, positions=514)
TEXTS = [f"{number} {text}" for number in range(6) for text in CORPUS]


def test_the_figures_agree_with_each_other():
    figures = run([*TEXTS, *TEXTS, " "], 0.2, "cpu", shape=SMALL, tokens_per_batch=2_000, chunk=10)
    assert figures["texts"] == len(TEXTS), "identical and empty texts are left out"
    assert figures["categories"] == 9
    assert figures["pairs_per_second"] == pytest.approx(9 * figures["reviews_per_second"])
    assert figures["tokens_per_second"] == pytest.approx(
        figures["tokens_per_pair"] * figures["pairs_per_second"]
    )
    assert figures["share_of_peak"] == figures["flops_per_second"] / figures["peak_flops_per_second"]
    assert 0 < figures["share_of_peak"] < 1
    assert 0 <= figures["padding_share"] < 0.2
    assert figures["forwards_per_chunk"] > 1
    assert figures["dtype"] == "float32"
    assert figures["memory_bytes"] is None


@pytest.mark.parametrize("shape", [SMALL, Shape(3, 64, 4, 256, 50, 130)])
def test_the_formula_counts_what_torch_counts(shape: Shape):
    network = XLMRobertaForSequenceClassification(
        XLMRobertaConfig(**shape.config(), attn_implementation="eager")
    )
    pairs, tokens = 3, 100
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network.base_model(torch.full((pairs, tokens), 5))
    expected = shape.flops(np.full(pairs, tokens))
    # Eager mode multiplies nothing but the six products of a layer.
    assert counter.get_total_flops() == pytest.approx(expected, rel=1e-3)


def test_a_pair_of_forty_tokens_costs_bge_m3_some_24_gigaflop():
    assert BGE_M3.flops(np.array([40])) == pytest.approx(24.3e9, rel=0.01)


def test_the_peak_is_positive_and_of_one_size_if_so_asked():
    assert matrix_peak(torch.device("cpu"), torch.float32, sizes=(64,), seconds=0.01) > 1e6


def test_nothing_to_measure_is_an_error():
    with pytest.raises(ValueError, match="expected at least one text to measure with, found none"):
        run(["", "  "], 0.1, "cpu", shape=SMALL)


def test_a_device_that_is_not_there_is_an_error_before_anything_is_built():
    with pytest.raises(ConfigurationError, match="expected a device out of"):
        run(TEXTS, 0.1, "cuda:99", shape=SMALL)
