"""`otzyv plan`: what labelling a file would take, from a sample, before any money is spent."""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table

from scripts.command.console import out, tell_unanswered
from scripts.command.database import opened_for
from scripts.command.progress import phase
from scripts.files.review_rows import ReviewRows
from scripts.labelling import sample as sampling
from scripts.language.language import Sentence, counted, grouped, translated
from scripts.pages import figures
from scripts.pages.tables import figure, table
from shared.cascade.rule import StageRule
from shared.cascade.stage import Stage, StageSource, raise_if_nothing_came
from shared.catalogue import STAGES
from shared.errors import ConfigurationError
from shared.labelling.rules import resolve
from shared.quality.planning import SampleShare
from shared.runtime import runtime, stages
from shared.runtime.runtime import Runtime
from shared.settings import Settings
from shared.stages.llm import UNSCORED, Prompt, PromptWriter, is_unscored
from shared.stages.llm.prompt import DEFAULT_TEMPLATE
from shared.store import thresholds
from shared.store.thresholds import StoredRule
from shared.taxonomy import Taxonomy
from shared.text.masking import as_judged
from workers.rabbitmq import topology

TOKENS_PER_CHAR = 0.35
"""Tokens reckoned for a character of a Russian prompt where the model was not asked: vocabularies give 0.25 to 0.5."""
MILLION = 1_000_000
LLM = "llm"
NO_MODEL = Sentence("no model may judge; see `otzyv status`")
NO_DATABASE = Sentence("rests: no database was reached that may have its model")


class StagePlan(msgspec.Struct):
    """One stage: the share of all reviews that reach it, and of these the share it keeps (None: not measured).

    `seconds` and tokens are for one review that reaches it, None where nobody measured.
    """

    stage: str
    seen: SampleShare
    kept: SampleShare | None = None
    seconds: float | None = None
    tokens_in: float = 0.0
    tokens_out: float = 0.0
    notes: list[Sentence | str] = []


class Plan(msgspec.Struct):
    """What a file would take. `prompt` is one rendered question to the language model, if it is in the chain."""

    rows: int
    distinct: int
    sample: int
    stages: list[StagePlan]
    left: SampleShare
    prompt: Prompt | None = None


def plan(
    rows: ReviewRows, size: int, seed: int, ask: int, settings: Settings, store: Path | None, *, as_json: bool
) -> None:
    """Read the file once, put a sample through the chain, and show what the whole would take."""
    total, distinct, sample = sampling.sample(rows, size, seed)
    found = Plan(total, distinct, len(sample), [], SampleShare(0, 0))
    judged = [as_judged(text, masks=settings.mask_personal_data) for text in sample]
    with opened_for(settings.stages, settings, store, "otzyv plan") as registered:
        waiting = _through_the_chain(found, judged, ask, settings, registered)
    found.left = SampleShare(len(waiting), len(sample))
    if as_json:
        out.print_json(data=_as_json(found, settings))
    else:
        out.print(_shown(found, settings))


def _through_the_chain(
    found: Plan, sample: list[str], ask: int, settings: Settings, registered: Runtime | None
) -> list[str]:
    """Note what each stage would take; returns the texts that are left."""
    taxonomy, stored, waiting = runtime.load_taxonomy(settings), dict[str, StoredRule](), sample
    if registered is not None:
        with registered.database.transaction() as cursor:
            stored = thresholds.current(cursor, registered.taxonomy_id)
    with phase(translated("loading the stages")):
        made = {name: _made(name, taxonomy, settings, registered) for name in settings.stages if name != LLM}
    order = tuple(name for name in settings.stages if not isinstance(made.get(name), ConfigurationError))
    for name in settings.stages:
        reached, stage = SampleShare(len(waiting), len(sample)), made.get(name)
        if stage is None:
            planned, waiting = _llm(found, reached, waiting, taxonomy, settings, ask)
        elif isinstance(stage, ConfigurationError):
            # One that cannot be used is taken to keep nothing; one that rests takes no time either.
            seconds = 0.0 if STAGES[name].may_rest else None
            planned = StagePlan(name, reached, seconds=seconds, notes=[stage.args[0]])
        else:
            rule = resolve(stage, settings.thresholds, stored.get(name), order)
            planned, waiting = _run(stage, rule, reached, waiting)
        found.stages.append(planned)
    return waiting


def _made(
    name: str, taxonomy: Taxonomy, settings: Settings, registered: Runtime | None
) -> Stage | ConfigurationError:
    """A stage, or why it cannot be used. Only one whose model is registered looks into a database."""
    place = registered if STAGES[name].may_rest else None
    if STAGES[name].may_rest and place is None:
        return ConfigurationError(NO_DATABASE)
    database, taxonomy_id = (place.database, place.taxonomy_id) if place else (None, 0)
    chosen = settings.model_copy(update={"models": place.settings.models}) if place else settings
    try:
        made = stages.build(name, taxonomy, chosen, database, taxonomy_id)
        stage = made.now() if isinstance(made, StageSource) else made
    except ConfigurationError as error:
        return error
    return stage or ConfigurationError(NO_MODEL)


def _run(
    stage: Stage, rule: StageRule, reached: SampleShare, texts: list[str]
) -> tuple[StagePlan, list[str]]:
    """What a stage keeps of these texts and takes for them, and the texts that are left."""
    began = time.monotonic()
    answers = stage.answers(texts)
    seconds, each = time.monotonic() - began, max(1, len(texts))
    raise_if_nothing_came(answers)
    errors = [answer.error for answer in answers if answer.error]
    if errors:
        tell_unanswered(stage.name, errors, len(texts))
    rest = [
        text
        for text, answer in zip(texts, answers, strict=True)
        if not rule.keeps(rule.weigh(answer.verdict))
    ]
    unscored = sum(is_unscored(answer.verdict) for answer in answers)
    return StagePlan(
        stage.name,
        reached,
        notes=[unscored_note(unscored, len(texts))] if unscored else [],
        kept=SampleShare(len(texts) - len(rest), len(texts)),
        seconds=seconds / each,
        tokens_in=sum(answer.tokens_in for answer in answers) / each,
        tokens_out=sum(answer.tokens_out for answer in answers) / each,
    ), rest


def unscored_note(some: int, of: int) -> Sentence:
    """How many answers of the language model came without what says how sure it is."""
    return Sentence(
        "{some} of {all} answers: each {what}.", some=grouped(some), all=grouped(of), what=Sentence(UNSCORED)
    )


def _llm(
    found: Plan, reached: SampleShare, texts: list[str], taxonomy: Taxonomy, settings: Settings, ask: int
) -> tuple[StagePlan, list[str]]:
    """The language model is asked about `ask` reviews; of the others only the prompts are written and measured."""
    writer = PromptWriter(taxonomy, template=settings.llm_prompt or DEFAULT_TEMPLATE)
    prompts = [prompt for text in texts if (prompt := writer.write(text)) is not None]
    found.prompt = prompts[0] if prompts else None
    if ask and texts:
        model = _made(LLM, taxonomy, settings, None)
        if isinstance(model, ConfigurationError):
            raise model
        asked, _ = _run(model, resolve(model, settings.thresholds), reached, texts[:ask])
        told = Sentence("asked about {number} of the reviews", number=grouped(len(texts[:ask])))
        return msgspec.structs.replace(asked, notes=[*asked.notes, told]), texts
    chars = sum(len(prompt.system) + len(prompt.user) for prompt in prompts) / max(1, len(prompts))
    note = Sentence(
        "not asked: {number} tokens a character are assumed; --ask 20 measures", number=TOKENS_PER_CHAR
    )
    return StagePlan(LLM, reached, tokens_in=chars * TOKENS_PER_CHAR, tokens_out=1.0, notes=[note]), texts


def _cost(stage: StagePlan, reviews: float, settings: Settings) -> float:
    """What so many reviews cost at a stage, in the currency of the prices."""
    price = stage.tokens_in * settings.llm_price_in + stage.tokens_out * settings.llm_price_out
    return reviews * price / MILLION


def _totals(found: Plan, settings: Settings) -> dict[str, float | None]:
    """Seconds of CPU workers, of GPU workers and of the language model, tokens, cost and days for the whole file."""
    on_cpu = topology.stages_of("cpu", settings)
    planned = [(stage, found.rows * stage.seen.value) for stage in found.stages]
    cpu = sum(reviews * (stage.seconds or 0.0) for stage, reviews in planned if stage.stage in on_cpu)
    gpu = sum(reviews * (stage.seconds or 0.0) for stage, reviews in planned if stage.stage not in on_cpu)
    unknown = any(stage.seconds is None and reviews for stage, reviews in planned)
    tokens = sum(reviews * (stage.tokens_in + stage.tokens_out) for stage, reviews in planned)
    cores = settings.worker_processes or len(os.sched_getaffinity(0))
    return {
        "cpu_seconds": cpu,
        "gpu_seconds": gpu,
        "eta_seconds": None if unknown else cpu / cores + gpu,
        "tokens": tokens,
        "cost": sum(_cost(stage, reviews, settings) for stage, reviews in planned),
        "days": tokens / settings.llm_daily_tokens if settings.llm_daily_tokens else None,
    }


def _shown(found: Plan, settings: Settings) -> RenderableType:
    totals = _totals(found, settings)
    eta, days = totals["eta_seconds"], totals["days"]
    unknown = translated("unknown until every stage is measured")
    parts: list[RenderableType] = [
        what_was_read(found),
        _table(found, settings),
        translated(
            "left after the stages that were run: {share} ({interval})",
            share=figures.percent(found.left.value),
            interval=figures.span(*found.left.interval),
        ),
        translated(
            "time of the stages with the workers of this machine, without queue and database: {time}",
            time=unknown if eta is None else figures.duration(eta),
        ),
    ]
    if days:
        parts.append(
            translated(
                "with OTZYV_LLM_DAILY_TOKENS={tokens}, days: {days}",
                tokens=settings.llm_daily_tokens,
                days=figures.tenths(days),
            )
        )
    parts += [f"{stage.stage}: {' '.join(map(str, stage.notes))}" for stage in found.stages if stage.notes]
    if found.prompt is not None:
        head = translated("One question to the language model:")
        parts.append(f"\n{head}\n\n{found.prompt.system}\n\n{found.prompt.user}")
    return Group(*parts)


def what_was_read(found: Plan) -> str:
    """What the file holds, and how much of it was tried."""
    rows = counted("{number} row", "{number} rows", found.rows)
    texts = counted("{number} different text", "{number} different texts", found.distinct)
    return translated(
        "{rows}, {texts}; sample of {sample}", rows=rows, texts=texts, sample=grouped(found.sample)
    )


def _table(found: Plan, settings: Settings) -> Table:
    rows = []
    priced = settings.llm_price_in or settings.llm_price_out
    for stage in found.stages:
        reviews = found.rows * stage.seen.value
        tokens = reviews * (stage.tokens_in + stage.tokens_out)
        rows.append(
            (
                stage.stage,
                figures.count(round(reviews)),
                figures.percent(stage.seen.value),
                figures.percent(stage.kept.value) if stage.kept else "?",
                figures.span(*stage.kept.interval) if stage.kept else "",
                "?" if stage.seconds is None else figures.large(reviews * stage.seconds, 1),
                figures.count(round(tokens)) if tokens else figures.NONE,
                figures.large(_cost(stage, reviews, settings), 2) if priced else "",
            )
        )
    first = (translated("stage"), translated("reviews"), translated("of all"), translated("keeps"))
    interval = figure(translated("{certainty} % interval", certainty=95))
    return table((*first, interval, translated("seconds"), translated("tokens"), translated("cost")), rows)


def in_english(note: Sentence | str) -> str:
    """A note for programs."""
    return note if isinstance(note, str) else note.english


def _as_json(found: Plan, settings: Settings) -> dict[str, object]:
    return {
        **{name: getattr(found, name) for name in ("rows", "distinct", "sample")},
        "stages": [
            {
                "stage": stage.stage,
                "reviews": found.rows * stage.seen.value,
                "keeps": stage.kept.value if stage.kept else None,
                "interval": stage.kept.interval if stage.kept else None,
                "seconds_each": stage.seconds,
                "tokens_in_each": stage.tokens_in,
                "tokens_out_each": stage.tokens_out,
                "cost": _cost(stage, found.rows * stage.seen.value, settings),
                "note": " ".join(map(in_english, stage.notes)),
            }
            for stage in found.stages
        ],
        "left": {"share": found.left.value, "interval": found.left.interval},
        "totals": _totals(found, settings),
        "prompt": msgspec.to_builtins(found.prompt),
    }
