"""A stream of RabbitMQ as ingest's source: PostgreSQL keeps how far it has been read.

A stream keeps its messages, and has other readers: acknowledging is flow control and removes nothing. The offset to
read next is stored in the transaction that stores the reviews. Nothing is ever rejected or requeued: RabbitMQ closes
the channel at that. One process reads a stream at a time, the others stand by.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime

import structlog
from kombu import Connection, Consumer, Queue
from kombu.message import Message as Delivery

from shared.errors import BrokerUnavailable, ConfigurationError
from shared.runtime.runtime import Runtime
from shared.store import streams
from shared.store.streams import Claim, Step
from workers.ingest import source, stream_bounds
from workers.ingest.source import HeldMessage, MessageSource, Receive, Stopped
from workers.ingest.stream_bounds import OFFSET, Bounds
from workers.ingest.stream_start import Start
from workers.tasks import sending

log = structlog.get_logger()

LOOK_S = 0.5
TELL_S = 60.0
OWN_ENTRIES = 20
"""RabbitMQ writes entries of its own into a stream, which take offsets and are delivered to nobody: a few in a row."""


class StreamSource(MessageSource):
    """One stream, read from its stored offset on, or once from `start`.

    What is rejected stays in the stream, and its row in `failures` says at which offset it is.
    """

    def __init__(self, runtime: Runtime, stream: str, start: Start | None = None) -> None:
        self.name = f"stream {stream}"
        self._runtime, self._stream, self._start = runtime, stream, start
        self._reader = f"process {os.getpid()} on {socket.gethostname()}"
        self._claim: Claim | None = None
        self._position = 0
        self._expected = 0  # of the next message that comes; ahead of the position while messages are held
        self._was_there = False

    @property
    def place(self) -> dict[str, object]:
        """The stream, and the offset that will be stored next."""
        return {"stream": self._stream, "offset": self._position}

    @contextmanager
    def claimed(self, is_stopping: Callable[[], bool]) -> Iterator[None]:
        """The right to read the stream, in a session of PostgreSQL; stands by while another process has it."""
        with streams.claim(self._runtime.database, self._stream) as claim:
            told_at = None
            while not claim.take():
                if told_at is None or time.monotonic() - told_at >= TELL_S:
                    told_at = time.monotonic()
                    with self._runtime.database.transaction() as cursor:
                        reader = streams.reader(cursor, self._stream) or "another process"
                    log.warning("ingest.standing_by", stream=self._stream, read_by=reader)
                if is_stopping():
                    raise Stopped
                time.sleep(LOOK_S)
            self._claim = claim
            try:
                yield
            finally:
                self._claim = None

    def check(self) -> None:
        """Raises PositionLost once the session has ended."""
        if self._claim is not None:
            self._claim.check()

    @contextmanager
    def attached(self, connection: Connection, receive: Receive) -> Iterator[Sequence[Consumer]]:
        """A consumer from the offset on that is to be stored next. All of a stream is live."""
        try:
            bounds = stream_bounds.bounds(connection, self._stream)
        except ConfigurationError as error:
            if self._was_there:
                # A broker that has just started may not know its streams yet.
                raise BrokerUnavailable(str(error)) from error
            raise
        self._was_there = True
        self._position = self._begun(connection, bounds)
        if bounds.first > self._position:
            self._tell_missing(self._position, bounds.first)
        self._expected = max(self._position, bounds.first)
        self._send_again()

        def note(delivery: Delivery) -> None:
            offset = int(delivery.headers[OFFSET])
            if offset - self._expected > OWN_ENTRIES:
                self._tell_missing(self._expected, offset)
            self._expected = offset + 1
            receive("live", delivery)

        queue = Queue(self._stream, no_declare=True, consumer_arguments={OFFSET: self._position})
        most = source.most_held(self._runtime.settings, "live")
        with source.consumer(connection, queue, most, note) as consumer, ExitStack() as consuming:
            with stream_bounds.explained(self._stream):
                consuming.enter_context(consumer)
            with stream_bounds.deliverable(self._stream, lambda: self._expected):
                yield [consumer]

    def _begun(self, connection: Connection, bounds: Bounds) -> int:
        """The offset to begin at, stored. Raises ConfigurationError where the stream has no such offset or message."""
        with self._runtime.database.transaction() as cursor:
            known = streams.arrive(cursor, self._stream, self._reader)
        if self._start is None and known is not None:
            if known.next_offset > bounds.end:
                raise BrokerUnavailable(
                    f"stream {self._stream}: expected it to reach its stored offset {known.next_offset}, found that "
                    f"it ends at {bounds.end}; where it was deleted and made anew, start with `--from first`"
                )
            if known.last_digest is not None:
                found = stream_bounds.digest_at(connection, self._stream, known.next_offset - 1)
                if found is not None and found != known.last_digest:
                    raise ConfigurationError(
                        f"stream {self._stream}: expected the message at offset {known.next_offset - 1} that was read "
                        "last, found another: the stream was deleted and made anew; start with `--from first` to read "
                        "the new one"
                    )
            return known.next_offset
        wanted = self._wanted(connection, bounds)
        with self._runtime.database.transaction() as cursor:
            streams.place(cursor, self._stream, wanted, self._reader)
        self._start = None
        if known is None:
            log.info("ingest.stream_begun", stream=self._stream, offset=wanted)
        else:
            log.warning("ingest.offset_set", stream=self._stream, offset=wanted, was=known.next_offset)
        return wanted

    def _wanted(self, connection: Connection, bounds: Bounds) -> int:
        if self._start == "next":
            return bounds.end
        if isinstance(self._start, datetime):
            found = stream_bounds.at(connection, self._stream, self._start)
            return bounds.end if found is None else found
        if isinstance(self._start, int):
            if self._start > bounds.end:
                raise ConfigurationError(
                    f"--from: expected an offset of up to {bounds.end}, where stream {self._stream} ends; found "
                    f"{self._start}; `--from next` waits for new messages"
                )
            return self._start
        return bounds.first

    def _tell_missing(self, expected: int, found: int) -> None:
        log.warning(
            "ingest.offsets_missing",
            stream=self._stream,
            skipped=found - expected,
            expected=expected,
            found=found,
            reason="the stream's retention has removed them, or AMQP 0-9-1 cannot read them",
        )

    def _send_again(self) -> None:
        """First tasks of the last transaction, in case its process died before it had sent them."""
        with self._runtime.database.transaction() as cursor:
            unlabelled, unpredicted = streams.unsent(cursor, self._stream)
        for (stage, taxonomy_id), review_ids in unlabelled.items():
            sending.to_stage(stage, review_ids, taxonomy_id)
            log.info("ingest.sent_again", stream=self._stream, stage=stage, reviews=len(review_ids))
        for taxonomy_id, review_ids in unpredicted.items():
            sending.to_be_predicted(review_ids, taxonomy_id)

    def step(self, held: Sequence[HeldMessage]) -> Step:
        """From where the stream is to behind the last of these messages."""
        offsets = tuple(int(one.delivery.headers[OFFSET]) for one in held)
        digest = stream_bounds.digest(held[-1].delivery)
        return Step(self._stream, self._position, offsets[-1] + 1, offsets, digest)

    def stored(self, step: Step | None) -> None:
        """The stream has been moved."""
        if step is not None:
            self._position = step.next_offset
