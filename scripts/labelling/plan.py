"""`otzyv plan`: what labelling a file would take, from a sample, before any money is spent."""

from __future__ import annotations

import os
import time

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table

from scripts.command.console import file_progress, out, remark
from scripts.files.review_rows import ReviewRows
from scripts.pages import figures
from scripts.pages.tables import table
from shared.cascade.stage import Stage, raise_if_nothing_came
from shared.errors import ConfigurationError
from shared.labelling.rules import resolve
from shared.quality.planning import Reservoir, SampleShare
from shared.runtime import runtime, stages
from shared.settings import Settings
from shared.stages.llm import Prompt, PromptWriter
from shared.stages.llm.prompt import DEFAULT_TEMPLATE
from shared.taxonomy import Taxonomy
from workers.rabbitmq import topology

TOKENS_PER_CHAR = 0.35
"""Tokens reckoned for a character of a Russian prompt where the model was not asked: vocabularies give 0.25 to 0.5."""
MILLION = 1_000_000


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
    note: str = ""


class Plan(msgspec.Struct):
    """What a file would take. `prompt` is one rendered question to the language model, if it is in the chain."""

    rows: int
    distinct: int
    sample: int
    stages: list[StagePlan]
    left: SampleShare
    prompt: Prompt | None = None


def plan(rows: ReviewRows, size: int, seed: int, ask: int, settings: Settings, *, as_json: bool) -> None:
    """Read the file once, put a sample through the chain, and show what the whole would take."""
    total, distinct, sample = _sample(rows, size, seed)
    taxonomy = runtime.load_taxonomy(settings)
    found = Plan(total, distinct, len(sample), [], SampleShare(0, 0))
    waiting = sample
    for name in settings.stages:
        reached = SampleShare(len(waiting), len(sample))
        if name == "llm":
            stage, waiting = _llm(found, reached, waiting, taxonomy, settings, ask)
        else:
            try:
                built = stages.build(name, taxonomy, settings)
            except ConfigurationError as error:
                # One that cannot be used is taken to keep nothing.
                stage = StagePlan(name, reached, note=str(error))
            else:
                stage, waiting = _run(built, reached, waiting, settings)
        found.stages.append(stage)
    found.left = SampleShare(len(waiting), len(sample))
    if as_json:
        out.print_json(data=_as_json(found, settings))
    else:
        out.print(_shown(found, settings))


def _sample(rows: ReviewRows, size: int, seed: int) -> tuple[int, int, list[str]]:
    """Rows and different texts in the file, and a uniform sample of its texts."""
    reservoir, texts, total = Reservoir[str](size, seed), set[int](), 0
    with file_progress() as progress:
        task = progress.add_task(rows.file.name, total=1.0, reviews=0)
        for _, wire in rows.chunks():
            for row in wire:
                text = row["text"]
                total += 1
                if isinstance(text, str) and text.strip():
                    reservoir.add(text)
                    texts.add(hash(text))
            progress.update(task, completed=rows.file.fraction_read, reviews=total)
    return total, len(texts), reservoir.items


def _run(
    stage: Stage, reached: SampleShare, texts: list[str], settings: Settings
) -> tuple[StagePlan, list[str]]:
    """What a stage keeps of these texts and takes for them, and the texts that are left."""
    rule, began = resolve(stage, settings.thresholds), time.monotonic()
    answers = stage.answers(texts)
    seconds, each = time.monotonic() - began, max(1, len(texts))
    raise_if_nothing_came(answers)
    errors = [answer.error for answer in answers if answer.error]
    if errors:
        remark("no answer", f"{stage.name}: {len(errors)} of {len(texts)} reviews; first: {errors[0]}")
    rest = [
        text
        for text, answer in zip(texts, answers, strict=True)
        if answer.verdict is None or not rule.keeps(answer.verdict)
    ]
    return StagePlan(
        stage.name,
        reached,
        kept=SampleShare(len(texts) - len(rest), len(texts)),
        seconds=seconds / each,
        tokens_in=sum(answer.tokens_in for answer in answers) / each,
        tokens_out=sum(answer.tokens_out for answer in answers) / each,
    ), rest


def _llm(
    found: Plan, reached: SampleShare, texts: list[str], taxonomy: Taxonomy, settings: Settings, ask: int
) -> tuple[StagePlan, list[str]]:
    """The language model is asked about `ask` reviews; of the others only the prompts are written and measured."""
    writer = PromptWriter(taxonomy, template=settings.llm_prompt or DEFAULT_TEMPLATE)
    prompts = [prompt for text in texts if (prompt := writer.write(text)) is not None]
    found.prompt = prompts[0] if prompts else None
    if ask and texts:
        asked, _ = _run(stages.build("llm", taxonomy, settings), reached, texts[:ask], settings)
        asked.note = f"asked about {len(texts[:ask])} reviews"
        return asked, texts
    chars = sum(len(prompt.system) + len(prompt.user) for prompt in prompts) / max(1, len(prompts))
    note = f"not asked: {TOKENS_PER_CHAR} tokens a character are assumed; --ask 20 measures"
    return StagePlan("llm", reached, tokens_in=chars * TOKENS_PER_CHAR, tokens_out=1.0, note=note), texts


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
    low, high = found.left.interval
    totals = _totals(found, settings)
    eta = totals["eta_seconds"]
    time_needed = "unknown until every stage is measured" if eta is None else figures.duration(eta)
    parts: list[RenderableType] = [
        f"{found.rows:,} rows, {found.distinct:,} different texts; sample of {found.sample:,}",
        _table(found, settings),
        f"left after the stages that were run: {figures.percent(found.left.value)} ({low:.3f} to {high:.3f})",
        f"time with the workers of this machine: {time_needed}",
    ]
    if days := totals["days"]:
        parts.append(f"OTZYV_LLM_DAILY_TOKENS of {settings.llm_daily_tokens:,} make that {days:.1f} days")
    parts += [f"{stage.stage}: {stage.note}" for stage in found.stages if stage.note]
    if found.prompt is not None:
        parts.append(f"\nOne question to the language model:\n\n{found.prompt.system}\n\n{found.prompt.user}")
    return Group(*parts)


def _table(found: Plan, settings: Settings) -> Table:
    rows = []
    priced = settings.llm_price_in or settings.llm_price_out
    for stage in found.stages:
        reviews = found.rows * stage.seen.value
        tokens = reviews * (stage.tokens_in + stage.tokens_out)
        low, high = stage.kept.interval if stage.kept else (0.0, 1.0)
        rows.append(
            (
                stage.stage,
                figures.count(round(reviews)),
                figures.percent(stage.seen.value),
                figures.percent(stage.kept.value) if stage.kept else "?",
                f"{low:.3f} to {high:.3f}" if stage.kept else "",
                "?" if stage.seconds is None else f"{reviews * stage.seconds:,.1f}",
                figures.count(round(tokens)) if tokens else figures.NONE,
                f"{_cost(stage, reviews, settings):,.2f}" if priced else "",
            )
        )
    heads = ("stage", "reviews", "of all", "keeps", "95 % interval", "seconds", "tokens", "cost")
    return table(heads, rows)


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
                "note": stage.note,
            }
            for stage in found.stages
        ],
        "left": {"share": found.left.value, "interval": found.left.interval},
        "totals": _totals(found, settings),
        "prompt": msgspec.to_builtins(found.prompt),
    }
