"""What half of the reference gold certifies holds on the other half: of each stage, and of a whole chain."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest

from scripts.files.gold_file import read_gold
from shared.cascade.stage import Verdict, verdicts
from shared.quality import chains
from shared.quality.certification import certify_stages
from shared.quality.chain_certificate import certify_chain
from shared.reviews.labelled_text import Row
from shared.settings import load
from shared.taxonomy import Taxonomy, default_taxonomy
from shared.training.arguments import arguments
from shared.training.data import prepared
from shared.training.linear import train_linear
from tests.support.row_files import read_rows
from tests.support.stage_contract import built

TARGET = 0.95


@pytest.mark.parametrize("order", [("keywords",), ("keywords", "similarity")])
def test_thresholds_from_half_of_gold_hold_on_the_other_half(shared_data: Path, order):
    taxonomy = default_taxonomy()
    rows = read_gold(shared_data / "gold.csv", None, taxonomy)
    texts, gold = [row.text for row in rows], [row.category for row in rows]
    given = {name: verdicts(built(name, taxonomy, load(), None, 0), texts) for name in order}
    certified = 0
    for seed in range(10):
        places = random.Random(seed).sample(range(len(rows)), len(rows))
        half, rest = places[: len(rows) // 2], places[len(rows) // 2 :]
        findings = certify_stages(
            {name: [given[name][at] for at in half] for name in order}, [gold[at] for at in half], TARGET
        )
        result = chains.run(
            order,
            {name: [given[name][at] for at in rest] for name in order},
            {found.stage: found.rule for found in findings},
            [gold[at] for at in rest],
        )
        if not findings[0].certified:
            assert result.accepted.answered == 0
            continue
        certified += 1
        error = math.sqrt(TARGET * (1 - TARGET) / result.accepted.answered)
        print(f"{result.name} {result.accepted.precision:.3f} {result.accepted.coverage:.3f}")
        assert result.accepted.precision >= TARGET - error
        assert result.accepted.coverage > 0.4
    assert certified >= 8, "half of gold should nearly always be enough for the keywords"


def _classified(folder: Path, taxonomy: Taxonomy, texts: list[str]) -> list[Verdict | None]:
    """What a linear classifier that has learnt from the labels outside of gold says, as a stage would."""
    gold = {row["id"] for row in read_rows(folder / "gold.csv")}
    known = {row["id"]: row["text"] for row in read_rows(folder / "reviews.csv")}
    rows = [
        Row(known[row["id"]], taxonomy.category(row["category"]).slug, number)
        for number, row in enumerate(read_rows(folder / "llm_labels.csv"), 1)
        if row["id"] not in gold
    ]
    chosen = arguments(architecture="linear")
    shares = train_linear(chosen, prepared(rows, texts, taxonomy, chosen)).predict(texts).probabilities
    return [Verdict(taxonomy.slugs[int(row.argmax())], float(row.max())) for row in shares]


def test_a_chain_from_half_of_gold_holds_on_the_other_half_with_a_classifier_that_alone_would_not(
    shared_data: Path,
):
    taxonomy = default_taxonomy()
    rows = read_gold(shared_data / "gold.csv", None, taxonomy)
    texts, gold = [row.text for row in rows], [row.category for row in rows]
    made = {name: built(name, taxonomy, load(), None, 0) for name in ("keywords", "similarity")}
    given = {name: verdicts(stage, texts) for name, stage in made.items()}
    given["student"] = _classified(shared_data, taxonomy, texts)
    defaults = {name: stage.default_threshold for name, stage in made.items()} | {"student": None}
    whole = certify_chain(given, gold, defaults, TARGET)
    assert whole.chosen is not None
    print(f"all of gold: coverage {whole.chosen.kept / len(gold):.3f}, at least {whole.chosen.bound:.3f}")
    assert whole.chosen.kept / len(gold) >= 0.83
    precisions, coverages = [], []
    for seed in range(20):
        places = random.Random(seed).sample(range(len(rows)), len(rows))
        half, rest = places[: len(rows) // 2], places[len(rows) // 2 :]
        found = certify_chain(
            {name: [answers[at] for at in half] for name, answers in given.items()},
            [gold[at] for at in half],
            defaults,
            TARGET,
        )
        if not found.certified:
            continue
        result = chains.run(
            tuple(given),
            {name: [answers[at] for at in rest] for name, answers in given.items()},
            found.rules,
            [gold[at] for at in rest],
        )
        precisions.append(result.accepted.precision)
        coverages.append(result.accepted.coverage)
    print(
        f"certified {len(precisions)} of 20; precision {sum(precisions) / len(precisions):.3f}, least "
        f"{min(precisions):.3f}; coverage {sum(coverages) / len(coverages):.3f}, least {min(coverages):.3f}"
    )
    assert len(precisions) >= 19
    assert min(precisions) >= 0.94
    assert sum(precisions) / len(precisions) >= 0.955
    assert sum(coverages) / len(coverages) >= 0.8
