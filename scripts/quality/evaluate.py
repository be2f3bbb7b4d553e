"""`otzyv evaluate`: a chain of stages, every shorter chain out of it, or a file of labels, against a gold set."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import msgspec

from scripts.command import promise
from scripts.command.console import out
from scripts.command.database import opened_for
from scripts.files.gold_file import GoldRow, read_gold
from scripts.files.label_file import read_labels
from scripts.files.whole_file import write_text
from scripts.language.language import translated
from scripts.pages import colours
from scripts.quality.evaluation_report import curve, html, terminal
from scripts.quality.evaluation_report.findings import (
    ALL,
    NOT_AMBIGUOUS,
    OF_SOURCE,
    EvaluatedReview,
    Evaluation,
    StageLine,
    SubChain,
)
from scripts.quality.judging import Judged, in_use, judge, rules
from scripts.quality.options import EvaluateOptions
from shared.cascade.rule import StageRule
from shared.catalogue import STAGES
from shared.errors import ConfigurationError
from shared.quality import chains
from shared.quality.chains import ChainResult, StageResult
from shared.quality.confusion import compared
from shared.quality.evaluation import Score, score
from shared.runtime import runtime
from shared.runtime.runtime import Runtime
from shared.setting_values import names_in
from shared.settings import Settings
from shared.store import thresholds
from shared.store.thresholds import StoredRule, Version
from shared.taxonomy import Taxonomy
from shared.text.masking import as_judged


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


def evaluate(given: EvaluateOptions, settings: Settings, *, as_json: bool) -> None:
    """Score a file of labels or a chain of stages, show that, and write the report if one is asked for."""
    if sum(option is not None for option in (given.stage, given.chain, given.labels)) > 1:
        raise ConfigurationError(
            "evaluate: expected one of --stage, --chain and --labels, found several; choose one"
        )
    if given.curve is not None and (given.curve.suffix.lower() != ".svg" or given.curve == given.report):
        raise ConfigurationError(
            f"--curve: expected a name that ends in .svg, and another than --report, found {given.curve}; rename it"
        )
    order = None if given.labels else stage_order(given.stage, given.chain, settings)
    taxonomy = runtime.load_taxonomy(settings)
    rows = read_gold(given.gold, given.reviews, taxonomy, given)
    if order is None:
        result = _of_labels(given, rows, taxonomy, settings)
    else:
        with opened_for(order, settings, given.store, "otzyv evaluate") as registered:
            result = _of_chain(order, rows, taxonomy, settings, given, registered)
    if given.report is not None:
        svg = given.report.suffix.lower() == ".svg"
        write_text(given.report, html.svg(result) if svg else html.render(result))
    if given.curve is not None:
        write_text(given.curve, _curve(result))
    if as_json:
        out.print_json(data=_as_json(result))
    else:
        out.print(terminal.tables(result))
        if given.report is not None:
            out.print(translated("report: {file}", file=given.report), soft_wrap=True)


def _curve(result: Evaluation) -> str:
    try:
        return curve.svg(result, colours.LIGHT)
    except ValueError as error:
        raise ConfigurationError(f"--curve: {error}; name them with --chain") from error


def _of_labels(
    given: EvaluateOptions, rows: Sequence[GoldRow], taxonomy: Taxonomy, settings: Settings
) -> Evaluation:
    assert given.labels is not None  # noqa: S101  for mypy
    kept, final, missing = read_labels(given.labels, rows, taxonomy, given)
    found = _compared(given.labels.name, taxonomy, rows, _texts(rows, settings), kept, final)
    return msgspec.structs.replace(found, missing=missing)


def _texts(rows: Sequence[GoldRow], settings: Settings) -> list[str]:
    return [as_judged(row.text, masks=settings.mask_personal_data) for row in rows]


def _compared(
    title: str,
    taxonomy: Taxonomy,
    rows: Sequence[GoldRow],
    texts: Sequence[str],
    kept: Sequence[str | None],
    final: Sequence[str | None],
) -> Evaluation:
    """Kept and final labels, one for each row of gold, beside it: by group, by category, and review by review."""
    gold = [row.category for row in rows]
    judged = zip(rows, texts, kept, final, strict=True)
    return Evaluation(
        title=title,
        taxonomy=taxonomy,
        groups=by_source(rows, kept),
        final=by_source(rows, final),
        kept=compared(gold, kept, taxonomy.slugs),
        labelled=compared(gold, final, taxonomy.slugs),
        reviews=tuple(
            EvaluatedReview(row.id, text, row.category, answer, mine is not None, row.ambiguous)
            for row, text, mine, answer in judged
        ),
    )


def _of_chain(
    order: tuple[str, ...],
    rows: Sequence[GoldRow],
    taxonomy: Taxonomy,
    settings: Settings,
    given: EvaluateOptions,
    registered: Runtime | None,
) -> Evaluation:
    version, stored = _calibrated(settings, registered) if given.calibrated else (None, {})
    made = in_use(order, taxonomy, settings, registered=registered, certified=given.calibrated)
    if not made or (len(made) < len(order) and (given.stage or given.chain)):
        where = "see `otzyv models list`" if registered else "name the folder or the server that has one"
        raise ConfigurationError(
            f"evaluate: expected the stages {', '.join(order)}, found no model for "
            f"{', '.join(name for name in order if name not in made)}; {where}, or leave it out"
        )
    order, texts = tuple(made), _texts(rows, settings)
    judged = judge(made, texts)
    gold = [row.category for row in rows]
    chosen = rules(judged, settings, stored)
    verdicts = {name: one.verdicts for name, one in judged.items()}
    results = {part: chains.run(part, verdicts, chosen, gold) for part in chains.sub_chains(order)}
    run_by = partial(chains.run, order, verdicts, gold=gold)
    whole = results[order]
    return msgspec.structs.replace(
        _compared(whole.name, taxonomy, rows, texts, whole.kept, whole.labels),
        stages=tuple(
            _stage(run, whole, results.get(chains.without(order, run.stage)), judged[run.stage], chosen)
            for run in whole.stages
        ),
        chains=tuple(_chain(result, judged) for result in results.values()),
        spared=chains.spared(order, chosen, run_by) if len(order) > 1 else None,
        certified=promise.by_rules(version, chosen) if given.calibrated else None,
    )


def _calibrated(
    settings: Settings, registered: Runtime | None
) -> tuple[Version | None, dict[str, StoredRule]]:
    """The version of thresholds that holds now, and its rules. Raises ConfigurationError where there are none."""
    here = registered or runtime.build(settings)
    with here.database.transaction() as cursor:
        stored = thresholds.current(cursor, here.taxonomy_id)
        version = next(iter(thresholds.versions(cursor, here.taxonomy_id, 1)), None)
    if not stored:
        raise ConfigurationError(
            "--calibrated: expected thresholds in the database for this taxonomy, found none; run `otzyv calibrate`"
        )
    return version, stored


def _stage(
    run: StageResult, whole: ChainResult, rest: ChainResult | None, mine: Judged, chosen: dict[str, StageRule]
) -> StageLine:
    share = len(run.seen) / max(1, len(mine.verdicts))
    return StageLine(
        stage=run.stage,
        model=mine.stage.model,
        threshold=chosen[run.stage].least_confidence,
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
        groups.setdefault(f"{OF_SOURCE}{row.source}", []).append(position)
    groups[NOT_AMBIGUOUS] = [position for position, row in enumerate(rows) if not row.ambiguous]
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
        "spared": msgspec.to_builtins(result.spared),
        "certified": result.certified.english if result.certified else None,
        "groups": {name: _score(row, result.final[name]) for name, row in result.groups.items()},
        "categories": [
            {**msgspec.to_builtins(row), "precision": row.precision, "recall": row.recall, "f1": row.f1}
            for row in result.kept.categories
        ],
        "confusion": msgspec.to_builtins(result.labelled.matrix),
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
