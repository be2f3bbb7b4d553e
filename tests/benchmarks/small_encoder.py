"""An encoder without weights, small enough to be trained from nothing on a CPU, or in the shape of a real one.

`python -m tests.benchmarks.small_encoder reviews.csv folder`, then `otzyv train ... --base folder --random-weights`.
Where a pretrained encoder can be had, it is no use.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from tokenizers import BertWordPieceTokenizer
from transformers import BertConfig, BertTokenizerFast

from scripts.files.input_file import InputFile

WORDS = 8_000
TOKENS = 512

SHAPES = {
    "small": {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 512},
    "rubert-tiny2": {
        "vocab_size": 83_828,
        "hidden_size": 312,
        "num_hidden_layers": 3,
        "num_attention_heads": 12,
        "intermediate_size": 600,
    },
    "rubert-base": {
        "vocab_size": 119_547,
        "hidden_size": 768,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "intermediate_size": 3_072,
    },
}


def encoder(texts: list[str], folder: Path, shape: str) -> None:
    """Save config and tokenizer. A vocabulary larger than the tokenizer's costs what the real one does."""
    learnt = BertWordPieceTokenizer(lowercase=True, strip_accents=False)
    learnt.train_from_iterator(texts, vocab_size=WORDS, min_frequency=2, show_progress=False)
    tokenizer = BertTokenizerFast(tokenizer_object=learnt._tokenizer, model_max_length=TOKENS)
    tokenizer.save_pretrained(folder)
    BertConfig(
        **{"vocab_size": len(tokenizer), "max_position_embeddings": TOKENS, **SHAPES[shape]}
    ).save_pretrained(folder)


def texts_of(file: Path, column: str) -> list[str]:
    """The texts of a file of reviews."""
    return [str(record[column]) for chunk in InputFile(file).records() for record in chunk]


def main(
    file: Annotated[
        Path, typer.Argument(help="Reviews, from which the tokenizer learns its pieces of words.")
    ],
    folder: Annotated[Path, typer.Argument(help="Where config and tokenizer go.")],
    shape: Annotated[str, typer.Option(help=", ".join(SHAPES))] = "small",
    text_column: str = "text",
) -> None:
    """Write the folder."""
    encoder(texts_of(file, text_column), folder, shape)


if __name__ == "__main__":
    typer.run(main)
