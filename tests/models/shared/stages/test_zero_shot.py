"""The zero-shot stage on tiny real models: agreement with transformers' pipeline, packing, limits, errors."""

from __future__ import annotations

import gc
import json
import os
import random
import shutil
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
torch = pytest.importorskip("torch", reason="the zero-shot stage needs torch: pip install '.[gpu]'")
transformers = pytest.importorskip("transformers", reason="the zero-shot stage needs transformers")

from shared.cascade.stage import verdicts  # noqa: E402
from shared.compute.device import device_for, dtype_for, out_of_memory  # noqa: E402
from shared.compute.packing import scored  # noqa: E402
from shared.errors import ConfigurationError  # noqa: E402
from shared.stages.zero_shot.stage import DEFAULT_MODEL, ZeroShotStage, hypotheses  # noqa: E402
from shared.taxonomy import Taxonomy, default_taxonomy  # noqa: E402
from tests.support import tiny_models  # noqa: E402
from tests.support.processes import printed  # noqa: E402
from tests.support.stage_contract import check_stage  # noqa: E402
from tests.support.tiny_models import LIMIT, THREE_WAY, TWO_WAY  # noqa: E402

SMALL = """
name: small
none_category: nothing
hypothesis: "Отзыв о товаре: {}."
categories:
  - {slug: clothes, title: Одежда, zero_shot_label: одежда и ткани}
  - {slug: shoes, title: Обувь}
  - {slug: electronics, title: Электроника, zero_shot_label: электроника}
  - {slug: nothing, title: Нет товара, zero_shot_label: отзыв без указания товара}
"""
WORDS = ("платье", "село", "отлично", "телефон", "ботинки", "жмут", "ткань", "швы", "продавец", "👟", "2025")

Rows = list[tuple[int, int]]


def reviews(count: int, seed: int = 3) -> list[str]:
    """Different texts of very different lengths."""
    draw = random.Random(seed)
    return [f"{i} " + " ".join(draw.choices(WORDS, k=draw.choice((1, 3, 8, 20)))) for i in range(count)]


@pytest.fixture(scope="module")
def taxonomy() -> Taxonomy:
    return Taxonomy.parse(SMALL)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    return {
        "two-way, no token types": tiny_models.xlm_roberta(root / "xlm-two", TWO_WAY),
        "three-way, no token types": tiny_models.xlm_roberta(root / "xlm-three", THREE_WAY),
        "two-way, token types": tiny_models.bert(root / "bert-two", TWO_WAY),
        "three-way, token types": tiny_models.bert(root / "bert-three", THREE_WAY),
    }


@pytest.fixture
def build(folders: dict[str, Path], taxonomy: Taxonomy) -> Callable[..., ZeroShotStage]:
    def built(kind: str = "two-way, no token types", **arguments: Any) -> ZeroShotStage:
        return ZeroShotStage(taxonomy, folders[kind], device="cpu", **arguments)

    return built


KINDS = pytest.mark.parametrize(
    "kind",
    [
        "two-way, no token types",
        "three-way, no token types",
        "two-way, token types",
        "three-way, token types",
    ],
)


@contextmanager
def before_each_pass(stage: ZeroShotStage, look: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    """`look` gets the inputs of every forward pass while the block runs."""

    def hook(_module: Any, _args: Any, inputs: dict[str, Any]) -> None:
        look(inputs)

    handle = stage.nli.network.register_forward_pre_hook(hook, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def forward_shapes(stage: ZeroShotStage) -> Iterator[Rows]:
    """Rows and width of every forward pass while the block runs."""
    shapes: Rows = []
    with before_each_pass(stage, lambda inputs: shapes.append(tuple(inputs["input_ids"].shape))):
        yield shapes


@contextmanager
def memory_for(stage: ZeroShotStage, tokens: int) -> Iterator[Rows]:
    """A device with room for so many tokens: a larger forward pass raises what torch raises then."""
    done: Rows = []

    def refuse(inputs: dict[str, Any]) -> None:
        rows, width = inputs["input_ids"].shape
        if rows * width > tokens:
            raise torch.OutOfMemoryError(f"Tried to allocate {rows} x {width}")
        done.append((rows, width))

    with before_each_pass(stage, refuse):
        yield done


def by_pipeline(folder: Path, taxonomy: Taxonomy, texts: list[str]) -> np.ndarray:
    """What transformers' own pipeline answers, one pair at a time; shape [texts, categories]."""
    pipe = transformers.pipeline("zero-shot-classification", model=str(folder), device="cpu")
    labels = [category.zero_shot_label or category.title for category in taxonomy.categories]
    answers = pipe(texts, candidate_labels=labels, hypothesis_template=taxonomy.hypothesis)
    return np.array(
        [[dict(zip(a["labels"], a["scores"], strict=True))[one] for one in labels] for a in answers]
    )


@KINDS
def test_every_score_is_that_of_the_pipeline(
    kind: str, folders: dict[str, Path], taxonomy: Taxonomy, build: Callable[..., ZeroShotStage]
):
    texts = [
        *reviews(40),
        "  Платье,  телефон! ",
        "\ud83d\udc5f ботинки".encode("utf-16", "surrogatepass").decode("utf-16"),
    ]
    expected = by_pipeline(folders[kind], taxonomy, texts)
    assert expected.std(axis=0).max() > 0.01, "the model tells these texts apart"
    ours = build(kind, tokens_per_batch=500).probabilities(texts)
    np.testing.assert_allclose(ours, expected, atol=1e-4)


@KINDS
def test_a_text_beyond_the_limit_is_cut_as_the_pipeline_cuts_it(
    kind: str, folders: dict[str, Path], taxonomy: Taxonomy, build: Callable[..., ZeroShotStage]
):
    texts = ["платье село отлично " * 200, "телефон " * 60 + "ботинки", "ткань " * 25]
    stage = build(kind)
    assert stage.nli.limit == LIMIT
    with forward_shapes(stage) as shapes:
        ours = stage.probabilities(texts)
    assert max(width for _, width in shapes) == LIMIT
    np.testing.assert_allclose(ours, by_pipeline(folders[kind], taxonomy, texts), atol=1e-4)


@KINDS
def test_the_stage_keeps_the_promises_of_every_stage(
    kind: str, taxonomy: Taxonomy, build: Callable[..., ZeroShotStage]
):
    check_stage(build(kind, tokens_per_batch=700), taxonomy, tuple(reviews(30)))


def test_the_verdict_is_the_most_probable_category_and_shows_the_best_three(
    build: Callable[..., ZeroShotStage],
):
    stage, texts = build(), reviews(10)
    for row, verdict in zip(stage.probabilities(texts), verdicts(stage, texts), strict=True):
        assert verdict is not None
        assert row.sum() == pytest.approx(1.0)
        assert verdict.category == stage.slugs[row.argmax()]
        assert verdict.confidence == pytest.approx(row.max())
        assert isinstance(verdict.evidence, Mapping)
        shown = verdict.evidence["probabilities"]
        assert list(shown.values()) == sorted(np.round(row, 4), reverse=True)[:3]
        assert next(iter(shown)) == verdict.category


def test_the_order_of_answers_is_the_order_of_texts(build: Callable[..., ZeroShotStage]):
    stage, texts = build(tokens_per_batch=200), reviews(25)
    together = stage.probabilities(texts)
    alone = np.concatenate([stage.probabilities([text]) for text in texts])
    assert len(np.unique(alone.round(6), axis=0)) == len(texts), "each text has an answer of its own"
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_identical_texts_are_scored_once(build: Callable[..., ZeroShotStage]):
    stage, texts = build(), reviews(5)
    with forward_shapes(stage) as shapes:
        found = verdicts(stage, [*texts, *texts[::-1], texts[0]])
    assert sum(rows for rows, _ in shapes) == len(texts) * len(stage.slugs)
    assert found[:5] == found[9:4:-1]
    assert found[10] == found[0]


@pytest.mark.parametrize("budget", [1, 64, 200, 1000, 100_000])
def test_no_forward_pass_exceeds_the_token_budget(budget: int, build: Callable[..., ZeroShotStage]):
    stage = build(tokens_per_batch=budget)
    with forward_shapes(stage) as shapes:
        verdicts(stage, reviews(30))
    assert all(rows * width <= budget or rows == 1 for rows, width in shapes)
    assert sum(rows for rows, _ in shapes) == 30 * len(stage.slugs)
    if budget == 100_000:
        assert len(shapes) == 1


def test_pairs_of_like_length_go_together_so_that_little_is_padding(build: Callable[..., ZeroShotStage]):
    stage, texts = build(tokens_per_batch=1500), reviews(80)
    with forward_shapes(stage) as shapes:
        verdicts(stage, texts)
    needed = stage.tokens(texts).sum()
    assert sum(rows * width for rows, width in shapes) < 1.15 * needed


def test_tokens_tells_what_the_network_gets(build: Callable[..., ZeroShotStage]):
    stage = build(tokens_per_batch=1)
    texts = ["телефон", "платье " * 300]
    with forward_shapes(stage) as shapes:
        verdicts(stage, texts)
    assert sorted(width for _, width in shapes) == sorted(stage.tokens(texts).ravel().tolist())
    assert stage.tokens(["", "\t"]).tolist() == [[0] * 4] * 2
    assert stage.tokens([]).shape == (0, 4)


def test_the_limit_can_be_set_below_the_models_own_and_never_above(build: Callable[..., ZeroShotStage]):
    long = ["платье " * 300]
    assert build(max_tokens=40).tokens(long).max() == 40
    assert build(max_tokens=10_000).tokens(long).max() == LIMIT


@pytest.mark.parametrize("make", [tiny_models.xlm_roberta, tiny_models.bert])
def test_a_tokenizer_without_a_limit_leaves_that_of_the_positions(
    make: Callable[[Path], Path], taxonomy: Taxonomy, tmp_path: Path
):
    folder = make(tmp_path / "model")
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings["model_max_length"] = int(1e30)
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    stage = ZeroShotStage(taxonomy, folder, device="cpu")
    assert stage.nli.limit == LIMIT
    assert verdicts(stage, ["платье " * 300]) != [None]


def test_token_types_reach_a_model_that_has_them(build: Callable[..., ZeroShotStage]):
    stage, types = build("three-way, token types"), []
    with before_each_pass(stage, lambda inputs: types.append(inputs["token_type_ids"])):
        verdicts(stage, ["платье"])
    assert set(types[0].unique().tolist()) == {0, 1}


def test_a_text_without_a_token_is_left_to_the_next_stage(build: Callable[..., ZeroShotStage]):
    stage = build("two-way, token types")
    with forward_shapes(stage) as shapes:
        assert verdicts(stage, ["", " \n\t", "\0"]) == [None, None, None]
    assert shapes == []


@KINDS
def test_any_string_is_survived(kind: str, build: Callable[..., ZeroShotStage]):
    texts = [
        "\udfff\ud800",
        "пла\ud800тье",
        "\0",
        "a\0b",
        "я" * 1_000_000,
        "платье " * 150_000,
        "\U0010ffff" * 9,
    ]
    assert len(verdicts(build(kind), texts)) == len(texts)


def test_a_broken_character_counts_as_unknown_and_leaves_its_neighbours_alone(
    build: Callable[..., ZeroShotStage],
):
    stage = build()
    broken, plain = stage.probabilities(["платье \ud800 село", "платье село"])
    np.testing.assert_allclose(broken, stage.probabilities(["платье \ufffd село"])[0], atol=1e-6)
    np.testing.assert_allclose(plain, stage.probabilities(["платье село"])[0], atol=1e-5)


def test_when_memory_runs_out_smaller_batches_give_the_same_answers(build: Callable[..., ZeroShotStage]):
    stage, texts = build(), reviews(30)
    expected = stage.probabilities(texts)
    with memory_for(stage, 300) as done:
        np.testing.assert_allclose(stage.probabilities(texts), expected, atol=1e-5)
    assert sum(rows for rows, _ in done) == len(expected) * len(stage.slugs)
    assert len(done) > 10


def test_a_single_pair_without_memory_is_a_memory_error(build: Callable[..., ZeroShotStage]):
    stage = build()
    with (
        memory_for(stage, 10),
        pytest.raises(MemoryError, match=r"expected memory for one text of \d+ tokens"),
    ):
        verdicts(stage, reviews(3))
    assert None not in verdicts(stage, reviews(3)), "the stage works on when there is memory again"


def test_nothing_of_a_batch_that_did_not_fit_stays_in_memory(build: Callable[..., ZeroShotStage]):
    stage = build()
    inputs: list[Any] = []

    def refuse(given: dict[str, Any]) -> None:
        gc.collect()
        assert all(reference() is None for reference in inputs)
        inputs.append(weakref.ref(given["input_ids"]))
        if len(inputs) < 4:
            raise torch.OutOfMemoryError

    with before_each_pass(stage, refuse):
        verdicts(stage, reviews(8))
    assert len(inputs) > 4


def test_an_error_that_is_not_about_memory_is_not_swallowed(build: Callable[..., ZeroShotStage]):
    stage = build()

    def fail(_inputs: dict[str, Any]) -> None:
        raise RuntimeError("expected all tensors on the same device")

    with before_each_pass(stage, fail), pytest.raises(RuntimeError, match="same device"):
        verdicts(stage, ["платье"])


def test_the_lack_of_memory_is_known_by_torchs_own_words():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert out_of_memory(caught.value)
    assert out_of_memory(MemoryError())
    assert not out_of_memory(RuntimeError("shapes differ"))


def test_halving_keeps_the_order_longest_first_and_scores_each_row_once():
    lengths = np.array([3, 9, 1, 9, 5, 2, 2, 7])
    tried: Rows = []

    def score(rows: np.ndarray) -> list[int] | None:
        tried.append((len(rows), int(lengths[rows].max())))
        return rows.tolist() if len(rows) * lengths[rows].max() <= 18 else None

    batches = [answer for _, answer in scored(lengths, 80, score)]
    assert batches == [[1, 3], [7, 4], [0, 5, 6, 2]]
    assert tried == [(8, 9), (4, 9), (2, 9), (2, 7), (4, 3)]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_overflow_make_the_stage_abstain(build: Callable[..., ZeroShotStage], value: float):
    stage = build()

    def overflow(_module: Any, _args: Any, output: Any) -> Any:
        output.logits[:] = value
        return output

    handle = stage.nli.network.register_forward_hook(overflow)
    assert verdicts(stage, ["платье"]) == [None]
    handle.remove()


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_gives_nearly_the_same_probabilities(dtype: str, build: Callable[..., ZeroShotStage]):
    texts = reviews(10)
    half, full = build(dtype=dtype), build()
    assert next(half.nli.network.parameters()).dtype == getattr(torch, dtype)
    np.testing.assert_allclose(half.probabilities(texts), full.probabilities(texts), atol=0.15)
    assert half.model == full.model


def test_on_a_cpu_the_numbers_are_float32_by_default(build: Callable[..., ZeroShotStage]):
    assert dtype_for("auto", device_for("cpu")) == torch.float32
    assert next(build().nli.network.parameters()).dtype == torch.float32


def test_the_label_is_the_one_for_zero_shot_or_else_the_title():
    assert hypotheses(Taxonomy.parse(SMALL)) == {
        "clothes": "Отзыв о товаре: одежда и ткани.",
        "shoes": "Отзыв о товаре: Обувь.",
        "electronics": "Отзыв о товаре: электроника.",
        "nothing": "Отзыв о товаре: отзыв без указания товара.",
    }


def test_the_none_category_takes_part_only_with_a_label_of_its_own():
    silent = Taxonomy.parse(SMALL.replace(", zero_shot_label: отзыв без указания товара", ""))
    assert list(hypotheses(silent)) == ["clothes", "shoes", "electronics"]
    assert list(hypotheses(default_taxonomy())) == list(default_taxonomy().slugs)


def test_braces_in_labels_and_templates_are_only_text():
    odd = SMALL.replace("Отзыв о товаре: {}.", "{0} {} {x}").replace("электроника}", "'{}'}")
    assert hypotheses(Taxonomy.parse(odd))["electronics"] == "{0} {} {x}"


def test_the_model_is_told_by_folder_and_content(
    folders: dict[str, Path], taxonomy: Taxonomy, build: Callable[..., ZeroShotStage], tmp_path: Path
):
    first = build()
    assert first.model.startswith("xlm-two@")
    assert first.model == build(tokens_per_batch=5).model
    other = shutil.copytree(folders["two-way, no token types"], tmp_path / "xlm-two")
    assert ZeroShotStage(taxonomy, other).model == first.model, "the same files elsewhere"
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "layer_norm_eps": 0.5}))
    assert ZeroShotStage(taxonomy, other).model != first.model


def test_a_hub_model_that_cannot_be_fetched_is_explained(
    taxonomy: Taxonomy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # Neither asked for, which with a network would fetch it, nor found where this machine keeps such models.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    sentence = (
        rf"{DEFAULT_MODEL}: expected an NLI model for sequence classification with safetensors weights, found: "
        r".*Check the name or folder and the revision; without a network, name a folder or fill the hub's cache"
    )
    with pytest.raises(ConfigurationError, match=sentence):
        ZeroShotStage(taxonomy)


def test_a_missing_folder_is_explained(taxonomy: Taxonomy, tmp_path: Path):
    with pytest.raises(ConfigurationError, match=r"found: no such folder. Check the name or folder"):
        ZeroShotStage(taxonomy, tmp_path / "nowhere")


def test_an_empty_folder_is_explained(taxonomy: Taxonomy, tmp_path: Path):
    with pytest.raises(ConfigurationError, match="expected an NLI model"):
        ZeroShotStage(taxonomy, tmp_path)


def test_pickled_weights_are_refused(taxonomy: Taxonomy, tmp_path: Path):
    folder = tiny_models.xlm_roberta(tmp_path / "model")
    network = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
    (folder / "model.safetensors").unlink()
    torch.save(network.state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(ConfigurationError, match=r"safetensors weights, found: .*model.safetensors"):
        ZeroShotStage(taxonomy, folder)


def test_truncated_weights_are_explained(taxonomy: Taxonomy, tmp_path: Path):
    folder = tiny_models.xlm_roberta(tmp_path / "model")
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(ConfigurationError, match="expected an NLI model"):
        ZeroShotStage(taxonomy, folder)


def test_a_model_without_an_entailment_label_is_refused(taxonomy: Taxonomy, tmp_path: Path):
    folder = tiny_models.xlm_roberta(tmp_path / "model", {"negative": 0, "positive": 1})
    sentence = "expected a label that begins with 'entail', found 'negative', 'positive'. Choose an NLI model"
    with pytest.raises(ConfigurationError, match=sentence):
        ZeroShotStage(taxonomy, folder)


def test_a_bare_encoder_is_refused_rather_than_given_a_random_head(taxonomy: Taxonomy, tmp_path: Path):
    folder = tiny_models.xlm_roberta(tmp_path / "model")
    network = transformers.AutoModelForSequenceClassification.from_pretrained(folder)
    network.base_model.save_pretrained(folder)
    with pytest.raises(ConfigurationError, match="found none for classifier"):
        ZeroShotStage(taxonomy, folder)


def test_a_tokenizer_without_padding_is_refused(taxonomy: Taxonomy, tmp_path: Path):
    folder = tiny_models.bert(tmp_path / "model")
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings.pop("pad_token")
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(ConfigurationError, match="expected a tokenizer with a padding token, found none"):
        ZeroShotStage(taxonomy, folder)


def test_code_that_comes_with_a_model_is_never_run(taxonomy: Taxonomy, tmp_path: Path):
    folder = tiny_models.bert(tmp_path / "model")
    trap, code = tmp_path / "ran", folder / "trap.py"
    code.write_text(f"open({str(trap)!r}, 'w')\nclass Trap: pass\n")
    config = json.loads((folder / "config.json").read_text())
    config |= {
        "model_type": "trap",
        "auto_map": {
            "AutoConfig": "trap.Trap",
            "AutoModelForSequenceClassification": "trap.Trap",
        },
    }
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigurationError, match="expected an NLI model"):
        ZeroShotStage(taxonomy, folder)
    assert not trap.exists()


def test_a_taxonomy_with_one_category_leaves_nothing_to_choose(folders: dict[str, Path]):
    lonely = Taxonomy.parse("name: one\ncategories: [{slug: a, title: А}]")
    with pytest.raises(ConfigurationError, match="expected at least two categories to choose from, found 1"):
        ZeroShotStage(lonely, folders["two-way, token types"])


def test_sentences_that_fill_the_limit_are_refused(build: Callable[..., ZeroShotStage]):
    with pytest.raises(ConfigurationError, match="leave room for a text in 10 tokens, found one of"):
        build(max_tokens=10)


@pytest.mark.parametrize("arguments", [{"tokens_per_batch": 0}, {"max_tokens": 0}])
def test_a_budget_of_nothing_is_refused(arguments: dict[str, int], build: Callable[..., ZeroShotStage]):
    with pytest.raises(ConfigurationError, match="expected tokens_per_batch and max_tokens of at least 1"):
        build(**arguments)


@pytest.mark.parametrize("device", ["tpu", "cuda:99", "", "CPU"])
def test_a_device_that_is_not_there_is_named(device: str):
    with pytest.raises(ConfigurationError, match=rf"expected a device out of auto, .*cpu; found '{device}'"):
        device_for(device)


def test_an_unknown_dtype_is_named():
    sentence = "expected a dtype out of auto, float32, bfloat16, float16; found 'int8'"
    with pytest.raises(ConfigurationError, match=sentence):
        dtype_for("int8", device_for("cpu"))


def test_importing_the_stage_imports_nothing_of_torch():
    code = (
        "import sys, shared.stages.zero_shot\n"
        "print([name for name in ('torch', 'transformers', 'tokenizers') if name in sys.modules])"
    )
    assert printed(code) == "[]"
