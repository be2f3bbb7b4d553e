"""Small things to train on: sentences of two obvious categories, an encoder with random weights, and a watch."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from shared.reviews.labelled_text import Row
from shared.training.arguments import Arguments, arguments
from shared.training.data import Data
from tests.support import tiny_models

_SAID = {
    "clothes": (
        ("платье", "юбка", "блузка", "рубашка", "куртка", "кофта", "майка", "пальто"),
        (
            "село отлично, ткань приятная",
            "по размеру, швы ровные",
            "красиво сидит",
            "мягкий материал, не колется",
        ),
    ),
    "electronics": (
        ("телефон", "наушники", "зарядка", "колонка", "клавиатура", "монитор", "кабель", "планшет"),
        (
            "приехал разбитым",
            "звук хороший, батарея держит долго",
            "не заряжается",
            "провод короткий, экран тусклый",
        ),
    ),
}
"""Things of each category, and what is told of each of them."""
LABELS = tuple(_SAID)
STEPS_PER_EPOCH = 8


def data() -> Data:
    """32 rows to train on, 8 steps of 4, and 32 to validate with; every word is among both."""
    rows = [
        (place + said, Row(f"{word.capitalize()} {told}", category, number))
        for category, (words, tellings) in _SAID.items()
        for number, ((place, word), (said, told)) in enumerate(
            product(enumerate(words), enumerate(tellings)), 1
        )
    ]
    parts = [tuple(row for diagonal, row in rows if diagonal % 2 == part) for part in (0, 1)]
    return Data(LABELS, parts[0], parts[1])


def base(folder: Path) -> Path:
    """Saves an encoder of BERT's family without a head, with its tokenizer: the same on each call."""
    tokenizer = _tokenizer()
    tokenizer.save_pretrained(folder)
    torch.manual_seed(11)
    config = BertConfig(
        vocab_size=len(tokenizer),
        **tiny_models.SIZES,
        initializer_range=0.15,
        max_position_embeddings=tiny_models.LIMIT,
        pad_token_id=0,
    )
    BertModel(config).save_pretrained(folder)
    return folder


def _tokenizer() -> PreTrainedTokenizerFast:
    """Words of the sentences, and letters for all others. Training one would give others each time."""
    words = sorted(
        {word.strip(",") for row in (*data().train, *data().validation) for word in row.text.lower().split()}
    )
    letters = sorted({letter for word in words for letter in word})
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    pieces = dict.fromkeys([*special, ",", ".", *words, *letters, *(f"##{letter}" for letter in letters)])
    tokenizer = Tokenizer(
        models.WordPiece({piece: at for at, piece in enumerate(pieces)}, unk_token=special[1])
    )
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token"), special, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=tiny_models.LIMIT, **names)


def chosen(folder: Path, architecture: str = "full", **values: Any) -> Arguments:
    """Arguments with which an architecture learns the two categories in a few epochs."""
    rates = {"full": 5e-3, "lora": 1e-2, "mlp": 1e-2, "lstm": 5e-3, "pair": 5e-3, "bert_lstm": 5e-3}
    epochs = {"full": 5, "lora": 6, "mlp": 20, "lstm": 3, "pair": 3, "bert_lstm": 4}
    given: dict[str, Any] = {
        "architecture": architecture,
        "base": None if architecture in ("lstm", "pair") else str(folder),
        "epochs": epochs[architecture],
        "batch_rows": 4,
        "learning_rate": rates[architecture],
        "hidden": 24,
        "max_tokens": 24,
        "balance": "none",
        "device": "cpu",
        "patience": 30,
    }
    return arguments(**given | values)


class Eyes:
    """A watch that remembers, and after some step stops, is killed, or finds no memory.

    `no_memory` is how often it says so. After the step `choke`, writing more than `file_bytes` into a file kills the
    process.
    """

    def __init__(
        self,
        *,
        stop: int = 0,
        kill: int = 0,
        full: int = 0,
        no_memory: int = 1,
        choke: int = 0,
        file_bytes: int = 0,
    ) -> None:
        self.logged: list[tuple[int, float, dict[str, float]]] = []
        self.shares: list[float] = []
        self.steps = 0
        self._stop, self._kill, self._full, self._no_memory = stop, kill, full, no_memory
        self._choke, self._file_bytes = choke, file_bytes

    def log(self, step: int, epoch: float, values: Mapping[str, float]) -> None:
        self.logged.append((step, epoch, dict(values)))

    def progress(self, share: float) -> None:
        self.shares.append(share)
        self.steps += 1
        if self.steps == self._kill:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.steps == self._choke:
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
            resource.setrlimit(resource.RLIMIT_FSIZE, (self._file_bytes, self._file_bytes))
        if self._full and self.steps >= self._full and self._no_memory:
            self._no_memory -= 1
            raise MemoryError

    def stop(self) -> bool:
        return self.steps == self._stop

    def validated(self) -> list[tuple[int, float]]:
        """Steps at which the model was validated, and its weighted F1."""
        return [
            (step, told["held_out_weighted_f1"])
            for step, _, told in self.logged
            if "held_out_weighted_f1" in told
        ]
