"""An encoder without weights, small enough to be trained from nothing on a CPU: a config, and a tokenizer of its own.

`python -m tests.benchmarks.small_encoder reviews.csv folder`, then `otzyv train ... --base folder --random-weights`.
Where a pretrained encoder can be had, it is no use.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from tokenizers import BertWordPieceTokenizer
from transformers import BertConfig, BertTokenizerFast

from scripts.input_file import InputFile

WORDS = 8_000
TOKENS = 128


def main(
    file: Annotated[
        Path, typer.Argument(help="Reviews, from which the tokenizer learns its pieces of words.")
    ],
    folder: Annotated[Path, typer.Argument(help="Where config and tokenizer go.")],
    text_column: str = "text",
) -> None:
    """Two layers of 128 with four heads, about 1.4 million parameters."""
    texts = [str(record[text_column]) for chunk in InputFile(file).records() for record in chunk]
    learnt = BertWordPieceTokenizer(lowercase=True, strip_accents=False)
    learnt.train_from_iterator(texts, vocab_size=WORDS, min_frequency=2, show_progress=False)
    tokenizer = BertTokenizerFast(tokenizer_object=learnt._tokenizer, model_max_length=TOKENS)
    tokenizer.save_pretrained(folder)
    BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=512,
        max_position_embeddings=TOKENS,
    ).save_pretrained(folder)


if __name__ == "__main__":
    typer.run(main)
