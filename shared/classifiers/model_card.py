"""The page that travels with a model: what it is for, where it comes from, how good it is, and what is not known."""

from __future__ import annotations

from shared.classifiers.manifest import Export, Manifest


def model_card(manifest: Manifest) -> str:
    """The README.md of an artefact, in Markdown."""
    says = manifest
    return f"""# {says.architecture} for {says.taxonomy}

Gives a Russian product review a probability for each of {len(says.labels)} categories: {", ".join(says.labels)}.

* Taxonomy: {says.taxonomy}, version {says.taxonomy_version}
* Made: {says.created_at}{f", from {says.origin}" if says.origin else ""}
* Reads {_length(says)}
* Logits are divided by a temperature of {says.temperature:.3g}{"" if says.temperature != 1.0 else " (not calibrated)"}
* Serves {_runtime(says)}

## How good it is

{_lines(says.metrics)}

## What it was trained on

{_lines(says.dataset, "Not stated.")}
{_graphs(says.export)}"""


def _length(says: Manifest) -> str:
    if says.runtime == "linear":
        return "whole texts, however long"
    return f"up to {says.max_tokens} tokens of a text; predictions on longer ones are marked as truncated"


def _runtime(says: Manifest) -> str:
    if says.export is None:
        return "as a linear model of words, pieces of words and word vectors, without a graph"
    return f"in {says.precision}{f', because {says.export.fallback}' if says.export.fallback else ''}"


def _graphs(found: Export | None) -> str:
    return "" if found is None else f"\n## The graphs, beside the torch model\n\n{_export(found)}\n"


def _lines(values: dict[str, object] | dict[str, float], nothing: str = "Not measured.") -> str:
    return "\n".join(f"* {name}: {_shown(value)}" for name, value in values.items()) or nothing


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _export(found: Export) -> str:
    rows = [f"On {found.texts:,} texts:", ""]
    for name, agreement in (("fp32", found.fp32), ("int8", found.int8)):
        if agreement is None:
            rows.append(f"* {name}: could not be made")
        else:
            rows.append(
                f"* {name}: the same category for {agreement.same:.2%}, probabilities up to "
                f"{agreement.difference:.2g} apart"
            )
    return "\n".join(rows)
