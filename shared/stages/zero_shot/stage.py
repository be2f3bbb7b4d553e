"""The zero-shot stage: an NLI model says how strongly a review entails a sentence about each category.

How the model is loaded is `nli`, how pairs become token ids is `pairs`, how they are batched is `packing`.
torch and transformers are imported when a stage is built, never with this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy.special import softmax

from shared.cascade.stage import ABSTAINED, Answer, Verdict
from shared.compute.arrays import Float64s, Int64s
from shared.compute.device import AUTO, loaded_torch, unless_out_of_memory
from shared.compute.packing import scored
from shared.errors import ConfigurationError
from shared.stages.parts import StageParts
from shared.stages.zero_shot.nli import NliModel, load
from shared.stages.zero_shot.pairs import Pairs
from shared.taxonomy import Taxonomy

DEFAULT_MODEL: Final = "MoritzLaurer/bge-m3-zeroshot-v2.0"
DEFAULT_THRESHOLD: Final = 0.9
"""Verdicts at or above this are kept unless the settings say otherwise. Not calibrated: models differ."""
TOKENS_PER_BATCH: Final = 16_384
"""Tokens of one forward pass, padding included. Enough to fill a large GPU; about 1 GB for a large encoder."""
MAX_TOKENS: Final = 512
"""Longest pair in tokens, special tokens included, where the model could read more. What a review is about
stands near its start, and one endless text costs no more than ten ordinary ones."""
MOST_EVIDENCE: Final = 3
"""Categories that a verdict shows with their probabilities, the most probable ones."""


class ZeroShotStage:
    """Implements `shared.cascade.stage.Stage` with any two-way or three-way NLI model. One thread at a time.

    `nli` is the loaded model, `slugs` are the categories in the order of the probabilities. Everything not
    float32 rounds, so there a text's probabilities differ a little with the texts beside it.

    Args:
        taxonomy: gives the sentences; the none category takes part if it has a `zero_shot_label`.
        model: hub name or folder of an NLI model with safetensors weights, or one that `nli.load` has loaded:
            stages of several taxonomies may share it. Then device and dtype do not count.
        device: `auto` (cuda, mps, cpu, in this order) or a device of torch.
        dtype: `auto` (float32; bfloat16 on CUDA, float16 where that is not in hardware), or one of the three.
        tokens_per_batch: most tokens in a forward pass, padding included; a longer pair goes alone.
        max_tokens: longest pair; the review is cut to fit, never beyond the model's own limit.

    Raises ConfigurationError where the model cannot be loaded or is no NLI model, the device is not there, or the
    taxonomy has fewer than two categories or too long sentences.
    """

    name = "zero_shot"
    default_threshold = DEFAULT_THRESHOLD

    def __init__(
        self,
        taxonomy: Taxonomy,
        model: str | Path | NliModel = DEFAULT_MODEL,
        *,
        device: str = AUTO,
        dtype: str = AUTO,
        tokens_per_batch: int = TOKENS_PER_BATCH,
        max_tokens: int = MAX_TOKENS,
    ) -> None:
        sentences = hypotheses(taxonomy)
        if len(sentences) < 2:
            raise ConfigurationError(
                f"Taxonomy {taxonomy.name!r}: expected at least two categories to choose from, "
                f"found {len(sentences)}. Add categories or leave the stage zero_shot out"
            )
        if tokens_per_batch < 1 or max_tokens < 1:
            raise ConfigurationError(
                "expected tokens_per_batch and max_tokens of at least 1, "
                f"found {tokens_per_batch} and {max_tokens}"
            )
        self.slugs = tuple(sentences)
        self.nli = model if isinstance(model, NliModel) else load(model, None, device, dtype)
        self.model = f"{self.nli.version}/1"
        self._tokens_per_batch = tokens_per_batch
        self._pairs = Pairs(self.nli.tokenizer, list(sentences.values()), min(max_tokens, self.nli.limit))

    def answers(self, texts: Sequence[str]) -> list[Answer]:
        """One answer per text, in order; it abstains where there is nothing to read or the numbers overflowed."""
        if not texts:
            return []
        return [self._answer(row) for row in self.probabilities(texts)]

    def _answer(self, probabilities: Float64s) -> Answer:
        if np.isnan(probabilities).any():
            return ABSTAINED
        best = np.argsort(-probabilities, kind="stable")[:MOST_EVIDENCE].tolist()
        shown = {self.slugs[index]: round(float(probabilities[index]), 4) for index in best}
        return Answer(Verdict(self.slugs[best[0]], float(probabilities[best[0]]), {"probabilities": shown}))

    def probabilities(self, texts: Sequence[str]) -> Float64s:
        """One probability per category, shape [texts, categories]; a row of NaN where there is nothing to read.

        With e[i, j] the entailment logit of text i and the sentence of category j:

            p[i, j] = exp(e[i, j]) / sum over c of exp(e[i, c])

        This is the single-label mode of transformers' ZeroShotClassificationPipeline (`postprocess`), after
        Yin, Hay and Roth, "Benchmarking Zero-shot Text Classification" (EMNLP 2019). Logits of neutral and
        contradiction take no part. Identical texts are scored once.
        """
        numbers = {text: number for number, text in enumerate(dict.fromkeys(texts))}
        logits = self._logits(self._pairs.premises(list(numbers)))
        with np.errstate(invalid="ignore"):  # a row with NaN or infinity becomes NaN
            shares: Float64s = softmax(logits, axis=1)
        return shares[[numbers[text] for text in texts]]

    def tokens(self, texts: Sequence[str]) -> Int64s:
        """Tokens of each pair as the network gets them, without padding; shape [texts, categories], 0 if not read."""
        premises = self._pairs.premises(texts)
        lengths = self._pairs.lengths(premises).reshape(len(texts), len(self.slugs))
        lengths[[index for index, premise in enumerate(premises) if not len(premise)]] = 0
        return lengths

    def _logits(self, premises: Sequence[Int64s]) -> Float64s:
        """Entailment logits, shape [texts, categories]; NaN for texts without a token."""
        logits = np.full((len(premises), len(self.slugs)), np.nan)
        read = [number for number, premise in enumerate(premises) if len(premise)]
        if not read:
            return logits
        some = [premises[number] for number in read]
        lengths = self._pairs.lengths(some)

        def score(pairs: Int64s) -> Any:
            planes = self._pairs.planes(some, pairs, lengths)
            return unless_out_of_memory(self.nli.device, lambda: self._forward(planes))

        # Answers stay on the device until all are there: copying each would make it wait for the next.
        batches = list(scored(lengths, self._tokens_per_batch, score))
        flat = np.empty(len(lengths))
        answers = loaded_torch().cat([answer for _, answer in batches])
        flat[np.concatenate([pairs for pairs, _ in batches])] = answers.cpu().numpy()
        logits[read] = flat.reshape(len(read), len(self.slugs))
        return logits

    def _forward(self, planes: Int64s) -> Any:
        """Entailment logits of one batch, a float32 tensor of shape [pairs]."""
        torch = loaded_torch()
        tensors = torch.from_numpy(planes)
        # A copy out of pinned memory does not wait for the batches before it.
        pinned = self.nli.device.type == "cuda"
        tensors = tensors.pin_memory() if pinned else tensors
        ids, mask, types = tensors.to(self.nli.device, non_blocking=pinned)
        inputs = {"input_ids": ids}
        # Without padding no mask is needed, and attention without one is faster.
        if not planes[1].all():
            inputs["attention_mask"] = mask
        if self._pairs.with_types:
            inputs["token_type_ids"] = types
        with torch.inference_mode():
            return self.nli.network(**inputs).logits[:, self.nli.entailment].float()


def build(parts: StageParts) -> ZeroShotStage:
    """The stage for a taxonomy, with the model that the settings name. Raises ConfigurationError."""
    chosen = parts.settings
    model = _shared(chosen.zero_shot_model, chosen.zero_shot_revision, chosen.device, chosen.dtype)
    return ZeroShotStage(parts.taxonomy, model, tokens_per_batch=chosen.zero_shot_tokens_per_batch)


# A process keeps each model once, however many taxonomies its batches are of.
@lru_cache(maxsize=1)
def _shared(model: str, revision: str, device: str, dtype: str) -> NliModel:
    return load(model, revision or None, device, dtype)


def hypotheses(taxonomy: Taxonomy) -> dict[str, str]:
    """The sentence about each category by slug: the taxonomy's template with its label, or else its title."""
    return {
        category.slug: taxonomy.hypothesis.replace("{}", category.zero_shot_label or category.title)
        for category in taxonomy.categories
        if category.zero_shot_label or category.slug != taxonomy.none_category
    }
