"""The local backend on a tiny real model: equal to the plain forward pass, whatever is cached or batched."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import structlog

from shared.errors import InvalidAnswer, ModelError, ModelUnavailable
from shared.stages.llm import Choice, ChoiceOrError, LlmStage, PromptWriter
from shared.stages.llm.local import LocalModel
from shared.stages.llm.prompt import Prompt
from shared.taxonomy import default_taxonomy
from tests.support.processes import printed
from tests.support.stage_contract import check_stage
from tests.support.tiny_llm import save_tiny_llm, without_template

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

WRITER = PromptWriter(default_taxonomy(), category_examples=1)
CYRILLIC = {"A": "А", "B": "В", "C": "С", "E": "Е", "H": "Н"}
"""Letters that look the same, and count as the same."""
TEXTS = [
    "Платье",
    "Кроссовки натирают, подошва скользит, вернула на следующий день, деньги пока не пришли",
    "Чайник",
    "Отлично! " * 40,
    "Ребёнку понравилось, " + "играет каждый день " * 10,
    "Шторы плотные",
    "😀",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_llm(tmp_path_factory.mktemp("llm"))


@pytest.fixture(scope="module", autouse=True)
def _offline() -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.setenv("HF_HUB_OFFLINE", "1")
    yield
    patch.undo()


@pytest.fixture
def model(folder: Path) -> LocalModel:
    return LocalModel(str(folder), device="cpu")


def prompts(texts: list[str], writer: PromptWriter = WRITER) -> list[Prompt]:
    return [prompt for prompt in map(writer.write, texts) if prompt]


@cache
def loaded(folder: Path) -> tuple[Any, Any]:
    network = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    return transformers.AutoTokenizer.from_pretrained(folder), network.eval()


def plain(folder: Path, prompt: Prompt, options: tuple[str, ...] = WRITER.options) -> dict[str, float]:
    """Log-probabilities by option from one forward pass over the whole prompt, without any cache or padding."""
    tokenizer, network = loaded(folder)
    text = tokenizer.apply_chat_template(
        prompt.messages, tokenize=False, add_generation_prompt=True, enable_thinking=False
    )
    ids = tokenizer(text, return_tensors="pt", add_special_tokens=False).input_ids
    with torch.inference_mode():
        logprobs = network(ids, use_cache=False).logits[0, -1].log_softmax(-1)
    found = {}
    for option in options:
        letters = {option, CYRILLIC.get(option, option)}
        spelt = [space + letter for letter in letters for space in ("", " ")]
        tokens = [tokenizer.encode(spelling, add_special_tokens=False) for spelling in spelt]
        single = [token[0] for token in tokens if len(token) == 1]
        found[option] = torch.logsumexp(logprobs[single], 0).item()
    return found


def check_plain(outcome: ChoiceOrError, expected: dict[str, float]) -> None:
    assert isinstance(outcome, Choice), outcome
    assert outcome.logprobs == pytest.approx(expected, abs=1e-4)
    assert outcome.option == max(expected, key=expected.__getitem__)


def test_a_batch_over_the_shared_prefix_equals_the_plain_forward_pass(
    folder: Path, model: LocalModel
) -> None:
    batch = prompts(TEXTS)
    expected = [plain(folder, prompt) for prompt in batch]
    assert len({max(one, key=one.__getitem__) for one in expected}) > 1, "the model does read the review"
    for _ in range(2):
        for outcome, one in zip(model.choose(batch, WRITER.options), expected, strict=True):
            check_plain(outcome, one)
    for prompt, one in zip(batch, expected, strict=True):
        check_plain(model.choose([prompt], WRITER.options)[0], one)


@pytest.mark.parametrize("limits", [{"batch_rows": 1}, {"batch_rows": 3}, {"batch_tokens": 150}])
def test_limits_of_a_batch_change_no_answer(folder: Path, limits: dict[str, Any]) -> None:
    batch = prompts(TEXTS)
    outcomes = LocalModel(str(folder), device="cpu", **limits).choose(batch, WRITER.options)
    for outcome, prompt in zip(outcomes, batch, strict=True):
        check_plain(outcome, plain(folder, prompt))


def test_prompts_with_different_beginnings_share_a_batch(folder: Path, model: LocalModel) -> None:
    other = PromptWriter(default_taxonomy(), category_examples=0)
    mixed = [*prompts(TEXTS[:2]), *prompts(TEXTS[1:3], other), *prompts(TEXTS[3:4])]
    for outcome, prompt in zip(model.choose(mixed, WRITER.options), mixed, strict=True):
        check_plain(outcome, plain(folder, prompt))


def test_a_prompt_whose_first_letters_join_the_prefix_goes_the_long_way(
    folder: Path, model: LocalModel
) -> None:
    # The chat format ends the prefix with a line break, which this tokenizer joins with another one.
    odd = [Prompt("одна система", user) for user in ("а", "\n\nб", "<отзыв>")]
    prefix = model._prefix_of("одна система").tokens
    assert [model._tokens(prompt)[: len(prefix)] == prefix for prompt in odd] == [True, False, True]
    for outcome, prompt in zip(model.choose(odd, WRITER.options), odd, strict=True):
        check_plain(outcome, plain(folder, prompt))


def test_the_prefix_is_computed_once(model: LocalModel) -> None:
    lengths: list[int] = []

    def hook(module: Any, args: Any, kwargs: Any) -> None:
        lengths.append(kwargs["input_ids"].shape[1])

    model._network.register_forward_pre_hook(hook, with_kwargs=True)
    batch = prompts(["Платье", "Тапки"])
    model.choose(batch, WRITER.options)
    model.choose(batch, WRITER.options)
    prefix, *rest = lengths
    assert prefix > 300
    assert len(rest) == 2
    assert max(rest) < 100


def test_tokens_of_the_whole_prompt_are_counted(folder: Path, model: LocalModel) -> None:
    outcome = model.choose(prompts(["Платье"]), WRITER.options)[0]
    assert isinstance(outcome, Choice)
    assert outcome.tokens_in == len(model._tokens(prompts(["Платье"])[0]))
    assert outcome.tokens_out == 0


def test_the_stage_keeps_the_contract(model: LocalModel) -> None:
    writer = PromptWriter(default_taxonomy(), category_examples=0, max_chars=100)
    stage = LlmStage(default_taxonomy(), model, writer=writer)
    check_stage(stage, default_taxonomy(), ("Платье село по фигуре", "Чайник"))
    assert stage.model.startswith("llm/1:")


def out_of_memory_above(model: LocalModel, rows: int) -> None:
    """Makes PyTorch run out of memory for more than `rows` rows."""

    def hook(module: Any, args: Any, kwargs: Any) -> None:
        if kwargs["input_ids"].shape[0] > rows:
            raise torch.OutOfMemoryError("CUDA out of memory")

    model._network.register_forward_pre_hook(hook, with_kwargs=True)


def test_out_of_memory_halves_the_batch_and_goes_on(folder: Path, model: LocalModel) -> None:
    batch = prompts(TEXTS)
    out_of_memory_above(model, 2)
    with structlog.testing.capture_logs() as lines:
        outcomes = model.choose(batch, WRITER.options)
    for outcome, prompt in zip(outcomes, batch, strict=True):
        check_plain(outcome, plain(folder, prompt))
    assert model.batch_rows <= 3
    assert {line["event"] for line in lines} == {"llm.out_of_memory"}


def test_no_memory_for_a_single_prompt_may_pass(model: LocalModel) -> None:
    model.choose(prompts(["Платье"]), WRITER.options)
    out_of_memory_above(model, 0)
    outcomes = model.choose(prompts(TEXTS[:2]), WRITER.options)
    assert all(isinstance(outcome, ModelUnavailable) for outcome in outcomes)
    assert "expected memory for one prompt" in str(outcomes[0])


def test_a_prompt_longer_than_the_context_is_an_error_of_its_row(tmp_path: Path) -> None:
    writer = PromptWriter(default_taxonomy(), category_examples=0)
    model = LocalModel(str(save_tiny_llm(tmp_path, context=1200)), device="cpu")
    outcomes = model.choose(prompts(["Платье", "ъ" * 2000, "Тапки"], writer), writer.options)
    assert [type(outcome) for outcome in outcomes] == [Choice, InvalidAnswer, Choice]
    assert "expected a prompt of at most 1200 tokens" in str(outcomes[1])


def test_probabilities_that_are_not_finite_are_an_error(model: LocalModel) -> None:
    with torch.no_grad():
        model._network.lm_head.weight.fill_(float("nan"))
    outcome = model.choose(prompts(["Платье"]), WRITER.options)[0]
    assert isinstance(outcome, InvalidAnswer)
    assert "expected finite log-probabilities" in str(outcome)


def test_options_of_several_tokens_are_refused(model: LocalModel) -> None:
    with pytest.raises(ModelError, match="expected 'Щ7' to be one token"):
        model.choose(prompts(["Платье"]), ["A", "Щ7"])


def test_a_model_without_a_chat_template_is_refused(tmp_path: Path) -> None:
    model = LocalModel(str(without_template(save_tiny_llm(tmp_path))), device="cpu")
    with pytest.raises(ModelError, match="expected a chat template with a system message"):
        model.choose(prompts(["Платье"]), WRITER.options)


def test_a_model_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="expected a causal language model with safetensors"):
        LocalModel(str(tmp_path / "nothing"), device="cpu")


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    save_tiny_llm(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.unlink()
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match="expected a causal language model with safetensors"):
        LocalModel(str(tmp_path), device="cpu")


def test_nothing_of_torch_is_imported_before_a_model_is_made() -> None:
    program = (
        "import sys, shared.stages.llm, shared.stages.llm.local;"
        "print([name for name in ('torch', 'transformers') if name in sys.modules])"
    )
    assert printed(program) == "[]"
