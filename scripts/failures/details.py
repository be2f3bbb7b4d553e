"""`otzyv failures show`: everything about one failure."""

from __future__ import annotations

import typer
from rich.table import Column
from rich.text import Text

from scripts.command.console import out
from scripts.command.escaping import decoded, escaped
from scripts.failures.document import as_json, document_of
from scripts.failures.kinds import ONE
from scripts.failures.listing import APPLICATION
from scripts.pages.tables import table
from shared.errors import ConfigurationError
from shared.runtime import runtime
from shared.settings import Settings
from shared.store import failures
from shared.store.failures import MAX_PAYLOAD_BYTES, Failure

MOST = 2_000
"""Characters of a text, or bytes of a payload, that are shown without --full."""


def show(number: int, settings: Settings, *, full: bool, json: bool) -> None:
    """Print it, for a person or as JSON. Raises ConfigurationError for a number that no failure has."""
    with runtime.open_database(settings, APPLICATION).transaction() as cursor:
        failure = failures.get(cursor, number, None if full else MOST)
    if failure is None:
        raise unknown([number])
    if json:
        typer.echo(as_json(document_of(failure)))
    else:
        _print(failure)


def unknown(numbers: list[int]) -> ConfigurationError:
    """What to say of numbers that no failure has."""
    shown = ", ".join(str(number) for number in numbers[:10])
    shown += f" and {len(numbers) - 10:,} others" if len(numbers) > 10 else ""
    return ConfigurationError(
        f"failures: expected numbers that `otzyv failures list` and its filters lead to, found no failure {shown}; "
        "it may have been retried or dropped already"
    )


def _print(failure: Failure) -> None:
    facts = [(name, Text(escaped(value))) for name, value in _facts(failure) if value is not None]
    heads = (Column("what", no_wrap=True), Column("value", overflow="fold"))
    out.print(table(heads, facts, show_header=False))
    if failure.payload is not None:
        shown = decoded(failure.payload, cut=len(failure.payload) < failure.size)
        _print_cut("payload", shown, len(failure.payload), failure.size, "bytes")
    elif failure.text is not None:
        _print_cut("text", failure.text, len(failure.text), failure.size, "characters")


def _facts(failure: Failure) -> list[tuple[str, str | None]]:
    name = retry = None
    if failure.source is not None or failure.external_id is not None:
        name = f"{failure.source or '?'}/{failure.external_id or '?'}"
    if failure.kind == "rejected" and failure.size >= MAX_PAYLOAD_BYTES:
        retry = f"not possible: the payload was cut at {MAX_PAYLOAD_BYTES:,} bytes"
    elif failure.settled is not None:
        retry = "not needed; `otzyv failures drop` forgets this failure"
    stored = None if failure.review_id is None else f"{failure.review_id}, revision {failure.revision}"
    return [
        ("failure", str(failure.number)),
        ("what", f"a {ONE[failure.kind]}"),
        ("queue", failure.queue),
        ("stream offset", None if failure.stream_offset is None else str(failure.stream_offset)),
        ("reason", failure.reason),
        ("when", f"{failure.at:%Y-%m-%d %H:%M:%S} UTC"),
        ("traceback", failure.traceback_hash),
        ("batch", failure.batch),
        ("taxonomy", failure.taxonomy),
        ("review", name),
        ("review number", stored),
        ("since then", failure.settled),
        ("retry", retry),
    ]


def _print_cut(what: str, text: str, shown: int, size: int, unit: str) -> None:
    cut = f", the first {shown:,} of them; --full shows all" if shown < size else ""
    out.print(f"{what} ({size:,} {unit}{cut}):", soft_wrap=True)
    out.print(Text(escaped(text, lines=True)), soft_wrap=True)
