"""What a dead letter says of itself, and how it starts anew."""

from __future__ import annotations

import pytest

from shared.errors import ConfigurationError
from workers.rabbitmq import topology
from workers.rabbitmq.dead_letters import cause, line_of, revived

DEATH = {"reason": "delivery_limit", "queue": "cpu.keywords", "count": 3, "exchange": "tasks"}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"reason": "text: too long", "x-death": [DEATH]}, "text: too long"),
        ({"x-death": [DEATH]}, "delivery_limit in cpu.keywords, 3 times"),
        ({"x-death": [{**DEATH, "count": 1}]}, "delivery_limit in cpu.keywords"),
        ({"x-death": "nonsense"}, "no reason on it"),
        ({}, "no reason on it"),
    ],
)
def test_a_dead_letter_tells_what_ingest_or_else_rabbitmq_wrote_on_it(
    headers: dict[str, object], expected: str
) -> None:
    assert cause(headers) == expected


def test_a_dead_letter_starts_anew_without_marks_of_its_first_life() -> None:
    marks = {
        "x-death": [DEATH],
        "x-first-death-queue": "cpu.keywords",
        "x-delivery-count": 5,
        "reason": "why",
    }
    headers = {"task": "workers.labelling.keywords", "id": "1", "retries": 9, **marks}
    given = {"content_type": "application/json", "correlation_id": "1", "user_id": "somebody"}
    assert revived({**given, "application_headers": headers}) == {
        "content_type": "application/json",
        "correlation_id": "1",
        "application_headers": {"task": "workers.labelling.keywords", "id": "1", "retries": 0},
    }


def test_a_message_without_headers_starts_anew_as_well() -> None:
    assert revived({"content_type": "text/plain"}) == {
        "content_type": "text/plain",
        "application_headers": {},
    }


def test_every_dead_letter_queue_is_known_by_its_name() -> None:
    assert [line_of(line.dead_letters) for line in topology.LINES] == list(topology.LINES)


def test_another_queue_is_refused_with_the_names_of_those_there_are() -> None:
    with pytest.raises(
        ConfigurationError, match=r"expected one of reviews\.rejected, .*; found 'cpu\.keywords'"
    ):
        line_of("cpu.keywords")
