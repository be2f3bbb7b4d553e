"""What oversampling does to probabilities, and what a correction by log shares makes of them.

`python -m tests.benchmarks.oversampling reviews.csv labels.csv gold.csv linear lstm [--base folder] [--seeds 2]`: each
architecture is trained on the labels outside of gold with and without `balance=oversample`, and measured on gold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

from scripts.files.input_file import InputFile
from shared.classifiers.linear import NEVER
from shared.classifiers.onnx_classifier import Tokens
from shared.classifiers.packaging.logits import torch_logits
from shared.classifiers.temperature import fit_temperature
from shared.quality.evaluation import score
from shared.reviews.labelled_text import Row
from shared.taxonomy import Taxonomy, default_taxonomy
from shared.training.architectures import with_defaults
from shared.training.arguments import Arguments, arguments
from shared.training.data import Data, prepared
from shared.training.linear import train_judged
from shared.training.network import train

BINS = 15
Logits = NDArray[np.float64]
Columns = NDArray[np.int64]


class Quiet:
    """A watch that looks on."""

    def log(self, step: int, epoch: float, values: Mapping[str, float]) -> None:
        """Nobody reads it."""

    def progress(self, share: float) -> None:
        """Nobody waits."""

    def stop(self) -> bool:
        """Never."""
        return False


def rows_of(reviews: Path, labels: Path, gold: Path, taxonomy: Taxonomy) -> tuple[list[Row], list[Row]]:
    """Labelled rows outside of gold, and gold."""

    def column(file: Path, name: str) -> dict[str, str]:
        return {
            str(record["id"]): str(record[name]) for chunk in InputFile(file).records() for record in chunk
        }

    texts = column(reviews, "text")
    checked = {key: taxonomy.category(name).slug for key, name in column(gold, "category").items()}
    given = {key: taxonomy.category(name).slug for key, name in column(labels, "category").items()}
    taught = [
        Row(texts[key], slug, at + 1) for at, (key, slug) in enumerate(given.items()) if key not in checked
    ]
    return taught, [Row(texts[key], slug, at + 1) for at, (key, slug) in enumerate(checked.items())]


def said(chosen: Arguments, data: Data, texts: Sequence[str], folder: Path) -> tuple[Logits, Columns, Logits]:
    """Logits and columns to calibrate on, as training does, and logits of other texts."""
    if chosen.architecture == "linear":
        model, judged = train_judged(chosen, data)
        rows = (*data.train, *data.validation)
        known = [at for at in judged if judged[at][data.labels.index(rows[at].category)] > NEVER / 2]
        columns = np.array([data.labels.index(rows[at].category) for at in known])
        return (
            np.stack([judged[at] for at in known]).astype(float),
            columns,
            model.logits(texts).astype(float),
        )
    made = train(chosen, data, folder, Quiet())
    tokens = Tokens(made.tokenizer, made.max_tokens)
    validation = torch_logits(made.network, tokens([row.text for row in data.validation])[0])
    columns = np.array([data.labels.index(row.category) for row in data.validation])
    return validation.astype(float), columns, torch_logits(made.network, tokens(texts)[0]).astype(float)


def log_shares(data: Data) -> NDArray[np.float64]:
    """By how much oversampling raised each category, negated: log of its share among reviews over an equal share."""
    found = Counter(row.category for row in (*data.train, *data.validation) if row.review_id)
    counts = np.array([found[label] + 1 for label in data.labels])
    return np.asarray(np.log(counts / counts.sum() * len(counts)))


def fitted(logits: Logits, columns: Columns, shares: NDArray[np.float64]) -> tuple[float, float]:
    """Temperature and strength of the correction that make the categories likeliest."""

    def loss(at: NDArray[np.float64]) -> float:
        return float(
            -log_softmax(logits / np.exp(at[0]) + at[1] * shares, axis=1)[
                np.arange(len(columns)), columns
            ].mean()
        )

    found = minimize(loss, np.array([0.0, 0.0]), method="Nelder-Mead").x
    return float(np.exp(found[0])), float(found[1])


def figures(scores: Logits, truth: Columns, labels: Sequence[str]) -> str:
    """Accuracy, F1, expected accuracy, calibration error and log-loss."""
    logs = log_softmax(scores, axis=1)
    answers, sure = scores.argmax(axis=1), np.exp(logs.max(axis=1))
    right = answers == truth
    bins = np.minimum((sure * BINS).astype(int), BINS - 1)
    error = sum(abs((sure[bins == one] - right[bins == one]).sum()) for one in range(BINS)) / len(truth)
    found = score([labels[at] for at in truth], [labels[at] for at in answers])
    return (
        f"accuracy {found.accuracy:.3f}, weighted F1 {found.weighted_f1:.3f}, macro F1 {found.macro_f1:.3f}, "
        f"expected accuracy {sure.mean():.3f}, calibration error {error:.3f}, "
        f"log-loss {-logs[np.arange(len(truth)), truth].mean():.3f}"
    )


def compared(chosen: Arguments, data: Data, gold: Sequence[Row]) -> None:
    """Print what is said of gold, plain and corrected."""
    with TemporaryDirectory(prefix="otzyv-oversampling-") as folder:
        logits, columns, others = said(chosen, data, [row.text for row in gold], Path(folder))
    at = [place for place, row in enumerate(gold) if row.category in data.labels]
    others, truth = others[at], np.array([data.labels.index(gold[place].category) for place in at])
    name = f"{chosen.architecture}, balance={chosen.balance}, seed {chosen.seed}"
    plain = fit_temperature(logits, columns)
    print(f"{name}: temperature {plain:.2f}: {figures(others / plain, truth, data.labels)}", flush=True)
    if chosen.balance != "oversample":
        return
    shares = log_shares(data)
    probabilities = np.exp(log_softmax(others / plain, axis=1)).mean(axis=0)
    real = np.bincount(truth, minlength=len(data.labels)) / len(truth)
    raised = ", ".join(
        f"{label} {p / max(r, 1e-9):.2f}"
        for label, p, r in zip(data.labels, probabilities, real, strict=True)
    )
    print(f"  predicted over real share: {raised}")
    for strength in (0.25, 0.5, 1.0):
        own = fit_temperature(logits + strength * shares, columns)
        told = figures((others + strength * shares) / own, truth, data.labels)
        print(f"  strength {strength}: temperature {own:.2f}: {told}", flush=True)
    temperature, strength = fitted(logits, columns, shares)
    told = figures(others / temperature + strength * shares, truth, data.labels)
    print(f"  fitted strength {strength:.2f}: temperature {temperature:.2f}: {told}", flush=True)


def main(
    reviews: Path,
    labels: Path,
    gold: Path,
    architectures: list[str],
    base: Annotated[str | None, typer.Option(help="With random weights.")] = None,
    seeds: int = 1,
) -> None:
    """Train, correct, measure."""
    taxonomy = default_taxonomy()
    taught, checked = rows_of(reviews, labels, gold, taxonomy)
    for architecture in architectures:
        for seed in range(seeds):
            for balance in ("oversample", "weights", "none"):
                values: dict[str, Any] = {
                    "architecture": architecture,
                    "seed": seed,
                    "balance": balance,
                    "device": "cpu",
                }
                if base and architecture not in ("linear", "lstm"):
                    values |= {"base": base, "random_weights": True}
                chosen = arguments(**values)
                data = prepared(taught, [row.text for row in checked], taxonomy, chosen)
                compared(with_defaults(chosen) if architecture != "linear" else chosen, data, checked)


if __name__ == "__main__":
    typer.run(main)
