"""`otzyv status` and `otzyv health`: what waits where, who works on it, and whether the services answer."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from datetime import UTC, datetime

from psycopg2.extensions import cursor as Cursor
from rich.console import Group, RenderableType
from rich.table import Column, Table

from scripts.command import promise
from scripts.language.language import counted, decimal, grouped, translated
from scripts.pages import figures
from scripts.pages.tables import table
from scripts.service import student
from scripts.service.waited import waited
from shared.catalogue import LLM, STUDENT
from shared.errors import BrokerUnavailable, ConfigurationError, OtzyvError
from shared.runtime import runtime
from shared.settings import Settings
from shared.stages.llm import UNSCORED
from shared.store import Database, aliases, asked, awaiting, batches, streams, taxonomies, thresholds
from shared.store.llm import answers, budget
from shared.store.processes import waits
from shared.store.reports import overview
from workers.ingest import stream_bounds
from workers.intake import mappings
from workers.rabbitmq import connection as rabbitmq
from workers.rabbitmq.queue_states import QueueState, check_takes_messages, queue_states, refuse_away

RECENT_BATCHES = 5


def overall(settings: Settings) -> RenderableType:
    """Queues, streams, backlog, labels by stage, failures, newest batches, thresholds, tokens spent, predictions."""
    taxonomy = runtime.load_taxonomy(settings)
    with runtime.open_database(settings).transaction() as cursor:
        # Whoever looks may have no right to write, and needs none: of a taxonomy not stored yet there is nothing.
        taxonomy_id = taxonomies.find(cursor, taxonomy.name, taxonomy.version) or 0
        backlog, others = overview.backlog(cursor, taxonomy_id)
        funnel = overview.funnel(cursor, taxonomy_id)
        in_stages, at_the_door = overview.failure_count(cursor)
        recent = batches.recent(cursor, RECENT_BATCHES)
        version = next(iter(thresholds.versions(cursor, taxonomy_id, 1)), None)
        model_asked = language_model(cursor, settings)
        unpredicted = awaiting.backlog(cursor, taxonomy_id)
        serving = aliases.current(cursor, taxonomy.name)
        read = streams.listed(cursor)
        pupil = student.state(cursor, settings, taxonomy, taxonomy_id)
        tried = waits.listed(cursor)
    parts: list[RenderableType] = [_queues(settings), _backlog(settings, backlog)]
    parts.append(label_table(settings, funnel))
    if read:
        parts.insert(1, _streams(settings, read))
    if others:
        told = translated(
            "of those who wait, {number} do so for another version of the taxonomy", number=grouped(others)
        )
        parts.append(told)
    parts += [translated("waits for its next try: {what}", what=waited(wait)) for wait in tried]
    parts.append(failure_line(in_stages, at_the_door))
    parts += mapped_sources(settings)
    parts += [
        f"{translated('batch {batch}', batch=b)}  {at:%Y-%m-%d %H:%M}  {name}" for b, name, at in recent
    ]
    parts.append(str(promise.by_settings(version, pupil.awake, settings.thresholds)))
    parts += model_asked
    parts.append(prediction_line(unpredicted.awaiting, serving.get("champion")))
    if STUDENT in settings.stages:
        parts.append(str(pupil))
    parts.append(translated("taxonomy {name} {version}", name=taxonomy.name, version=taxonomy.version))
    return Group(*parts)


def failure_line(in_stages: int, at_the_door: int) -> str:
    """How many reviews failed, and where."""
    return translated(
        "failures: {in_stages} in a stage, {at_the_door} rejected at the door",
        in_stages=grouped(in_stages),
        at_the_door=grouped(at_the_door),
    )


def prediction_line(awaiting: int, champion: int | None) -> str:
    """How many reviews await a prediction, and from whom."""
    if champion is None:
        return counted(
            "predictions: {number} review awaits one; champion is nobody; see `otzyv models list`",
            "predictions: {number} reviews await one; champion is nobody; see `otzyv models list`",
            awaiting,
        )
    return counted(
        "predictions: {number} review awaits one; champion is model {champion}",
        "predictions: {number} reviews await one; champion is model {champion}",
        awaiting,
        champion=champion,
    )


def mapped_sources(settings: Settings) -> list[str]:
    """What these settings say of messages that do not speak the wire contract."""
    try:
        found = mappings.by_source(settings.mappings)
    except ConfigurationError as error:
        return [translated("mappings: {error}", error=error)]
    return [translated("mapping of {name}: {mapping}", name=name, mapping=one) for name, one in found.items()]


def language_model(cursor: Cursor, settings: Settings) -> list[str]:
    """What is to be said of it: today's tokens, and answers that nothing tells how sure they are."""
    told = []
    if LLM in settings.stages and settings.llm_daily_tokens:
        spent, waiting = budget.spent_today(cursor), asked.how_many_await_tokens(cursor)
        told.append(
            counted(
                "language model: {spent} of {limit} tokens of today; {number} review waits for some",
                "language model: {spent} of {limit} tokens of today; {number} reviews wait for some",
                waiting,
                spent=grouped(spent),
                limit=grouped(settings.llm_daily_tokens),
            )
        )
    unscored, newest = answers.unscored(cursor)
    if LLM in settings.stages and settings.llm_logprobs and unscored:
        told.append(
            translated(
                "language model: {unscored} of its newest {newest} answers: each {what}",
                unscored=grouped(unscored),
                newest=grouped(newest),
                what=translated(UNSCORED),
            )
        )
    return told


def _queues(settings: Settings) -> RenderableType:
    try:
        states = queue_states(settings)
    except BrokerUnavailable as error:
        return translated("queues: {error}", error=error)
    rows = [
        (
            state.line.queue,
            _ready(state),
            str(state.consumers),
            translated("leader away") if state.line.dead_letters in state.away else grouped(state.dead),
        )
        for state in states
    ]
    heads = (translated("queue"), translated("ready"), translated("consumers"), translated("dead letters"))
    found = table(heads, rows, title=translated("Queues"), pad_edge=True)
    try:
        check_takes_messages(settings)
    except OtzyvError as error:
        return Group(found, str(error))
    return found


def _ready(state: QueueState) -> str:
    if state.line.queue in state.away:
        return translated("leader away")
    return translated("not declared") if state.messages is None else grouped(state.messages)


def _streams(settings: Settings, read: list[streams.Stream]) -> Table:
    now = datetime.now(UTC)
    behind = _behind(settings, read)
    rows = [
        (
            stream.name,
            grouped(stream.next_offset),
            behind[stream.name],
            translated("{age} ago", age=_age((now - stream.moved_at).total_seconds())),
            stream.reader or translated("nobody: `otzyv ingest --stream`"),
        )
        for stream in read
    ]
    heads = (translated("stream"), translated("next offset"), translated("behind"), translated("moved"))
    return table((*heads, Column(translated("read by"))), rows, title=translated("Streams"), pad_edge=True)


def _behind(settings: Settings, read: list[streams.Stream]) -> dict[str, str]:
    """How many messages of each stream wait to be read."""
    told = {stream.name: "?" for stream in read}
    with suppress(BrokerUnavailable), rabbitmq.connected(settings) as connection:
        connection.ensure_connection(max_retries=1)
        for stream in read:
            try:
                waiting = stream_bounds.bounds(connection, stream.name).end - stream.next_offset
                told[stream.name] = grouped(waiting) if waiting >= 0 else translated("it ends before")
            except ConfigurationError:
                told[stream.name] = translated("no such stream")
            except BrokerUnavailable:
                told[stream.name] = translated("cannot be read")
    return told


def _backlog(settings: Settings, backlog: list[overview.StageBacklog]) -> Table:
    now = datetime.now(UTC)
    by_stage = {row.stage: (grouped(row.count), _age((now - row.oldest).total_seconds())) for row in backlog}
    rows = [
        (stage, *by_stage.get(stage, ("0", ""))) for stage in dict.fromkeys((*settings.stages, *by_stage))
    ]
    heads = (translated("stage"), translated("reviews"), translated("oldest"))
    return table(heads, rows, title=translated("Waiting for a label"), pad_edge=True)


def _age(seconds: float) -> str:
    for unit, size in ((translated("d"), 86_400), (translated("h"), 3_600), (translated("min"), 60)):
        if seconds >= size:
            return f"{decimal(seconds / size, 1)} {unit}"
    return f"{decimal(seconds, 1)} {translated('s')}"


def label_table(settings: Settings, funnel: list[overview.StageCount]) -> Table:
    """Labels by stage and status; those for review that are people's are the ones about which they differ."""
    statuses = ("accepted", "needs_review", "human")
    told = {"people": translated("people"), "": translated("no guess")}
    counts = {(told.get(row.stage or "", row.stage or ""), row.status): row.count for row in funnel}
    total = sum(counts.values())
    rows = []
    for stage in dict.fromkeys((*settings.stages, *(stage for stage, _ in counts))):
        mine = [counts.get((stage, status), 0) for status in statuses]
        rows.append((stage, *map(grouped, mine), figures.percent(sum(mine) / total) if total else ""))
    heads = (translated("stage"), *statuses, translated("share"))
    return table(heads, rows, title=translated("Labels"), pad_edge=True)


def waiting(database: Database) -> list[str]:
    """What fails and is tried again, a sentence each."""
    with database.transaction() as cursor:
        return [waited(wait) for wait in waits.listed(cursor)]


def check_health(settings: Settings, *, worker: bool) -> list[str]:
    """What works, but not as it should: tries that fail again and again.

    Raises BrokerUnavailable or DatabaseUnavailable when a service does not answer, RabbitMQ blocks publishing, or does
    not find the leader of a queue.

    With `worker`, this machine's Celery worker has to answer as well. Whoever asks after health waits for no answer
    longer than for a connection.
    """
    tried = waiting(runtime.open_database(settings.hasty, "otzyv health"))
    check_takes_messages(settings.hasty)
    refuse_away(queue_states(settings.hasty))
    if worker:
        from workers.app import app

        host = socket.gethostname()
        with rabbitmq.translated():
            answers = app.control.ping(timeout=settings.connect_timeout_s)
        names = [name for answer in answers or [] for name in answer]
        if not any(name.endswith(f"@{host}") for name in names):
            raise BrokerUnavailable(
                f"worker: expected an answer from one on {host} within {settings.connect_timeout_s} s, "
                f"found {names or 'none'} (asked by process {os.getpid()}); see its log"
            )
    return tried
