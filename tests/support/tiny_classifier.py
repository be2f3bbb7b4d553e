"""A small real classifier: BERT with random weights whose labels are slugs, and its texts."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from shared.taxonomy import Taxonomy
from tests.support import tiny_models

LABELS = ("clothes", "shoes", "electronics", "nothing")
TAXONOMY = Taxonomy.parse("""
name: test
none_category: nothing
categories:
  - {slug: clothes, title: одежда}
  - {slug: shoes, title: обувь}
  - {slug: electronics, title: электроника}
  - {slug: nothing, title: нет товара}
""")
TEXTS = [f"{sentence} {number}" for number in range(40) for sentence in tiny_models.CORPUS]


def folder(path: Path, labels: tuple[str, ...] = LABELS, family: str = "bert", seed: int = 11) -> Path:
    """Saves a classification model as transformers would, and returns its folder."""
    numbered = {label: place for place, label in enumerate(labels)}
    if family == "bert":
        return tiny_models.bert(path, numbered, seed)
    return tiny_models.xlm_roberta(path, numbered)


def network(path: Path) -> torch.nn.Module:
    """The model of a folder."""
    return AutoModelForSequenceClassification.from_pretrained(path).eval()


def tokenizer(path: Path) -> bytes:
    """The content of its tokenizer.json."""
    AutoTokenizer.from_pretrained(path)
    return (path / "tokenizer.json").read_bytes()
