"""Publish reviews to Otzyv with kombu: one message of two reviews, one message of a single review.

    pip install kombu
    OTZYV_AMQP_URL=amqp://user:password@host:5672/vhost python examples/publish.py [message.json ...]

A message counts as handed over only when the broker has confirmed it and has not returned it as unroutable.
"""

import os
import sys
from pathlib import Path

from amqp.exceptions import AMQPError, MessageNacked
from kombu import Connection, Exchange, Producer

HERE = Path(__file__).resolve().parent
URL = os.environ.get("OTZYV_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672//")
# Passive: the exchange must be there already, this script never creates or changes it.
REVIEWS = Exchange("reviews", type="topic", durable=True, passive=True)
# The timeouts keep a broker that has stopped answering from holding the script for ever.
OPTIONS = {"confirm_publish": True, "read_timeout": 10, "write_timeout": 10}


def main(paths: list[Path]) -> int:
    returned: list[str] = []

    def on_return(exc: Exception, exchange: str, routing_key: str, _message: object) -> None:
        returned.append(f"{exchange}/{routing_key}: {exc}")

    with Connection(URL, connect_timeout=10, transport_options=OPTIONS) as connection:
        producer = Producer(connection.channel(), exchange=REVIEWS, on_return=on_return)
        for path in paths:
            producer.publish(
                path.read_bytes(),  # UTF-8 JSON, sent as it is
                routing_key="incoming",
                content_type="application/json",
                content_encoding="utf-8",
                delivery_mode="persistent",
                mandatory=True,  # without a queue behind the exchange the broker hands the message back
                confirm_timeout=10,  # publish() waits for the broker's confirm; a refusal raises
            )
            if returned:  # a return always arrives before its confirm
                print(f"{path.name}: returned, no queue took it ({returned[0]})", file=sys.stderr)
                return 1
            print(f"{path.name}: confirmed")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(
            main([Path(a) for a in sys.argv[1:]] or [HERE / "message.json", HERE / "message_single.json"])
        )
    except (AMQPError, MessageNacked, OSError) as error:
        sys.exit(f"not published: {error!r}")
