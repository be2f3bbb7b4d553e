"""Rules for a whole chain that are certified on a gold set: stage after stage, each on the reviews that reach it.

Pure: verdicts and true categories in, rules out. The method of one stage is in `shared.quality.calibration`; here its
risk is shared by all certificates that are asked for (Bonferroni), so that all of them hold together with the asked
certainty.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np

from shared.cascade.rule import Curve, StageRule
from shared.cascade.stage import Verdict
from shared.quality import binomial
from shared.quality.calibration import CERTAINTY, GRID, Certificate, certify, fit, out_of_fold

REST = None
"""The group of all categories that have no certificate of their own."""


class StageFinding(msgspec.Struct, frozen=True):
    """What a gold set says about one stage of a chain.

    `reached` gold reviews came to it, of which it `answers` some. `certificates` are by slug of category, REST for all
    others. `rule` is what follows: a group that is not certified keeps nothing.
    """

    stage: str
    reached: int
    answers: int
    curve: Curve | None
    certificates: dict[str | None, Certificate]
    rule: StageRule

    @property
    def certified(self) -> bool:
        """Whether any group may be kept."""
        return any(found.chosen is not None for found in self.certificates.values())


def certify_stages(
    verdicts: Mapping[str, Sequence[Verdict | None]],
    gold: Sequence[str],
    target: float,
    *,
    certainty: float = CERTAINTY,
    per_category: bool = False,
    uncertified: Mapping[str, StageRule] | None = None,
) -> list[StageFinding]:
    """Certify the stages of a chain in their order.

    `verdicts` holds each stage's answers on all gold reviews, shape [n] each; its order is the chain's. `uncertified`
    gives rules for stages that cannot be certified; by default these keep nothing. Raises ValueError for a target
    outside 0..1.
    """
    waiting = list(range(len(gold)))
    findings = []
    for stage, answers in verdicts.items():
        finding = _certify(
            stage, [answers[at] for at in waiting], [gold[at] for at in waiting], target, certainty,
            per_category=per_category, stages=len(verdicts),
        )  # fmt: skip
        if not finding.certified and uncertified is not None:
            finding = msgspec.structs.replace(finding, rule=uncertified[stage])
        findings.append(finding)
        rule = finding.rule
        waiting = [at for at in waiting if not rule.keeps(rule.weigh(answers[at]))]
    return findings


def _certify(
    stage: str,
    verdicts: Sequence[Verdict | None],
    gold: Sequence[str],
    target: float,
    certainty: float,
    *,
    per_category: bool,
    stages: int,
) -> StageFinding:
    given = [(v, v.category == truth) for v, truth in zip(verdicts, gold, strict=True) if v is not None]
    scores = np.array([verdict.raw for verdict, _ in given])
    right = np.array([good for _, good in given], dtype=bool)
    slugs = [verdict.category for verdict, _ in given]
    groups = _groups(slugs, target, certainty, stages) if per_category else [REST]
    confidences = out_of_fold(scores, right)
    certificates = {}
    for group in groups:
        mine = np.array([slug == group if group else slug not in groups for slug in slugs], dtype=bool)
        certificates[group] = certify(
            confidences[mine], right[mine], target, certainty=certainty, tests=stages * len(groups)
        )
    curve = fit(scores, right) if len(given) else None
    values = {
        group: found.chosen.threshold if found.chosen else None for group, found in certificates.items()
    }
    own = {slug: value for slug, value in values.items() if slug is not None}
    rule = StageRule(values[REST], own, curve)
    return StageFinding(stage, len(gold), len(given), curve, certificates, rule)


def _groups(slugs: Iterable[str], target: float, certainty: float, stages: int) -> list[str | None]:
    """Categories with so many answers that they could be certified alone, and REST.

    They are chosen by counts only, before anybody looks at what is right: else the bound would not hold.
    """
    counts = sorted(Counter(slugs).items())
    most = len(counts) + 1
    risk = (1.0 - certainty) / (len(GRID) * stages * most)
    return [*(slug for slug, n in counts if binomial.at_least(n, n, risk) >= target), REST]
