"""What half of the reference gold certifies holds on the other half."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest

from scripts.files.gold_file import read_gold
from shared.cascade.stage import verdicts
from shared.quality import chains
from shared.quality.certification import certify_chain
from shared.runtime import stages
from shared.settings import load
from shared.taxonomy import default_taxonomy

TARGET = 0.95


@pytest.mark.parametrize("order", [("keywords",), ("keywords", "similarity")])
def test_thresholds_from_half_of_gold_hold_on_the_other_half(shared_data: Path, order):
    taxonomy = default_taxonomy()
    rows = read_gold(shared_data / "gold.csv", None, taxonomy)
    texts, gold = [row.text for row in rows], [row.category for row in rows]
    given = {name: verdicts(stages.build(name, taxonomy, load(), None, 0), texts) for name in order}
    certified = 0
    for seed in range(10):
        places = random.Random(seed).sample(range(len(rows)), len(rows))
        half, rest = places[: len(rows) // 2], places[len(rows) // 2 :]
        findings = certify_chain(
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
