"""The page that travels with a model: what it is for, where it comes from, how good it is, and what is not known."""

from __future__ import annotations

from typing import Any, Final

from shared.classifiers.manifest import Export, Manifest

CALLED: Final = {
    "weighted_f1": "weighted F1 on gold",
    "macro_f1": "macro F1 on gold",
    "accuracy": "accuracy on gold",
    "gold_reviews": "gold reviews",
}
"""What the figures of a manifest are called for people: all of them are measured on gold."""


def model_card(manifest: Manifest) -> str:
    """The README.md of an artefact, in Markdown."""
    says = manifest
    reads = f"up to {says.max_tokens} tokens of a text; predictions on longer ones are marked as truncated"
    if says.runtime == "linear":
        reads = "whole texts, however long"
    serves = "as a linear model of words, pieces of words and word vectors, without a graph"
    if says.runtime == "pair":
        serves = f"as the mean of a linear model and a network in {says.precision}"
    elif says.export is not None:
        serves = f"in {says.precision}{f', because {says.export.fallback}' if says.export.fallback else ''}"
    return f"""# {says.architecture} for {says.taxonomy}

Gives a Russian product review a probability for each of {len(says.labels)} categories: {", ".join(says.labels)}.

* Taxonomy: {says.taxonomy}, version {says.taxonomy_version}
* Made: {says.created_at}{f", from {says.origin}" if says.origin else ""}
* Reads {reads}
* Logits are divided by a temperature of {says.temperature:.3g}{"" if says.temperature != 1.0 else " (not calibrated)"}
* Serves {serves}

## How good it is

{_lines(says.metrics) or "Not measured."}

## What it was trained on

{_lines(says.dataset) or "Not stated."}
{"" if says.export is None else _graphs(says.export)}"""


def _lines(values: dict[str, Any]) -> str:
    return "\n".join(
        f"* {CALLED.get(name, name)}: {f'{value:.4g}' if isinstance(value, float) else value}"
        for name, value in values.items()
    )


def _graphs(found: Export) -> str:
    rows = ["", "## The graphs, beside the torch model", "", f"On {found.texts:,} texts:", ""]
    for name, agreement in (("fp32", found.fp32), ("int8", found.int8)):
        if agreement is None:
            rows.append(f"* {name}: could not be made")
        else:
            rows.append(
                f"* {name}: the same category for {agreement.same:.2%}, probabilities up to "
                f"{agreement.difference:.2g} apart"
            )
    return "\n".join([*rows, ""])
