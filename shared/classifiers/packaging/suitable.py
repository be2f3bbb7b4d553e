"""Whether a model of transformers can serve: asked of its tokenizer and of itself, whatever it is called.

What serves gives a network ids and mask, with zeros behind the shorter texts of a batch, and expects the same logits
for a text whatever stands beside it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from shared.classifiers.onnx_classifier import ATTENTION_MASK, INPUT_IDS, Tokens, padded
from shared.encoders.pretrained import usable
from shared.errors import ModelError

TOLERANCE: Final = 1e-3
"""Of the largest logit: a sum in another order is no further apart, and a head that begins has small ones."""
SHORT: Final = 3
"""Tokens of the text behind which there is padding."""

PROVEN: Final = frozenset(
    (  # noqa: SIM905  a list would take thirty lines
        "albert bert camembert data2vec-text deberta deberta-v2 distilbert electra ernie esm eurobert "
        "flaubert ibert jina_embeddings_v3 luke megatron-bert modernbert mpnet mra nomic_bert "
        "rembert roberta roberta-prelayernorm roc_bert roformer squeezebert xlm xlm-roberta xlm-roberta-xl xmod"
    ).split()
)
"""Encoders whose graphs compute what they do, as `python -m tests.benchmarks.encoders` found (docs/encoders.md)."""

_TYPES: Final = "token_type_ids"
_SPOKEN: Final = ("Платье", "12 Size, XL!", "")


def vocabulary(place: object, model: Any, tokenizer: Any) -> bytes:
    """The tokenizer.json that serves: of a tokenizer of transformers whose model has one vector for each token.

    Tokens that transformers adds to a vocabulary that lacks them, such as [MASK], are left out if the model never had
    them: a review that contains one as text would stop the network. Raises ModelError for tokens that the model has no
    vectors for, and for a tokenizer that says more of a text than ids.
    """
    if not tokenizer.is_fast:
        raise ModelError(
            f"{place}: expected a fast tokenizer (tokenizer.json), found a slow one; save it with a tokenizer.json"
        )
    with usable(place, "a model that has a vector for each token"):
        rows = int(model.get_input_embeddings().weight.shape[0])
    with usable(place, "a tokenizer that can be written as a tokenizer.json"):
        told = json.loads(tokenizer.backend_tokenizer.to_str())
    told["added_tokens"] = [one for one in told["added_tokens"] if one["id"] < rows]
    content = json.dumps(told, ensure_ascii=False).encode()
    last = max(Tokenizer.from_buffer(content).get_vocab().values(), default=0)
    if last >= rows:
        raise ModelError(
            f"{place}/tokenizer.json: expected tokens below {rows:,}, as many as the model has vectors for, found "
            f"number {last:,}; save the tokenizer that the model was trained with"
        )
    _check_tokens(place, content, tokenizer)
    return content


def _check_tokens(place: object, content: bytes, tokenizer: Any) -> None:
    """What transformers would give the model is ids alone, and those that serve."""
    with usable(place, "a tokenizer that reads texts"):
        told = {name: list(values) for name, values in tokenizer(list(_SPOKEN)).items()}
    served, _ = Tokens(content, int(min(tokenizer.model_max_length, 10**6)))(_SPOKEN)
    also = sorted(name for name in told if name not in (INPUT_IDS, ATTENTION_MASK, _TYPES))
    if any(any(types) for types in told.get(_TYPES, ())):
        also.append(f"{_TYPES} other than 0")
    if also:
        raise ModelError(
            f"{place}: expected a model that reads the ids of tokens and nothing else of a text, found one that is "
            f"also given {', '.join(also)}; choose a model of another architecture, such as BERT"
        )
    if served != told[INPUT_IDS]:
        raise ModelError(
            f"{place}: expected a tokenizer.json that reads texts as the tokenizer does, found one that reads them "
            "otherwise; save the tokenizer again with tokenizer.save_pretrained(folder)"
        )


def longest_text(
    place: object, network: nn.Module, config: Any, tokenizer: Any, most: int, labels: int
) -> int:
    """The most tokens of a text, up to `most`, that a network with an encoder of some config reads.

    `network` is one from ids and mask to so many logits. Raises ModelError where it reads no text, or where its answer
    depends on more than the text.
    """
    if getattr(config, "is_encoder_decoder", False):
        raise ModelError(
            f"{place}: expected an encoder, such as BERT, found {config.model_type}, which has a decoder behind it; "
            "choose a model of another architecture"
        )
    lengths = _lengths(config, int(min(tokenizer.model_max_length, most)))
    tokens = next((one for one in lengths[:-1] if _reads(network, _ids(tokenizer, one))), lengths[-1])
    ids = _ids(tokenizer, tokens)
    with usable(place, f"a model that reads texts of {tokens} tokens"), torch.inference_mode():
        batches = [ids], [ids[:SHORT]], [ids, ids[:SHORT]], [ids]
        first, alone, behind, again = (network(*_batch(*texts)) for texts in batches)
    shape = tuple(first.shape)
    if shape != (1, labels):
        raise ModelError(f"{place}: expected {labels} logits, one for each label, found {shape[-1]}")
    if not all(answer.isfinite().all() for answer in (first, alone, behind, again)):
        raise ModelError(
            f"{place}: expected a model whose answers are numbers, found others; are its weights whole?"
        )
    _check_same(place, alone, behind[1:], "the padding behind a text")
    _check_same(place, first, again, "the texts before it")
    return tokens


def _lengths(config: Any, most: int) -> list[int]:
    """Lengths to try, the greatest first: models of RoBERTa's family begin to count behind the padding's number."""
    positions = getattr(config, "max_position_embeddings", None) or 0
    if positions < 1:
        return [most]
    return [min(positions, most), max(min(positions - (config.pad_token_id or 0) - 1, most), SHORT)]


def _ids(tokenizer: Any, tokens: int) -> list[int]:
    """A text of so many tokens."""
    ids: list[int] = tokenizer(text_of(tokens), truncation=True, max_length=tokens)["input_ids"]
    return ids


def text_of(tokens: int) -> str:
    """A text of at least so many tokens, whatever the vocabulary."""
    return " ".join(map(str, range(tokens)))


def _batch(*texts: Sequence[int]) -> tuple[Tensor, Tensor]:
    ids, mask = map(torch.from_numpy, padded(texts).values())
    return ids, mask


def _reads(network: nn.Module, ids: Sequence[int]) -> bool:
    try:
        with torch.inference_mode():
            network(*_batch(ids))
    except Exception:  # noqa: BLE001  too long, as each model says in its own way
        return False
    return True


def _check_same(place: object, one: Tensor, other: Tensor, what: str) -> None:
    apart = float((one - other).abs().max())
    if not apart <= TOLERANCE * float(one.abs().max()):
        raise ModelError(
            f"{place}: expected a model whose answer does not depend on {what}, found logits up to {apart:.2g} apart; "
            "only encoders that read a text alone can serve"
        )
