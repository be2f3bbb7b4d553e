"""`otzyv failures show`: everything about one failure."""

from __future__ import annotations

import re

import typer
from rich.table import Column
from rich.text import Text

from scripts.command.console import out
from scripts.command.escaping import decoded, escaped
from scripts.failures.document import as_json, document_of
from scripts.failures.kinds import ONE
from scripts.failures.listing import APPLICATION
from scripts.language.language import counted, grouped, translated
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
    heads = (Column(no_wrap=True), Column(overflow="fold"))
    out.print(table(heads, facts, show_header=False))
    if failure.payload is not None:
        shown = decoded(failure.payload, cut=len(failure.payload) < failure.size)
        size = counted(
            "payload ({number} byte{cut}):", "payload ({number} bytes{cut}):", failure.size, cut=_cut(failure)
        )
        _print_text(size, shown)
    elif failure.text is not None:
        size = counted(
            "text ({number} character{cut}):",
            "text ({number} characters{cut}):",
            failure.size,
            cut=_cut(failure),
        )
        _print_text(size, failure.text)


def _facts(failure: Failure) -> list[tuple[str, str | None]]:
    name = retry = None
    if failure.source is not None or failure.external_id is not None:
        name = f"{failure.source or '?'}/{failure.external_id or '?'}"
    if failure.kind == "rejected" and failure.size >= MAX_PAYLOAD_BYTES:
        retry = translated(
            "not possible: the payload was cut at {bytes} bytes", bytes=grouped(MAX_PAYLOAD_BYTES)
        )
    elif failure.settled is not None:
        retry = translated("not needed; `otzyv failures drop` forgets this failure")
    stored = None
    if failure.review_id is not None:
        stored = translated(
            "{number}, revision {revision}", number=failure.review_id, revision=failure.revision
        )
    return [
        (translated("failure"), str(failure.number)),
        (translated("what"), str(ONE[failure.kind])),
        (translated("queue"), failure.queue),
        (translated("stream offset"), None if failure.stream_offset is None else str(failure.stream_offset)),
        (translated("reason"), failure.reason),
        (translated("when"), f"{failure.at:%Y-%m-%d %H:%M:%S} UTC"),
        (translated("traceback"), failure.traceback_hash),
        (translated("batch"), failure.batch),
        (translated("taxonomy"), failure.taxonomy),
        (translated("review"), name),
        (translated("review number"), stored),
        (translated("since then"), since_then(failure.settled)),
        (translated("retry"), retry),
    ]


def since_then(settled: str | None) -> str | None:
    """What the store says has become of a review, in the language in use."""
    begin, _, rest = (settled or "").rpartition(" ")
    if begin == "it has a label,":
        return translated("it has a label, {status}", status=rest)
    if begin == "it waits for":
        return translated("it waits for {stage}", stage=rest)
    if predicted := re.fullmatch(r"model (\d+) has predicted it", settled or ""):
        return translated("model {number} has predicted it", number=predicted[1])
    if settled == "its text has been replaced":
        return translated("its text has been replaced")
    return settled


def _cut(failure: Failure) -> str:
    """What to say of a text or payload that is not shown to its end."""
    shown = len(failure.text or "") if failure.payload is None else len(failure.payload)
    if shown >= failure.size:
        return ""
    return translated(", the first {shown} of them; --full shows all", shown=grouped(shown))


def _print_text(head: str, text: str) -> None:
    out.print(head, soft_wrap=True)
    out.print(Text(escaped(text, lines=True)), soft_wrap=True)
