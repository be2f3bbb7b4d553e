"""`otzyv evaluate`: a chain of stages, every shorter chain out of it, or a file of labels, against a gold set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from scripts.command.console import out
from scripts.files.gold_file import GoldRow, read_gold
from scripts.files.label_file import read_labels
from scripts.files.whole_file import write_text
from scripts.quality.evaluation_report import html, terminal
from scripts.quality.evaluation_report.findings import Evaluation, StageLine, SubChain
from scripts.quality.judging import Judged, judge, rules
from shared.cascade.rule import StageRule
from shared.catalogue import STAGES
from shared.errors import ConfigurationError
from shared.quality import chains
from shared.quality.chains import ChainResult, StageResult
from shared.quality.evaluation import Score, confusion, score
from shared.runtime import runtime
from shared.setting_values import names_in
from shared.settings import Settings
from shared.store import thresholds
from shared.store.thresholds import StoredRule
from shared.taxonomy import Taxonomy

ALL = "all"


def stage_order(stage: str | None, chain: str | None, settings: Settings) -> tuple[str, ...]:
    """The stages to evaluate. Raises ConfigurationError for names that are none, or come twice."""
    wanted = stage or chain or settings.cascade_stages
    names = names_in(wanted)
    option = "--stage" if stage else "--chain"
    if not names or set(names) - set(STAGES) or len(set(names)) < len(names) or (stage and len(names) > 1):
        raise ConfigurationError(
            f"{option}: expected {'one name' if stage else 'different names'} out of {', '.join(STAGES)}, "
            f"found {wanted!r}"
        )
    return names


def evaluate(
    gold: Path,
    reviews: Path | None,
    judged_by: Path | tuple[str, ...],
    report: Path | None,
    settings: Settings,
    *,
    calibrated: bool,
    as_json: bool,
) -> None:
    """Score a file of labels or a chain of stages, show that, and write the report if one is asked for."""
    taxonomy = runtime.load_taxonomy(settings)
    rows = read_gold(gold, reviews, taxonomy)
    if isinstance(judged_by, Path):
        accepted, final, missing = read_labels(judged_by, rows, taxonomy)
        result = Evaluation(
            title=judged_by.name,
            taxonomy=taxonomy,
            groups=by_source(rows, accepted),
            final=by_source(rows, final),
            matrix=confusion([row.category for row in rows], final, taxonomy.slugs),
            missing=missing,
        )
    else:
        result = _of_chain(judged_by, rows, taxonomy, settings, calibrated=calibrated)
    if report is not None:
        svg = report.suffix.lower() == ".svg"
        write_text(report, html.svg(result) if svg else html.render(result))
    if as_json:
        out.print_json(data=_as_json(result))
    else:
        out.print(terminal.tables(result))
        if report is not None:
            out.print(f"report: {report}", soft_wrap=True)


def _of_chain(
    order: tuple[str, ...],
    rows: Sequence[GoldRow],
    taxonomy: Taxonomy,
    settings: Settings,
    *,
    calibrated: bool,
) -> Evaluation:
    judged = judge(order, [row.text for row in rows], taxonomy, settings)
    gold = [row.category for row in rows]
    stored: dict[str, StoredRule] = {}
    if calibrated:
        here = runtime.build(settings)
        with here.database.transaction() as cursor:
            stored = thresholds.current(cursor, here.taxonomy_id)
        if not stored:
            raise ConfigurationError(
                "--calibrated: expected thresholds in the database for this taxonomy, found none; run `otzyv calibrate`"
            )
    chosen = rules(judged, settings, stored)
    verdicts = {name: one.verdicts for name, one in judged.items()}
    results = {part: chains.run(part, verdicts, chosen, gold) for part in chains.sub_chains(order)}
    whole = results[order]
    return Evaluation(
        title=whole.name,
        taxonomy=taxonomy,
        groups=by_source(rows, whole.kept),
        final=by_source(rows, whole.labels),
        matrix=confusion(gold, whole.labels, taxonomy.slugs),
        stages=tuple(
            _stage(run, whole, results.get(chains.without(order, run.stage)), judged[run.stage], chosen)
            for run in whole.stages
        ),
        chains=tuple(_chain(result, judged) for result in results.values()),
    )


def _stage(
    run: StageResult, whole: ChainResult, rest: ChainResult | None, mine: Judged, chosen: dict[str, StageRule]
) -> StageLine:
    share = len(run.seen) / max(1, len(mine.verdicts))
    return StageLine(
        stage=run.stage,
        model=mine.stage.model,
        threshold=chosen[run.stage].value,
        seen=len(run.seen),
        kept=len(run.kept),
        precision=run.precision,
        seconds=mine.seconds * share,
        tokens=round(mine.tokens * share),
        gain_f1=whole.final.weighted_f1 - (rest.final.weighted_f1 if rest else 0.0),
        gain_right=whole.accepted.right - (rest.accepted.right if rest else 0),
    )


def _chain(result: ChainResult, judged: dict[str, Judged]) -> SubChain:
    shares = {stage.stage: len(stage.seen) / max(1, len(result.kept)) for stage in result.stages}
    return SubChain(
        name=result.name,
        accepted=result.accepted,
        final=result.final,
        sent_to_llm=shares.get("llm", 0.0),
        seconds=sum(judged[name].seconds * share for name, share in shares.items()),
        tokens=round(sum(judged[name].tokens * share for name, share in shares.items())),
    )


def by_source(rows: Sequence[GoldRow], answers: Sequence[str | None]) -> dict[str, Score]:
    """Scores of all rows, of each source, and of the rows on which careful readers would agree."""
    groups = {ALL: list(range(len(rows)))}
    for position, row in enumerate(rows):
        groups.setdefault(f"source {row.source}", []).append(position)
    groups["not ambiguous"] = [position for position, row in enumerate(rows) if not row.ambiguous]
    return {
        name: score([rows[p].category for p in positions], [answers[p] for p in positions])
        for name, positions in groups.items()
    }


def _as_json(result: Evaluation) -> dict[str, object]:
    first = result.stages[0] if len(result.stages) == 1 else None
    return {
        "title": result.title,
        **{name: getattr(first, name, None) for name in ("stage", "model", "threshold")},
        "missing": result.missing,
        "groups": {name: _score(row, result.final[name]) for name, row in result.groups.items()},
        "categories": [
            {**msgspec.to_builtins(row), "precision": row.precision, "recall": row.recall, "f1": row.f1}
            for row in result.groups[ALL].categories
        ],
        "confusion": msgspec.to_builtins(result.matrix),
        "stages": msgspec.to_builtins(result.stages),
        "chains": [
            {
                "chain": chain.name,
                **_score(chain.accepted, chain.final),
                **{name: getattr(chain, name) for name in ("sent_to_llm", "seconds", "tokens")},
            }
            for chain in result.chains
        ],
    }


def _score(accepted: Score, final: Score) -> dict[str, object]:
    kept = {name: getattr(accepted, name) for name in ("right", "precision", "coverage", "accuracy")}
    guessed = {name: getattr(final, name) for name in ("accuracy", "weighted_f1", "macro_f1")}
    return {"gold": accepted.total, "kept": accepted.answered, **kept, "final": guessed}
