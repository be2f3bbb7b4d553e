"""A real sentence-transformers model, small enough to make in a test: its answers mean nothing, its shape does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def save_tiny_model(folder: Path, texts: Sequence[str]) -> Path:
    """BERT with 2 layers of 32, random weights and a tokenizer trained on `texts`; saved as safetensors."""
    import torch
    from sentence_transformers import SentenceTransformer
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    pieces = BertWordPieceTokenizer(lowercase=True, strip_accents=False)
    pieces.train_from_iterator(list(texts), vocab_size=400, min_frequency=1, show_progress=False)
    raw = folder / "raw"
    raw.mkdir(parents=True)
    pieces.save(str(raw / "tokenizer.json"))
    tokenizer = BertTokenizerFast(tokenizer_file=str(raw / "tokenizer.json"), model_max_length=128)
    torch.manual_seed(7)
    size = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    BertModel(BertConfig(vocab_size=len(tokenizer), max_position_embeddings=128, **size)).save_pretrained(raw)
    tokenizer.save_pretrained(raw)
    # Mean pooling is what the library adds to a model that comes without any.
    SentenceTransformer(str(raw), device="cpu").save(str(folder / "model"))
    return folder / "model"
