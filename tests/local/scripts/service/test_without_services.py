"""What the commands around the services say where they cannot do their work, and none of the services is needed."""

from __future__ import annotations

from tests.support.command import run_here
from tests.support.processes import EXAMPLES


def test_without_a_broker_enqueue_says_so_and_tells_what_was_sent() -> None:
    failed = run_here("enqueue", EXAMPLES, OTZYV_AMQP_URL="amqp://guest:guest@127.0.0.1:1//")
    assert failed.returncode == 75
    assert "0 reviews had been confirmed" in failed.stderr
    assert "RabbitMQ did not answer" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_flower_refuses_to_start_without_a_password() -> None:
    failed = run_here("flower", OTZYV_FLOWER_BASIC_AUTH="")
    assert failed.returncode == 2
    assert "OTZYV_FLOWER_BASIC_AUTH: expected user:password" in failed.stderr
