"""A champion for a benchmark: a classifier in its database that predicts, or judges as a student.

The linear one is taught by the keyword stage on the benchmark's texts. The network has rubert-tiny2's shape, random
weights and a tokenizer that is trained on the texts: its speed does not depend on what it has learnt.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal

from shared.catalogue import load
from shared.classifiers import LinearClassifier, Location
from shared.classifiers.packaging.package import Package, TrainedModel, package
from shared.runtime import runtime
from shared.serving.registry import Registry
from shared.settings import Settings
from shared.taxonomy import Taxonomy

Kind = Literal["linear", "network"]
SAMPLE = 200
"""Texts that its reference for drift is taken on, and that a network's graph is compared on."""
AS_STUDENT = {
    "OTZYV_CASCADE_STAGES": "keywords,similarity,student",
    "OTZYV_THRESHOLDS": '{"student": 0.85}',
}
PREDICTING = {"OTZYV_PREDICTIONS": "true"}


def enrol(settings: Settings, texts: Sequence[str], folder: Path, kind: Kind) -> dict[str, str]:
    """Register it in the database; returns the settings of processes that find it."""
    models = str(folder / "models")
    with closing(runtime.open_database(settings, "otzyv bench")) as database:
        here = runtime.build(settings, database)
        registry = Registry(database, Location(models), here.taxonomy, here.taxonomy_id)
        made = package(_made(kind, texts, here.taxonomy), here.taxonomy, texts[:SAMPLE], registry.location)
        registry.promote(registry.register(made), "champion", moved_by="otzyv bench")
    return {"OTZYV_MODELS": models}


def _made(kind: Kind, texts: Sequence[str], taxonomy: Taxonomy) -> TrainedModel:
    # Loaded here: benchmarks without a champion do without scikit-learn and torch.
    if kind == "linear":
        model: LinearClassifier = load("scripts.bench.linear:taught")(texts, taxonomy)[0]
        return model
    network, tokenizer = load("scripts.bench.classifier:untaught")(texts, len(taxonomy.slugs))
    return Package(
        network=load("shared.classifiers.packaging.logits:Logits")(network),
        architecture="full",
        labels=tuple(taxonomy.slugs),
        max_tokens=512,
        tokenizer=tokenizer.backend_tokenizer.to_str().encode(),
        files={},
    )
