"""`otzyv status` and `otzyv health`: what waits where, who works on it, and whether the services answer."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.table import Column, Table

from scripts.pages.tables import table
from shared.errors import BrokerUnavailable, ConfigurationError
from shared.runtime import runtime
from shared.settings import Settings
from shared.store import aliases, awaiting, batches, llm_budget, streams, taxonomies, thresholds
from shared.store.reports import overview
from workers.ingest import stream_bounds
from workers.rabbitmq.connection import connected, translated
from workers.rabbitmq.queue_states import queue_states

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
        version = thresholds.newest(cursor, taxonomy_id)
        tokens = llm_budget.spent_today(cursor)
        unpredicted = awaiting.backlog(cursor, taxonomy_id)
        serving = aliases.current(cursor, taxonomy.name)
        read = streams.listed(cursor)
    parts: list[RenderableType] = [
        _queues(settings),
        _backlog(settings, backlog),
        label_table(settings, funnel),
    ]
    if read:
        parts.insert(1, _streams(settings, read))
    if others:
        parts.append(f"{others:,} of those who wait do so for another version of the taxonomy")
    parts.append(f"failures: {in_stages:,} in a stage, {at_the_door:,} rejected at the door")
    parts += [f"batch {batch}  {created:%Y-%m-%d %H:%M}  {name}" for batch, name, created in recent]
    parts.append(
        f"thresholds: {f'version {version}' if version else 'not calibrated, defaults and settings'}"
    )
    if "llm" in settings.stages and settings.llm_daily_tokens:
        parts.append(f"language model: {tokens:,} of {settings.llm_daily_tokens:,} tokens of today")
    champion = f"model {serving['champion']}" if "champion" in serving else "nobody; see `otzyv models list`"
    parts.append(f"predictions: {unpredicted.awaiting:,} reviews await one; champion is {champion}")
    parts.append(f"taxonomy {taxonomy.name} {taxonomy.version}")
    return Group(*parts)


def _queues(settings: Settings) -> RenderableType:
    try:
        states = queue_states(settings)
    except BrokerUnavailable as error:
        return f"queues: {error}"
    rows = [
        (
            state.line.queue,
            "not declared" if state.messages is None else f"{state.messages:,}",
            str(state.consumers),
            f"{state.dead:,}",
        )
        for state in states
    ]
    return table(("queue", "ready", "consumers", "dead letters"), rows, title="Queues", pad_edge=True)


def _streams(settings: Settings, read: list[streams.Stream]) -> Table:
    now = datetime.now(UTC)
    behind = _behind(settings, read)
    rows = [
        (
            stream.name,
            f"{stream.next_offset:,}",
            behind[stream.name],
            f"{_age((now - stream.moved_at).total_seconds())} ago",
            stream.reader or "nobody: `otzyv ingest --stream`",
        )
        for stream in read
    ]
    heads = ("stream", "next offset", "behind", "moved", Column("read by"))
    return table(heads, rows, title="Streams", pad_edge=True)


def _behind(settings: Settings, read: list[streams.Stream]) -> dict[str, str]:
    """How many messages of each stream wait to be read."""
    told = {stream.name: "?" for stream in read}
    with suppress(BrokerUnavailable), connected(settings) as connection:
        connection.ensure_connection(max_retries=1)
        for stream in read:
            try:
                waiting = stream_bounds.bounds(connection, stream.name).end - stream.next_offset
                told[stream.name] = f"{waiting:,}" if waiting >= 0 else "it ends before"
            except ConfigurationError:
                told[stream.name] = "no such stream"
    return told


def _backlog(settings: Settings, backlog: list[overview.StageBacklog]) -> Table:
    now = datetime.now(UTC)
    by_stage = {row.stage: (f"{row.count:,}", _age((now - row.oldest).total_seconds())) for row in backlog}
    rows = [
        (stage, *by_stage.get(stage, ("0", ""))) for stage in dict.fromkeys((*settings.stages, *by_stage))
    ]
    return table(("stage", "reviews", "oldest"), rows, title="Waiting for a label", pad_edge=True)


def _age(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def label_table(settings: Settings, funnel: list[overview.StageCount]) -> Table:
    """Labels by stage and status; those that people gave have no stage."""
    statuses = ("accepted", "needs_review", "human")
    nobody = {"human": "people"}
    counts = {(row.stage or nobody.get(row.status, "no guess"), row.status): row.count for row in funnel}
    total = sum(counts.values())
    rows = []
    for stage in dict.fromkeys((*settings.stages, *(stage for stage, _ in counts))):
        mine = [counts.get((stage, status), 0) for status in statuses]
        rows.append((stage, *(f"{count:,}" for count in mine), f"{sum(mine) / total:.1%}" if total else ""))
    return table(("stage", *statuses, "share"), rows, title="Labels", pad_edge=True)


def check_health(settings: Settings, *, worker: bool) -> None:
    """Raises BrokerUnavailable or DatabaseUnavailable when a service does not answer.

    With `worker`, this machine's Celery worker has to answer as well. Whoever asks after health waits for no answer
    longer than for a connection.
    """
    runtime.open_database(settings.hasty, "otzyv health").ping()
    queue_states(settings.hasty)
    if worker:
        from workers.app import app

        host = socket.gethostname()
        with translated():
            answers = app.control.ping(timeout=settings.connect_timeout_s)
        names = [name for answer in answers or [] for name in answer]
        if not any(name.endswith(f"@{host}") for name in names):
            raise BrokerUnavailable(
                f"worker: expected an answer from one on {host} within {settings.connect_timeout_s} s, "
                f"found {names or 'none'} (asked by process {os.getpid()}); see its log"
            )
