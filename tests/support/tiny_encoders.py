"""Models of every family that transformers can load for sequence classification: tiny, with random weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import (
    CONFIG_MAPPING,
    AutoModel,
    AutoModelForSequenceClassification,
    PreTrainedTokenizerFast,
)

from tests.support import tiny_models

SPREAD = 0.2
"""Standard deviation of the weights of all families: texts get different answers."""

_WIDTH, _LAYERS, _HEADS, _BETWEEN, _POSITIONS = 32, 2, 4, 64, tiny_models.LIMIT + 2
_SIZES = {
    _WIDTH: "hidden_size d_model n_embd emb_dim dim embedding_size pooler_hidden_size",
    _LAYERS: "num_hidden_layers n_layers n_layer num_layers encoder_layers decoder_layers num_decoder_layers",
    _HEADS: "num_attention_heads n_heads n_head num_heads encoder_attention_heads decoder_attention_heads "
    "num_key_value_heads",
    _WIDTH // _HEADS: "head_dim d_head d_kv",
    _BETWEEN: "intermediate_size d_inner hidden_dim ffn_dim encoder_ffn_dim decoder_ffn_dim d_ff n_inner",
    _POSITIONS: "max_position_embeddings n_positions",
}
"""Sizes, and what families call them."""
_OWN: dict[str, dict[str, Any]] = {
    "canine": {"num_hash_buckets": 200},
    "funnel": {"block_sizes": [1, 1]},
    "longformer": {"attention_window": 8},
    "luke": {"entity_emb_size": 8, "entity_vocab_size": 10},
    "mobilebert": {"intra_bottleneck_size": 16, "true_hidden_size": 16},
    "reformer": {
        "axial_pos_shape": [8, 8],
        "axial_pos_embds_dim": [16, 16],
        "feed_forward_size": 64,
        "attention_head_size": 8,
        "attn_layers": ["local", "lsh"],
        "is_decoder": False,
    },
    "rembert": {"input_embedding_size": 32, "output_embedding_size": 32},
    "roc_bert": {"pronunciation_vocab_size": 200, "shape_vocab_size": 200},
    "squeezebert": {
        f"{part}_groups": 1 for part in ("q", "k", "v", "post_attention", "intermediate", "output")
    },
    "xmod": {"languages": ["ru_RU"], "default_language": "ru_RU"},
}
_NOT_SET = {"funnel": ("num_hidden_layers",), "xlnet": ("max_position_embeddings", "d_head")}


def saved(folder: Path, kind: str, labels: Sequence[str] = ()) -> Path:
    """Saves a model of transformers' model type `kind` for some labels, or without a head, with a tokenizer."""
    default = CONFIG_MAPPING[kind]()
    tokenizer = tiny_models.unigram() if default.pad_token_id == 1 else tiny_models.wordpiece()
    fields: dict[str, Any] = {}
    if labels:
        fields = {
            "id2label": dict(enumerate(labels)),
            "label2id": {label: at for at, label in enumerate(labels)},
        }
    config = CONFIG_MAPPING[kind](**_sizes(default, kind), **_special(default, tokenizer), **fields)
    config.architectures = []  # or AutoModel looks for its name in None, where a family has several
    torch.manual_seed(7)
    model = (AutoModelForSequenceClassification if labels else AutoModel).from_config(config)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.normal_(std=SPREAD)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _sizes(default: Any, kind: str) -> dict[str, Any]:
    """What a config of some family is told of its sizes, each by the name that is its own."""
    names = {name: size for size, some in _SIZES.items() for name in some.split() if hasattr(default, name)}
    for alias, own in (type(default).attribute_map or {}).items():
        if alias in names:
            names[own] = names.pop(alias)
    return {name: size for name, size in names.items() if name not in _NOT_SET.get(kind, ())} | _OWN.get(
        kind, {}
    )


def _special(default: Any, tokenizer: PreTrainedTokenizerFast) -> dict[str, int]:
    start, end = tokenizer.cls_token_id, tokenizer.sep_token_id
    ids = {
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": start,
        "cls_token_id": start,
        "eos_token_id": end,
        "sep_token_id": end,
    }
    return {name: number for name, number in ids.items() if hasattr(default, name)} | {
        "vocab_size": len(tokenizer)
    }
