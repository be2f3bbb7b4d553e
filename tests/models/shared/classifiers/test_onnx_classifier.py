"""The runtime that serves, against the torch model it came from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed: `make models`")

import torch

from shared.classifiers import OnnxClassifier, softmax
from shared.classifiers.onnx_classifier import Tokens
from shared.classifiers.packaging import export, quantising
from shared.classifiers.packaging.first_token import first_token_only
from shared.classifiers.packaging.logits import Logits, torch_logits
from shared.errors import InvalidAnswer, ModelError
from tests.support import tiny_classifier
from tests.support.once import once
from tests.support.processes import printed
from tests.support.tiny_classifier import LABELS, TEXTS

MAX_TOKENS = 32


class Fixture:
    """A network, its tokenizer and what was exported of it."""

    def __init__(self, path: Path, family: str) -> None:
        self.folder = tiny_classifier.folder(path, family=family)
        self.network = Logits(tiny_classifier.network(self.folder))
        self.tokenizer = tiny_classifier.tokenizer(self.folder)
        self.exported = export.export(
            self.network, self.tokenizer, LABELS, TEXTS, max_tokens=MAX_TOKENS, temperature=2.0
        )

    @property
    def graph(self) -> bytes:
        """The exported graph in fp32."""
        return self.exported.graphs["model.fp32.onnx"]

    def classifier(self, precision: str = "fp32", **options: int) -> OnnxClassifier:
        graph = self.exported.graphs[f"model.{precision}.onnx"]
        return OnnxClassifier(
            graph, self.tokenizer, LABELS, max_tokens=MAX_TOKENS, temperature=2.0, **options
        )


@pytest.fixture(scope="module", params=["bert", "xlm_roberta"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Fixture:
    return once(tmp_path_factory, f"exported-{request.param}", lambda folder: Fixture(folder, request.param))


def test_probabilities_are_those_of_the_torch_model_whatever_batches_are_made(made: Fixture) -> None:
    texts = [*TEXTS, "Платье", "а", " ".join(TEXTS)]
    ids, _ = made.classifier().tokens(texts)
    alone = np.concatenate([torch_logits(made.network, [one]) for one in ids])
    for tokens_per_batch in (1, 100, 100_000):
        found = made.classifier(tokens_per_batch=tokens_per_batch).predict(texts).probabilities
        np.testing.assert_allclose(found, softmax(alone, 2.0), atol=2e-5)
        np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-5)


def test_answers_come_in_the_order_of_texts_and_equal_texts_get_equal_ones(made: Fixture) -> None:
    texts = ["Телефон приехал разбитым", "Платье село отлично, ткань приятная", "Телефон приехал разбитым"]
    shares = made.classifier().predict(texts).probabilities
    assert (shares[0] == shares[2]).all()
    for place, text in enumerate(texts):
        np.testing.assert_allclose(
            made.classifier().predict([text]).probabilities[0], shares[place], atol=2e-5
        )


def test_a_text_longer_than_the_model_reads_is_cut_and_flagged(made: Fixture) -> None:
    long = " ".join(TEXTS[:10])
    found = made.classifier().predict([long, "Платье", long + " и ещё слова"])
    assert found.truncated.tolist() == [True, False, True]
    np.testing.assert_allclose(found.probabilities[0], found.probabilities[2], atol=2e-5)


def test_no_texts_are_no_answers(made: Fixture) -> None:
    found = made.classifier().predict([])
    assert found.probabilities.shape == (0, len(LABELS))
    assert found.truncated.shape == (0,)


def test_any_text_gets_an_answer(made: Fixture) -> None:
    odd = ["", " ", "👗" * 500, "\x00", "\u202e", "а" * 20_000, "𝕏\n\t\r"]
    assert np.isfinite(made.classifier().predict(odd).probabilities).all()


def test_what_is_no_number_is_an_error_of_the_batch(made: Fixture) -> None:
    served = OnnxClassifier(with_nan(made.graph), made.tokenizer, LABELS, max_tokens=MAX_TOKENS)
    with pytest.raises(InvalidAnswer, match="expected finite logits"):
        served.predict(TEXTS[:3])


def test_a_graph_with_another_number_of_logits_than_labels_is_refused(made: Fixture) -> None:
    served = OnnxClassifier(made.graph, made.tokenizer, (*LABELS, "one_more"), max_tokens=MAX_TOKENS)
    with pytest.raises(ModelError, match=r"expected logits of shape \(1, 5\), found \(1, 4\)"):
        served.predict(TEXTS[:1])


def test_files_that_are_no_graph_or_no_tokenizer_are_refused(made: Fixture) -> None:
    with pytest.raises(ModelError, match="expected one that ONNX Runtime can load"):
        OnnxClassifier(made.graph[:1000], made.tokenizer, LABELS, max_tokens=MAX_TOKENS)
    with pytest.raises(ModelError, match="expected a tokenizer of the library tokenizers"):
        OnnxClassifier(made.graph, b"{}", LABELS, max_tokens=MAX_TOKENS)


# Export


def test_the_graph_computes_what_torch_does_and_the_model_is_left_as_it_was(made: Fixture) -> None:
    assert made.exported.export.fp32.same == 1.0
    assert made.exported.export.fp32.difference < 1e-4
    assert type(made.network.model.base_model.encoder.layer[-1]).__name__ in ("BertLayer", "XLMRobertaLayer")
    assert made.network.model.config._attn_implementation == "sdpa"


def test_the_last_layer_computes_the_first_token_only_where_the_head_reads_no_other(made: Fixture) -> None:
    model = made.network.model
    ids, _ = made.classifier().tokens(TEXTS[:4])
    model.set_attn_implementation("eager")
    before = torch_logits(made.network, ids)
    with first_token_only(model) as shortened:
        assert shortened
        assert model.base_model(torch.ones(2, 5, dtype=torch.long))[0].shape[1] == 1
        np.testing.assert_allclose(torch_logits(made.network, ids), before, atol=1e-5)

    class Mean(torch.nn.Module):
        """A head that reads all tokens."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model.base_model
            self.head = torch.nn.Linear(32, len(LABELS))

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            hidden = self.model(input_ids=input_ids, attention_mask=attention_mask)[0]
            mask = attention_mask.unsqueeze(-1)
            answer: torch.Tensor = self.head((hidden * mask).sum(1) / mask.sum(1))
            return answer

    torch.manual_seed(3)
    found = export.export(Mean(), made.tokenizer, LABELS, TEXTS[:40], max_tokens=MAX_TOKENS)
    assert found.export.fp32.same == 1.0


def test_int8_serves_where_it_names_the_same_categories(made: Fixture) -> None:
    export_ = made.exported.export
    assert export_.int8 is not None
    assert (made.exported.precision == "int8") == (export_.int8.same >= export.LEAST_SAME)
    assert bool(export_.fallback) == (made.exported.precision == "fp32")
    assert len(made.exported.graphs["model.int8.onnx"]) < len(made.exported.graphs["model.fp32.onnx"])


def test_fp32_serves_and_says_why_where_int8_differs_or_fails(made: Fixture, monkeypatch) -> None:
    def again() -> export.Exported:
        return export.export(made.network, made.tokenizer, LABELS, TEXTS[:20], max_tokens=MAX_TOKENS)

    monkeypatch.setattr(export, "to_onnx", lambda *_: [made.graph])  # what it would make, and has made
    monkeypatch.setattr(export, "LEAST_SAME", 1.0)
    real = quantising.quantised
    monkeypatch.setattr(export, "quantised", lambda graph: wrong_way_round(real(graph)))
    found = again()
    assert found.precision == "fp32"
    assert "int8 names the same category for" in found.export.fallback

    def fails(graph: bytes) -> bytes:
        raise RuntimeError("no such operator")

    monkeypatch.setattr(export, "quantised", fails)
    found = again()
    assert (found.precision, found.export.int8) == ("fp32", None)
    assert found.export.fallback == "int8 failed: RuntimeError: no such operator"
    assert list(found.graphs) == ["model.fp32.onnx"]


def test_what_is_called_int8_has_no_weight_of_a_size_in_float(made: Fixture, monkeypatch) -> None:
    left = quantising.left_in_float(made.graph)
    assert left.keys() == {"Gather", "MatMul", "Gemm"}
    assert quantising.left_in_float(made.exported.graphs["model.int8.onnx"]) == {}

    monkeypatch.setattr(export, "to_onnx", lambda *_: [made.graph])
    monkeypatch.setattr(export, "quantised", lambda graph: graph)
    found = export.export(made.network, made.tokenizer, LABELS, TEXTS[:20], max_tokens=MAX_TOKENS)
    assert (found.precision, found.export.int8, list(found.graphs)) == ("fp32", None, ["model.fp32.onnx"])
    told = ", ".join(f"{left[kind]:,} of {kind}" for kind in sorted(left))
    assert found.export.fallback == f"int8 leaves weights in float ({told})"


def with_nan(graph: bytes) -> bytes:
    """A graph with a number of its last weights that is none."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load_from_string(graph)
    floats = [one for one in model.graph.initializer if one.data_type == onnx.TensorProto.FLOAT]
    last = next(one for one in floats if one.dims[:1] == [len(LABELS)])
    broken = numpy_helper.to_array(last).copy()
    broken.flat[0] = float("nan")
    last.CopyFrom(numpy_helper.from_array(broken, last.name))
    return model.SerializeToString()


def wrong_way_round(graph: bytes) -> bytes:
    """A graph whose logits have the other sign."""
    import onnx

    model = onnx.load_from_string(graph)
    for node in model.graph.node:
        for place, name in enumerate(node.output):
            if name == "logits":
                node.output[place] = "logits_before"
    model.graph.node.append(onnx.helper.make_node("Neg", ["logits_before"], ["logits"]))
    return model.SerializeToString()


def test_a_model_whose_graph_computes_something_else_is_refused(made: Fixture, monkeypatch) -> None:
    monkeypatch.setattr(export, "to_onnx", lambda *_: [wrong_way_round(made.graph)])
    with pytest.raises(ModelError, match="expected a graph that computes what the model does"):
        export.export(made.network, made.tokenizer, LABELS, TEXTS[:20], max_tokens=MAX_TOKENS)


class Recurrent(torch.nn.Module):
    """Embeddings, an LSTM, and what its last layer says of the largest of all places."""

    def __init__(self, words: int, size: int = 8) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.embedding = torch.nn.Embedding(words, size)
        self.lstm = torch.nn.LSTM(size, size, batch_first=True)
        self.head = torch.nn.Linear(size, len(LABELS))

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        read = self.lstm(self.embedding(input_ids))[0] - 3 * (1 - attention_mask[..., None].float())
        answer: torch.Tensor = self.head(read.amax(dim=1))
        return answer


def test_every_lstm_that_a_process_exports_reads_texts_of_any_length(tmp_path: Path) -> None:
    tokenizer = tiny_classifier.tokenizer(tiny_classifier.folder(tmp_path))
    words = Tokens(tokenizer, MAX_TOKENS).last_id + 1
    for texts in (TEXTS[:9], ["Платье", *["Телефон"] * 8]):
        found = export.export(Recurrent(words), tokenizer, LABELS, texts, max_tokens=MAX_TOKENS)
        assert found.export.fp32.difference < 1e-4


def test_without_texts_to_compare_on_nothing_is_exported(made: Fixture) -> None:
    with pytest.raises(ModelError, match="expected texts to compare the graphs on"):
        export.export(made.network, made.tokenizer, LABELS, [], max_tokens=MAX_TOKENS)


def test_a_network_that_cannot_be_exported_is_refused_in_one_line(made: Fixture) -> None:
    class Branching(torch.nn.Module):
        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            weight = 1.0 if float(input_ids.sum()) > 3 else 2.0
            return weight * input_ids[:, :4].float() * attention_mask[:, :1]

    with pytest.raises(
        ModelError, match=r"expected a network that torch.onnx can export, found: \w+"
    ) as error:
        export.export(Branching(), made.tokenizer, LABELS, TEXTS[:20], max_tokens=MAX_TOKENS)
    assert "\n" not in str(error.value)


def test_serving_needs_no_torch() -> None:
    code = (
        "import sys, shared.classifiers; "
        "print(sorted({'torch', 'transformers', 'onnx', 'scipy', 'sklearn', 'pandas'} & sys.modules.keys()))"
    )
    assert printed(code) == "[]"
