"""Benchmarks as tables and JSON: what was measured, and how it compares with its peers in the same run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from scripts.bench import keywords as keyword_bench
from scripts.bench.options import BenchOptions
from scripts.bench.turns import compared, taken
from scripts.command.console import out
from scripts.command.progress import phase
from scripts.command.settings import settings
from scripts.pages.tables import table
from shared.catalogue import load
from shared.compute.device import device_for
from shared.runtime import runtime

RUNS = 3

WAYS = {
    "ours": "the keyword stage, evidence included",
    "regex": "one regular expression of stems, per text",
    "lemmas": "every word lemmatised by pymorphy3 and looked up",
}
LINEAR = {
    "linear": "ours, linear: words, pieces and word vectors",
    "scikit_learn": "scikit-learn's pipeline: TfidfVectorizer of words and of pieces, LinearSVC",
    "loop": "a bare loop over the words and pieces of a text",
}
CLASSIFIERS = {
    "ours_int8": "ours, int8",
    "ours_fp32": "ours, fp32",
    "bare_int8": "bare ONNX Runtime over batches made beforehand, and tokenisation; int8",
    "torch_sorted": "torch, sorted batches",
    "pipeline_64": "transformers pipeline, batches of 64",
    "pipeline_1": "transformers pipeline, one at a time",
}


def keywords(given: BenchOptions, seconds: float) -> None:
    """Measure the keyword stage on a file's texts, several times, and print the medians."""
    texts = given.texts()
    runs = _told(WAYS, lambda: keyword_bench.run(texts, seconds / RUNS), given)
    first = runs[0]
    out.print(
        f"{first['texts']:,} texts of {first['mean_chars']:.0f} characters on average, {first['chunk']} a call, "
        f"one core; building the stage took {median(run['compile_seconds'] for run in runs):.1f} s"
    )


def linear(given: BenchOptions, seconds: float) -> None:
    """Measure the linear classifier on a file's texts, several times, and print the medians."""
    # Loaded here: the other benchmarks do without scikit-learn.
    measure = load("scripts.bench.linear:run")
    texts, taxonomy = given.texts(), runtime.load_taxonomy(settings())
    first, *_ = _told(LINEAR, lambda: measure(texts, seconds / RUNS, taxonomy), given)
    out.print(
        f"{first['texts']:,} texts of {first['mean_chars']:.0f} characters on average, {first['chunk']} a call, one "
        f"core; taught by the keyword stage on these texts, {first['columns']:,} columns"
    )


def classifier(given: BenchOptions, seconds: float, tokenizer: Path | None) -> None:
    """Measure predictions on a file's texts, several times, and print the medians."""
    # Loaded here: keywords are measured where there is no torch.
    measure = load("scripts.bench.classifier:run")
    texts = given.texts()
    first, *_ = _told(CLASSIFIERS, lambda: measure(texts, seconds / RUNS, tokenizer), given)
    out.print(
        f"{first['texts']:,} texts of {first['mean_chars']:.0f} characters and {first['mean_tokens']:.0f} tokens on "
        f"average, {first['chunk']} a call, one core; rubert-tiny2's shape with random weights"
    )


def _told(
    ways: Mapping[str, str], run: Callable[[], dict[str, Any]], given: BenchOptions
) -> list[dict[str, Any]]:
    runs = taken((run() for _ in range(RUNS)), RUNS, "run")
    out.print(compared(ways, runs))
    given.write({"median": {name: median(run[name] for run in runs) for name in ways}, "runs": runs})
    return runs


def zero_shot(given: BenchOptions, seconds: float, device: str) -> None:
    """Measure the zero-shot stage on random weights of bge-m3's shape, and print what it reached."""
    device_for(device)  # says that there is no such device, or no torch
    # Loaded here: keywords are measured where there is no torch.
    measure = load("scripts.bench.zero_shot:run")
    texts = given.texts()
    with phase("measuring"):
        found = measure(texts, seconds, device)
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
    given.write(found)
