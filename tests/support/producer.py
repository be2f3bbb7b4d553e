"""A producer for tests: reviews and raw messages on their way to `otzyv ingest`."""

from __future__ import annotations

from kombu import Connection, Producer

from shared.settings import Settings
from workers.rabbitmq import topology


def publish(settings: Settings, *bodies: bytes, **properties: object) -> None:
    """Publish raw messages as any AMQP client could; each is confirmed before this returns."""
    options = {"content_type": "application/json", "content_encoding": "utf-8", **properties}
    with Connection(settings.amqp_url, transport_options={"confirm_publish": True}) as connection:
        topology.declare(connection)
        producer = Producer(connection, topology.REVIEWS)
        for body in bodies:
            producer.publish(body, routing_key=topology.INCOMING_KEY, delivery_mode=2, **options)


def review(number: int, text: str = "Платье село отлично") -> dict[str, object]:
    """One review as a producer sends it."""
    return {"source": "shop", "id": str(number), "text": text}
