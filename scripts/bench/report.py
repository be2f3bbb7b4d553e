"""Benchmarks as tables and JSON: what was measured, and how it compares with its peers in the same run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from rich.table import Table

from scripts.bench import keywords as keyword_bench
from scripts.command.console import err, out
from scripts.files.input_file import InputFile
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
    runs = _runs(lambda: keyword_bench.run(texts, seconds / RUNS))
    _show(WAYS, runs, "ours", json_path)
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
    runs = _runs(lambda: classifier_bench.run(texts, seconds / RUNS, tokenizer))
    _show(CLASSIFIERS, runs, "ours_int8", json_path)
    first = runs[0]
    out.print(
        f"{first['texts']:,} texts of {first['mean_chars']:.0f} characters and {first['mean_tokens']:.0f} tokens on "
        f"average, {first['chunk']} a call, one core; rubert-tiny2's shape with random weights"
    )


def _runs(run: Callable[[], dict[str, Any]]) -> list[dict[str, Any]]:
    runs = []
    with err.status("measuring") as status:
        for number in range(1, RUNS + 1):
            status.update(f"measuring, run {number} of {RUNS}")
            runs.append(run())
    return runs


def _show(ways: Mapping[str, str], runs: list[dict[str, Any]], ours: str, json_path: Path | None) -> None:
    out.print(rates(ways, runs, ours))
    if json_path is not None:
        figures = {name: median(run[name] for run in runs) for name in ways}
        json_path.write_text(json.dumps({"median": figures, "runs": runs}, indent=2), encoding="utf-8")


def zero_shot(file: InputFile, text_column: str, seconds: float, device: str, json_path: Path | None) -> None:
    """Measure the zero-shot stage on random weights of bge-m3's shape, and print what it reached."""
    # Imported here: keywords are measured where there is no torch.
    from scripts.bench import zero_shot as zero_shot_bench

    texts = texts_of(file, text_column)
    with err.status("measuring"):
        found = zero_shot_bench.run(texts, seconds, device)
    table = Table("zero-shot, random weights of bge-m3's shape", "", box=None)
    table.columns[1].justify = "right"
    for name, shown in (
        ("reviews/s", f"{found['reviews_per_second']:,.1f}"),
        ("pairs/s", f"{found['pairs_per_second']:,.0f}"),
        ("tokens/s", f"{found['tokens_per_second']:,.0f}"),
        ("TFLOP/s needed by these tokens", f"{found['flops_per_second'] / 1e12:,.2f}"),
        ("TFLOP/s of the fastest matrix product", f"{found['peak_flops_per_second'] / 1e12:,.2f}"),
        ("share of that", f"{found['share_of_peak']:.1%}"),
        ("padding", f"{found['padding_share']:.1%}"),
        ("device", f"{found['device']}, {found['dtype']}"),
    ):
        table.add_row(name, shown)
    out.print(table)
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


def rates(ways: Mapping[str, str], runs: list[dict[str, Any]], ours: str) -> Table:
    """Reviews per second of each way: the median, the extremes, and how much faster ours is."""
    table = Table("way", "reviews/s", "lowest to highest run", "ours is", box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, explanation in ways.items():
        found = [run[name] for run in runs]
        # The median of the ratios within the runs: a busy machine slows both sides of each.
        ratio = median(run[ours] / run[name] for run in runs)
        told = "" if name == ours else f"{ratio:.2f} x as fast"
        table.add_row(explanation, f"{median(found):,.0f}", f"{min(found):,.0f} to {max(found):,.0f}", told)
    return table
