"""What is in a delivery: its reviews, or the reason why there are none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from shared.errors import InvalidReview
from shared.reviews import mapped, media_type, origin, wire
from shared.reviews.field_mapping import FieldMapping
from shared.reviews.wire import Message, Rejected
from shared.settings import Settings


class Delivery(Protocol):
    """A message as RabbitMQ gave it."""

    @property
    def body(self) -> Any:
        """Its bytes."""

    @property
    def headers(self) -> Mapping[str, Any]:
        """Its headers."""

    @property
    def content_type(self) -> str | None:
        """What it says that it is."""

    @property
    def content_encoding(self) -> str | None:
        """In which characters."""


def opened(
    delivery: Delivery, settings: Settings, source: str, mappings: Mapping[str, FieldMapping]
) -> Message:
    """The reviews of a delivery of a source, read by its mapping, or else by the wire contract.

    What was rejected and is sent again is read by the mapping of where it first came from. A message that cannot be
    read counts as one rejected review. By the settings, all of it is without personal data.
    """
    body = bytes(delivery.body or b"")  # the driver makes an empty body an empty string
    came = origin.of(dict(delivery.headers))
    mapping = None if came and came.in_batch else mappings.get(came.queue if came else source)
    try:
        _check(delivery, len(body), settings)
        if mapping is None:
            message = wire.decode(body, max_text_chars=settings.max_text_chars)
        else:
            message = mapped.decode(body, mapping, max_text_chars=settings.max_text_chars)
    except InvalidReview as error:
        message = Message([], [Rejected(str(error), body)])
    except Exception as error:  # noqa: BLE001  one message must never stop the stream
        reason = f"message: could not be read: {type(error).__name__}: {error}"
        message = Message([], [Rejected(reason, body)])
    message = msgspec.structs.replace(message, origin=came)
    return wire.masked(message) if settings.mask_personal_data else message


def _check(delivery: Delivery, size: int, settings: Settings) -> None:
    if delivery.headers.get("compression"):
        raise InvalidReview("message: expected an uncompressed body, found a `compression` header")
    media_type.check(delivery.content_type, delivery.content_encoding)
    if size > settings.max_message_bytes:
        raise InvalidReview(
            f"message: expected at most {settings.max_message_bytes} bytes, found {size}; "
            "send smaller messages or raise OTZYV_MAX_MESSAGE_BYTES"
        )
