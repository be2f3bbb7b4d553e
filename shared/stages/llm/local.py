"""Asks a causal language model in this process, with transformers.

Nothing is generated. The answer is one token, so one forward pass over the prompt gives the probabilities of all
options at once. What all prompts of a taxonomy begin with, most of their length, is computed once and kept as a
KV cache; each pass sees only what follows. Nothing of torch is imported before a `LocalModel` is made.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Any, Final

import jinja2
import msgspec
import structlog

from shared.compute.device import AUTO, device_for, loaded_torch, unless_out_of_memory
from shared.encoders.pretrained import first_line
from shared.errors import InvalidAnswer, ModelError, ModelUnavailable
from shared.stages.llm.choice import Choice, ChoiceOrError, by_option
from shared.stages.llm.options import spellings
from shared.stages.llm.prompt import Prompt

log = structlog.get_logger()

BATCH_ROWS: Final = 16
"""Prompts in one pass; the prefix's KV cache is copied for each of them (0.15 MB per token with 8 billion weights)."""
BATCH_TOKENS: Final = 8192
"""Tokens in one pass, padding included, the shared prefix not."""
THINKING_OFF: Final[Mapping[str, Any]] = {"enable_thinking": False}
"""Arguments of the chat template; templates without thinking ignore it."""


class _Prefix(msgspec.Struct, frozen=True):
    """What prompts with the same system message begin with: token ids, and the model's memory of them."""

    system: str
    tokens: list[int]
    memory: Any


class LocalModel:
    """Implements `shared.stages.llm.choice.Backend`. Loads the model at once; share one per process, not per thread.

    Args:
        model: a name on the Hugging Face hub, or a folder. Weights are safetensors; code of the model is not run.
        device: such as `cuda:1`; by default CUDA, else Apple's MPS, else the CPU.
        dtype: such as `float16`; by default bfloat16 on a GPU that has it, float16 on another, float32 on the CPU.
        batch_rows, batch_tokens: limits of one pass; halved by itself when memory runs out.

    Raises ConfigurationError where there is no torch, or no such device, and ModelError where the model cannot be
    loaded, or has no chat template with a system message.
    """

    def __init__(
        self,
        model: str,
        *,
        revision: str | None = None,
        device: str = AUTO,
        dtype: str = AUTO,
        batch_rows: int = BATCH_ROWS,
        batch_tokens: int = BATCH_TOKENS,
    ) -> None:
        self.model: Final = f"{model}@{revision}" if revision else model
        self.batch_rows = batch_rows
        self._batch_tokens = batch_tokens
        self.device: Final = device_for(device)
        self._torch, self._tokenizer, self._network = _loaded(model, revision, dtype, self.device)
        takes = inspect.signature(self._network.forward).parameters
        self._last_only = {"logits_to_keep": 1} if "logits_to_keep" in takes else {}
        self._longest = getattr(self._network.config, "max_position_embeddings", None)
        self._prefix = _Prefix("", [], None)

    def choose(self, prompts: Sequence[Prompt], options: Sequence[str]) -> list[ChoiceOrError]:
        """One outcome per prompt, in order, the most probable option each; never an option outside of the list.

        InvalidAnswer for a prompt that is longer than the model's context, ModelUnavailable for one that does not fit
        into memory even alone. Raises ModelError where an option is not one token for this model.
        """
        letters = self._letters(options)
        rows = [self._tokens(prompt) for prompt in prompts]
        outcomes: dict[int, ChoiceOrError] = {
            index: InvalidAnswer(
                f"{self.model}: expected a prompt of at most {self._longest} tokens, found {len(row)}. "
                "Show fewer characters or examples"
            )
            for index, row in enumerate(rows)
            if self._longest and len(row) > self._longest
        }
        fitting = [index for index in range(len(rows)) if index not in outcomes]
        for system in dict.fromkeys(prompts[index].system for index in fitting):
            same = {index: rows[index] for index in fitting if prompts[index].system == system}
            outcomes |= self._choose_after(self._prefix_of(system), same, letters)
        return [outcomes[index] for index in range(len(rows))]

    def _choose_after(
        self, prefix: _Prefix, rows: Mapping[int, list[int]], letters: Mapping[int, str]
    ) -> dict[int, ChoiceOrError]:
        """Outcomes of prompts with one system message, by their numbers, in batches of similar length."""
        outcomes: dict[int, ChoiceOrError] = {}
        # A tokenizer may join the end of the prefix with what follows; such a prompt goes the long way.
        joined = {index for index, row in rows.items() if row[: len(prefix.tokens)] != prefix.tokens}
        for memory, part in ((prefix, rows.keys() - joined), (_Prefix("", [], None), joined)):
            rests = {index: rows[index][len(memory.tokens) :] for index in part}
            todo = sorted(part, key=lambda index: (len(rests[index]), index))
            while todo:
                widths = [len(rests[index]) for index in todo[: self.batch_rows]]
                fitting = [n for n, width in enumerate(widths, 1) if n * width <= self._batch_tokens]
                count = max(fitting, default=1)
                batch, todo = todo[:count], todo[count:]
                scored = self._scored([rests[index] for index in batch], memory, letters)
                outcomes.update(zip(batch, scored, strict=True))
        return outcomes

    def _scored(
        self, rows: list[list[int]], prefix: _Prefix, letters: Mapping[int, str]
    ) -> list[ChoiceOrError]:
        """Outcomes of one batch. Out of memory: both halves, and smaller batches from now on."""
        known = len(prefix.tokens)
        scores = unless_out_of_memory(self.device, lambda: self._forward(rows, prefix, list(letters)))
        if scores is not None:
            return [
                self._outcome(zip(letters.values(), values, strict=True), letters, known + len(row))
                for values, row in zip(scores, rows, strict=True)
            ]
        if len(rows) == 1:
            found = f"none for {len(rows[0]) + known} tokens"
            return [
                ModelUnavailable(
                    f"{self.model} on {self.device}: expected memory for one prompt, found {found}"
                )
            ]
        self.batch_rows = middle = len(rows) // 2
        log.warning("llm.out_of_memory", rows=len(rows), batch_rows=self.batch_rows)
        return [
            *self._scored(rows[:middle], prefix, letters),
            *self._scored(rows[middle:], prefix, letters),
        ]

    def _forward(self, rows: list[list[int]], prefix: _Prefix, tokens: list[int]) -> list[list[float]]:
        """Log-probabilities (rows, tokens) of `tokens` as the next one, over the whole vocabulary.

        Rows are padded on the left, between prefix and rest, so that all of them end at the last position. Padding is
        masked, and positions count what is not masked.
        """
        torch, longest, known = self._torch, max(map(len, rows)), len(prefix.tokens)
        ids = torch.zeros((len(rows), longest), dtype=torch.long)
        mask = torch.ones((len(rows), known + longest), dtype=torch.long)
        for number, row in enumerate(rows):
            ids[number, longest - len(row) :] = torch.tensor(row)
            mask[number, known : known + longest - len(row)] = 0
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)[:, known:]
        with torch.inference_mode():
            memory = copy.deepcopy(prefix.memory)
            if memory is not None and len(rows) > 1:
                memory.batch_repeat_interleave(len(rows))
            out = self._network(
                input_ids=ids.to(self.device),
                attention_mask=mask.to(self.device),
                position_ids=positions.to(self.device),
                past_key_values=memory,
                use_cache=memory is not None,
                **self._last_only,
            )
            logprobs = out.logits[:, -1].float().log_softmax(dim=-1)
            scores: list[list[float]] = logprobs[:, tokens].tolist()
        return scores

    def _outcome(
        self, scores: Iterable[tuple[str, float]], letters: Mapping[int, str], tokens: int
    ) -> ChoiceOrError:
        """The most probable option; `scores` has an option and a log-probability for each token of `letters`."""
        logprobs = by_option(scores, list(dict.fromkeys(letters.values())))
        if not logprobs:
            return InvalidAnswer(
                f"{self.model}: expected finite log-probabilities, found none. Try another dtype", tokens
            )
        return Choice(max(logprobs, key=logprobs.__getitem__), logprobs, tokens, 0)

    def _letters(self, options: Sequence[str]) -> dict[int, str]:
        """The option that each token stands for, by token id."""
        letters: dict[int, str] = {}
        for option in options:
            spelt = [self._tokenizer.encode(one, add_special_tokens=False) for one in spellings(option)]
            known = [one[0] for one in spelt if len(one) == 1 and one[0] != self._tokenizer.unk_token_id]
            if not known:
                raise ModelError(
                    f"{self.model}: expected {option!r} to be one token, found several. Use another model or a server"
                )
            letters |= dict.fromkeys(known, option)
        return letters

    def _tokens(self, prompt: Prompt) -> list[int]:
        """Token ids of the prompt in the model's chat format, up to where the answer begins."""
        try:
            text = self._tokenizer.apply_chat_template(
                prompt.messages, tokenize=False, add_generation_prompt=True, **THINKING_OFF
            )
        except (ValueError, jinja2.TemplateError) as error:
            raise ModelError(
                f"{self.model}: expected a chat template with a system message, found: {type(error).__name__}. "
                "Use an instruction model"
            ) from error
        tokens: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return tokens

    def _prefix_of(self, system: str) -> _Prefix:
        """What all prompts with this system message begin with. Kept for the next call."""
        if self._prefix.system == system and self._prefix.tokens:
            return self._prefix
        self._prefix = _Prefix("", [], None)  # frees the old one first
        both = [self._tokens(Prompt(system, user)) for user in ("а", "<")]
        common = takewhile(lambda pair: pair[0] == pair[1], zip(*both, strict=False))
        tokens = [token for token, _ in common][: min(map(len, both)) - 1]
        memory = None
        if tokens:
            with self._torch.inference_mode():
                ids = self._torch.tensor([tokens], device=self.device)
                memory = self._network(input_ids=ids, use_cache=True, **self._last_only).past_key_values
        self._prefix = _Prefix(system, tokens, memory)
        return self._prefix


def _loaded(model: str, revision: str | None, dtype: str, device: Any) -> tuple[Any, Any, Any]:
    """torch, the tokenizer, and the network on its device."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch = loaded_torch()
    modern = device.type == "cuda" and torch.cuda.is_bf16_supported()
    best = "float32" if device.type == "cpu" else "bfloat16" if modern else "float16"
    safely = {"revision": revision, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(model, **safely)
        network = AutoModelForCausalLM.from_pretrained(
            model, dtype=getattr(torch, best if dtype == AUTO else dtype), use_safetensors=True, **safely
        )
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{model}: expected a causal language model with safetensors, found: {first_line(error).rstrip('.')}. "
            "Check the name, or download it before (HF_HOME), or use a server"
        ) from error
    return torch, tokenizer, network.to(device).eval()
