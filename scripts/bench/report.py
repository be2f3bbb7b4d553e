"""Benchmarks as tables and JSON: what was measured, and how it compares with its peers in the same run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from scripts.bench import keywords as keyword_bench
from scripts.bench.turns import compared, taken
from scripts.command.console import err, out
from scripts.files.input_file import InputFile
from scripts.pages.tables import table
from shared.compute.device import device_for
from shared.errors import InputFileError

RUNS = 3

WAYS = {
    "ours": "the keyword stage, evidence included",
    "regex": "one regular expression of stems, per text",
    "lemmas": "every word lemmatised by pymorphy3 and looked up",
}
CLASSIFIERS = {
    "ours_int8": "ours, int8",
    "ours_fp32": "ours, fp32",
    "bare_int8": "bare ONNX Runtime over batches made beforehand, and tokenisation; int8",
    "torch_sorted": "torch, sorted batches",
    "pipeline_64": "transformers pipeline, batches of 64",
    "pipeline_1": "transformers pipeline, one at a time",
}


def keywords(file: InputFile, text_column: str, seconds: float, json_path: Path | None) -> None:
    """Measure the keyword stage on a file's texts, several times, and print the medians."""
    texts = texts_of(file, text_column)
    runs = _told(WAYS, lambda: keyword_bench.run(texts, seconds / RUNS), json_path)
    first = runs[0]
    out.print(
        f"{first['texts']:,} texts of {first['mean_chars']:.0f} characters on average, {first['chunk']} a call, "
        f"one core; building the stage took {median(run['compile_seconds'] for run in runs):.1f} s"
    )


def classifier(
    file: InputFile, text_column: str, seconds: float, tokenizer: Path | None, json_path: Path | None
) -> None:
    """Measure predictions on a file's texts, several times, and print the medians."""
    # Imported here: keywords are measured where there is no torch.
    from scripts.bench import classifier as classifier_bench

    texts = texts_of(file, text_column)
    first, *_ = _told(CLASSIFIERS, lambda: classifier_bench.run(texts, seconds / RUNS, tokenizer), json_path)
    out.print(
        f"{first['texts']:,} texts of {first['mean_chars']:.0f} characters and {first['mean_tokens']:.0f} tokens on "
        f"average, {first['chunk']} a call, one core; rubert-tiny2's shape with random weights"
    )


def _told(
    ways: Mapping[str, str], run: Callable[[], dict[str, Any]], json_path: Path | None
) -> list[dict[str, Any]]:
    runs = taken((run() for _ in range(RUNS)), RUNS, "run")
    out.print(compared(ways, runs))
    if json_path is not None:
        figures = {name: median(run[name] for run in runs) for name in ways}
        json_path.write_text(json.dumps({"median": figures, "runs": runs}, indent=2), encoding="utf-8")
    return runs


def zero_shot(file: InputFile, text_column: str, seconds: float, device: str, json_path: Path | None) -> None:
    """Measure the zero-shot stage on random weights of bge-m3's shape, and print what it reached."""
    device_for(device)  # says that there is no such device, or no torch
    # Imported here: keywords are measured where there is no torch.
    from scripts.bench import zero_shot as zero_shot_bench

    texts = texts_of(file, text_column)
    with err.status("measuring"):
        found = zero_shot_bench.run(texts, seconds, device)
    rows = (
        ("reviews/s", f"{found['reviews_per_second']:,.1f}"),
        ("pairs/s", f"{found['pairs_per_second']:,.0f}"),
        ("tokens/s", f"{found['tokens_per_second']:,.0f}"),
        ("TFLOP/s needed by these tokens", f"{found['flops_per_second'] / 1e12:,.2f}"),
        ("TFLOP/s of the fastest matrix product", f"{found['peak_flops_per_second'] / 1e12:,.2f}"),
        ("share of that", f"{found['share_of_peak']:.1%}"),
        ("padding", f"{found['padding_share']:.1%}"),
        ("device", f"{found['device']}, {found['dtype']}"),
    )
    out.print(table(("zero-shot, random weights of bge-m3's shape", ""), rows, pad_edge=True))
    if json_path is not None:
        json_path.write_text(json.dumps(found, indent=2), encoding="utf-8")


def texts_of(file: InputFile, column: str) -> list[str]:
    """The texts of a file. Raises InputFileError where it has no such column."""
    texts = []
    for chunk in file.records():
        if chunk and column not in chunk[0]:
            raise InputFileError(
                f"{file.path}: expected a column {column!r}, found {', '.join(map(repr, chunk[0]))}"
            )
        texts += [str(record[column]) for record in chunk]
    return texts
