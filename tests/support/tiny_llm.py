"""A tiny causal language model, built and saved by the tests: real architecture, tokenizer and chat template."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from shared.stages.llm import PromptWriter
from shared.taxonomy import default_taxonomy

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n"
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)
"""The form of Qwen3's: with thinking off an empty thought is already written."""
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"]
FAVOURED = 8.0
"""How much more an option's logit varies than another token's: every greedy answer is an option."""


def save_tiny_llm(folder: Path, *, context: int = 4096, options: str = "ABCDEFGHI") -> Path:
    """Saves a Qwen3 of two layers with random weights (seed 0) that answers with one of `options`."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from tests.support.tiny_models import SIZES  # which needs both

    tokenizer = _tokenizer(transformers)
    torch.manual_seed(0)
    config = transformers.Qwen3Config(
        vocab_size=len(tokenizer),
        **SIZES,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=context,
        tie_word_embeddings=False,
        initializer_range=0.5,
        bos_token_id=None,
        eos_token_id=tokenizer.convert_tokens_to_ids("<|im_end|>"),
        pad_token_id=tokenizer.convert_tokens_to_ids("<|endoftext|>"),
    )
    model = transformers.Qwen3ForCausalLM(config)
    _favour(torch, model, [tokenizer.convert_tokens_to_ids(option) for option in options])
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _tokenizer(transformers: Any) -> Any:
    """A byte-level BPE, trained on the default taxonomy's prompt."""
    import tokenizers
    from tokenizers import decoders, models, pre_tokenizers, trainers

    bpe = tokenizers.Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1500,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    prompt = PromptWriter(default_taxonomy()).write("Отзыв")
    assert prompt is not None
    letters = [f"{letter} {letter}" for letter in "ABCDEFGHI" * 20]
    bpe.train_from_iterator([prompt.system, prompt.user, *letters, *["\n\n"] * 20], trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token=SPECIAL[2],
        pad_token=SPECIAL[0],
        chat_template=TEMPLATE,
    )


def _favour(torch: Any, model: Any, tokens: list[int]) -> None:
    """Makes the options' logits large and of both signs, so that one of them is the largest."""
    with torch.no_grad():
        weight = model.lm_head.weight
        weight *= 0.01
        directions = torch.randn((len(tokens) // 2, weight.shape[1]))
        for number, token in enumerate(tokens[: len(tokens) // 2 * 2]):
            weight[token] = directions[number // 2] * (1 if number % 2 else -1) * FAVOURED / weight.shape[1]


def without_template(folder: Path) -> Path:
    """Takes the chat template away."""
    (folder / "chat_template.jinja").unlink(missing_ok=True)
    file = folder / "tokenizer_config.json"
    settings = json.loads(file.read_text("utf-8"))
    settings.pop("chat_template", None)
    file.write_text(json.dumps(settings), "utf-8")
    return folder
