"""What is in a delivery: its reviews, or the reason why there are none."""

from __future__ import annotations

from kombu.message import Message as Delivery

from shared.errors import InvalidReview
from shared.reviews import wire
from shared.reviews.wire import Message, Rejected
from shared.settings import Settings

CONTENT_TYPES = ("application/json", "application/octet-stream", "", None)


def opened(delivery: Delivery, settings: Settings) -> Message:
    """The reviews of a delivery. A message that cannot be read counts as one rejected review.

    By the settings, all of it is without personal data.
    """
    body = bytes(delivery.body or b"")  # the driver makes an empty body an empty string
    try:
        _check(delivery, len(body), settings)
        message = wire.decode(body, max_text_chars=settings.max_text_chars)
    except InvalidReview as error:
        message = Message([], [Rejected(str(error), body)])
    except Exception as error:  # noqa: BLE001  one message must never stop the stream
        reason = f"message: could not be read: {type(error).__name__}: {error}"
        message = Message([], [Rejected(reason, body)])
    return wire.masked(message) if settings.mask_personal_data else message


def _check(delivery: Delivery, size: int, settings: Settings) -> None:
    if delivery.headers.get("compression"):
        raise InvalidReview("message: expected an uncompressed body, found a `compression` header")
    if delivery.content_type not in CONTENT_TYPES:
        raise InvalidReview(
            f"message: expected content type application/json, found {str(delivery.content_type)[:100]!r}"
        )
    if size > settings.max_message_bytes:
        raise InvalidReview(
            f"message: expected at most {settings.max_message_bytes} bytes, found {size}; "
            "send smaller messages or raise OTZYV_MAX_MESSAGE_BYTES"
        )
