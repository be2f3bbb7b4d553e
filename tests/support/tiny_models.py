"""Tiny real NLI models, made on the spot: random weights with a fixed seed, a tokenizer trained on a few sentences."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    PreTrainedTokenizerFast,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
)

CORPUS = (
    "Платье село отлично, ткань приятная, швы ровные.",
    "Ботинки жмут, но кожа мягкая и подошва не скользит.",
    "Телефон приехал разбитым, продавец не отвечает.",
    "Это отзыв о товаре из категории: одежда, обувь, электроника, отзыв без указания товара.",
    "Советую продавца! Доставка быстрая, упаковка целая, всё пришло вовремя 12345 67890.",
)
TWO_WAY = {"entailment": 0, "not_entailment": 1}
THREE_WAY = {"contradiction": 0, "Entailment": 1, "neutral": 2}
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
LIMIT = 64
"""Longest pair in tokens of every tiny model."""
SPREAD = 0.4
"""Standard deviation of the weights: large enough for different texts to get clearly different answers."""


def xlm_roberta(folder: Path, label2id: dict[str, int] = TWO_WAY) -> Path:
    """Saves a model of bge-m3's family: no token types, positions that begin behind the padding index."""
    tokenizer = unigram()
    config = XLMRobertaConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=LIMIT + 2,
        type_vocab_size=1,
        pad_token_id=1,
        **_shape(label2id),
    )
    torch.manual_seed(7)
    return _save(folder, XLMRobertaForSequenceClassification(config), tokenizer)


def bert(folder: Path, label2id: dict[str, int] = THREE_WAY, seed: int = 11) -> Path:
    """Saves a model of rubert's family: token types, positions from zero."""
    tokenizer = wordpiece()
    config = BertConfig(
        vocab_size=len(tokenizer), max_position_embeddings=LIMIT, pad_token_id=0, **_shape(label2id)
    )
    torch.manual_seed(seed)
    return _save(folder, BertForSequenceClassification(config), tokenizer)


def name_a_token_out_of_reach(folder: Path) -> None:
    """Give a saved model's tokenizer a token with a number beyond the model's vectors: 1,000,000."""
    path = folder / "tokenizer.json"
    told = json.loads(path.read_text())
    told["model"]["vocab"]["новое"] = 10**6
    path.write_text(json.dumps(told))


def _shape(label2id: dict[str, int]) -> dict[str, object]:
    return {
        **SIZES,
        "initializer_range": SPREAD,
        "label2id": label2id,
        "id2label": {index: label for label, index in label2id.items()},
    }


def _save(folder: Path, network: torch.nn.Module, tokenizer: PreTrainedTokenizerFast) -> Path:
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def unigram() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.Unigram(_pieces(), unk_id=3, byte_fallback=False))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    names = ("bos_token", "cls_token", "eos_token", "sep_token", "pad_token", "unk_token")
    special = dict(zip(names, ("<s>", "<s>", "</s>", "</s>", "<pad>", "<unk>"), strict=True))
    inputs = ["input_ids", "attention_mask"]
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=LIMIT, model_input_names=inputs, **special
    )


def _pieces() -> list[tuple[str, float]]:
    """Letters, heads of words and whole words with their scores. Training would give others each time."""
    text = " ".join(CORPUS)
    words = {f"▁{word}" for word in text.split()}
    letters = {"▁", *text} - {" "}
    heads = {word[:4] for word in words} - words
    special = [(piece, 0.0) for piece in ("<s>", "<pad>", "</s>", "<unk>")]
    scored = ((sorted(letters), -9.0), (sorted(heads - letters), -8.0), (sorted(words - letters), -7.0))
    return special + [(piece, score) for pieces, score in scored for piece in pieces]


def wordpiece() -> PreTrainedTokenizerFast:
    names = ("pad_token", "unk_token", "cls_token", "sep_token")
    special = dict(zip(names, ("[PAD]", "[UNK]", "[CLS]", "[SEP]"), strict=True))
    tokenizer = Tokenizer(models.WordPiece(unk_token=special["unk_token"]))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=300, special_tokens=list(special.values()))
    tokenizer.train_from_iterator([text for text in CORPUS for _ in range(5)], trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    inputs = ["input_ids", "token_type_ids", "attention_mask"]
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=LIMIT, model_input_names=inputs, **special
    )
