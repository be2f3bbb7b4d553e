"""`otzyv ingest --dry-run`: what would be stored of a sample of messages, and what refused. Nothing is taken."""

from __future__ import annotations

import json
from datetime import datetime

import msgspec
from kombu.message import Message as Delivery
from rich.padding import Padding
from rich.table import Column
from rich.text import Text

from scripts.command.console import out
from scripts.command.escaping import decoded, escaped
from scripts.language.language import counted, grouped, translated
from scripts.pages.tables import table
from shared.reviews.review import Review
from shared.reviews.wire import Message
from shared.runtime import runtime
from shared.settings import Settings
from shared.store import streams
from workers.ingest import sample, stream_start
from workers.intake import envelope, mappings
from workers.rabbitmq import topology
from workers.rabbitmq.connection import connected

SAMPLE = 100
SHOWN_REVIEWS = 10
SHOWN_REASONS = 20
TEXT_CHARS = 60
META_CHARS = 40
PAYLOAD_CHARS = 300
_INDENT = 4


class Refused(msgspec.Struct):
    """What would be refused for one reason: how often, and the payload of the first."""

    payload: str
    count: int = 0


class Outcome(msgspec.Struct):
    """What a sample of messages would come to."""

    reviews: int = 0
    shown: list[Review] = []
    refused: dict[str, Refused] = {}

    def add(self, message: Message) -> None:
        """Count what is in one more message."""
        self.reviews += len(message.reviews)
        self.shown.extend(message.reviews[: SHOWN_REVIEWS - len(self.shown)])
        for item in message.rejected:
            if item.reason not in self.refused:
                self.refused[item.reason] = Refused(cut(readable(item.payload), PAYLOAD_CHARS))
            self.refused[item.reason].count += 1

    def tell(self) -> None:
        """Print it."""
        tell(translated("reviews that would be stored: {number}", number=grouped(self.reviews)))
        if self.shown:
            print_reviews(self.shown)
            if (more := self.reviews - len(self.shown)) > 0:
                tell(counted("and {number} other review", "and {number} other reviews", more), indent=_INDENT)
        refused = sum(one.count for one in self.refused.values())
        tell(translated("would be refused: {number}", number=grouped(refused)))
        most_frequent = sorted(self.refused.items(), key=lambda item: -item[1].count)
        for reason, one in most_frequent[:SHOWN_REASONS]:
            tell(f"{grouped(one.count)} × {escaped(reason)}", indent=_INDENT)
            tell(one.payload, indent=2 * _INDENT)
        if (more := len(most_frequent) - SHOWN_REASONS) > 0:
            tell(counted("and {number} other reason", "and {number} other reasons", more), indent=_INDENT)


def dry_run(settings: Settings, stream: str | None, start: str | None, most: int) -> int:
    """Print it; returns how many reviews and messages would be refused. Raises ConfigurationError."""
    name = f"stream {stream}" if stream else topology.INCOMING.queue
    by_source = mappings.by_source(settings.mappings)
    outcome = Outcome()

    def see(delivery: Delivery) -> None:
        outcome.add(envelope.opened(delivery, settings, name, by_source))

    begin = None if stream is None else begins_at(settings, stream, start)
    with connected(settings) as connection:
        connection.ensure_connection(max_retries=1)
        if stream is None or begin is None:
            seen = sample.of_queue(connection, most, see)
        else:
            seen = sample.of_stream(connection, stream, begin, most, see)
    place = translated("stream {name}", name=stream) if stream else name
    if begin is not None:
        place = translated("{name} from {begin}", name=place, begin=begin)
    if name in by_source:
        tell(translated("{place}, read by its mapping: {mapping}", place=place, mapping=by_source[name]))
    else:
        tell(translated("{place}, read by the wire contract", place=place))
    tell(translated("messages looked at: {number}; none was acknowledged", number=grouped(seen)))
    outcome.tell()
    return sum(one.count for one in outcome.refused.values())


def begins_at(settings: Settings, stream: str, start: str | None) -> str | int | datetime:
    """Where ingest would begin: where it is told to, at the stored offset, or with the first message."""
    if start is not None:
        return stream_start.parse(start)
    with runtime.open_database(settings, "otzyv ingest --dry-run").transaction() as cursor:
        known = {one.name: one.next_offset for one in streams.listed(cursor)}
    return known.get(stream, "first")


def print_reviews(reviews: list[Review]) -> None:
    """The first of them, as they would be stored."""
    rows = [
        (
            escaped(review.source),
            escaped(review.id),
            f"{review.created_at:%Y-%m-%d %H:%M:%S}" if review.created_at else "",
            cut(review.text, TEXT_CHARS),
            cut(review.meta or "", META_CHARS),
        )
        for review in reviews
    ]
    fields = ("source", "id", "created_at (UTC)", "text", "meta")
    columns = [Column(field, overflow="fold") for field in fields]
    out.print(Padding(table(columns, [[Text(cell) for cell in row] for row in rows]), (0, 0, 0, _INDENT)))


def cut(text: str, most: int) -> str:
    """The beginning of a text, in one line."""
    shown = escaped(" ".join(text[: most + 1].split()))
    return shown if len(text) <= most else f"{shown[: most - 1]}…"


def readable(payload: bytes) -> str:
    """A payload with letters of any alphabet as they are, where it is JSON."""
    try:
        return json.dumps(json.loads(payload), ensure_ascii=False)
    except (ValueError, RecursionError):
        return decoded(payload)


def tell(sentence: str, indent: int = 0) -> None:
    """On a terminal in lines as wide as that, elsewhere in one line for other programs."""
    if out.is_terminal:
        out.print(Padding(Text(sentence), (0, 0, 0, indent)))
    else:
        out.print(Text(" " * indent + sentence), soft_wrap=True)
