"""Reviews that are judged before they are stored end exactly as those that are stored first and judged then."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from shared.cascade.stage import Answer, Verdict
from shared.errors import BrokerUnavailable
from shared.intake.intake import Stored, take_in
from shared.intake.judging import Judging
from shared.labelling.labeller import Labeller
from shared.labelling.rules import Rules
from shared.reviews.origin import Origin
from shared.reviews.wire import Message
from shared.runtime import runtime
from shared.settings import settings
from shared.store import Database, reviews
from shared.store.reviews import Upserted
from tests.support.stored import QUEUE, ByFirstLetter, ask, dump, review
from workers.intake import door
from workers.tasks import sending


class ByLength:
    """A second stage for tests: unsure of everything, the surer the longer, and out of reach for `долго`."""

    name = "similarity"
    model = "lengths"
    default_threshold = 0.95

    def answers(self, texts: Sequence[str]) -> list[Answer]:
        return [
            Answer(error=BrokerUnavailable("away")) if text == "долго" else Answer(self._verdict(text))
            for text in texts
        ]

    def _verdict(self, text: str) -> Verdict | None:
        return None if text == "немо" else Verdict("garden", min(1.0, len(text) / 10))


class Choking(ByFirstLetter):
    """The first stage, which fails as a whole on `яд`."""

    def answers(self, texts: Sequence[str]) -> list[Answer]:
        if any("яд" in text for text in texts):
            raise ValueError("cannot digest this")
        return super().answers(texts)


TEXTS = ("туфли", "тапочки", "очки", "огромный чайник", "немо", "долго", "ещё", "оо")


def cascade_of(database: Database, taxonomy: int, *names: str, first: Any = None) -> Labeller:
    stages = {"keywords": first or ByFirstLetter(), "similarity": ByLength()}
    return Labeller(database, taxonomy, names or ("keywords", "similarity"), stages, Rules(taxonomy, {}))


def taken(
    database: Database,
    labeller: Labeller,
    messages: Sequence[Message],
    at_hand: Sequence[str] | None = ("keywords", "similarity"),
    **more: Any,
) -> Stored:
    """Messages taken in, judged first by stages at hand, or with None stored first."""
    return take_in(
        database,
        messages,
        queue=QUEUE,
        taxonomy_id=labeller.taxonomy_id,
        first_stage=labeller.order[0],
        judging=None if at_hand is None else Judging(labeller, at_hand),
        **more,
    )


def message(*texts: str, **fields: Any) -> Message:
    return Message([review(str(number), text) for number, text in enumerate(texts)], [], **fields)


def outcome(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """What is stored of reviews, but for when."""
    name = "(SELECT external_id FROM reviews WHERE id = review_id)"
    return {
        "waiting": ask(database, f"SELECT {name}, revision, stage FROM waiting ORDER BY 1"),
        "labels": ask(
            database,
            f"SELECT {name}, revision, category, confidence, stage, status FROM labels ORDER BY 1",
        ),
        "verdicts": ask(
            database,
            f"SELECT {name}, stage, revision, category, confidence, score, evidence::text, model "
            "FROM all_verdicts ORDER BY 1, 2",
        ),
    }


def through(database: Database, labeller: Labeller, texts: Sequence[str]) -> None:
    """Stored first, then through each stage as the tasks would take them."""
    ids = taken(database, labeller, [message(*texts)], None).first_stage
    for stage in labeller.order:
        ids = labeller.run(stage, ids).forward


@pytest.mark.parametrize("names", [("keywords",), ("keywords", "similarity")], ids=["one stage", "two"])
def test_judged_first_or_stored_first_the_tables_are_the_same(
    database: Database, taxonomy: int, names: tuple[str, ...]
) -> None:
    labeller = cascade_of(database, taxonomy, *names)
    through(database, labeller, TEXTS)
    expected = outcome(database)
    assert {status for *_, status in expected["labels"]} == {"accepted", "needs_review"}
    with database.transaction() as cursor:
        cursor.execute("TRUNCATE reviews, labels, verdicts, waiting CASCADE")
    stored = taken(database, labeller, [message(*TEXTS)])
    assert outcome(database) == expected
    waiting = ask(database, "SELECT review_id, stage FROM waiting")
    assert sorted((one, stage) for stage, ids in stored.to_stages.items() for one in ids) == sorted(waiting)


def test_what_no_stage_at_hand_is_sure_of_waits_for_the_next_one(database: Database, taxonomy: int) -> None:
    labeller = cascade_of(database, taxonomy)
    stored = taken(database, labeller, [message("туфли", "очки", "немо")], ["keywords"])
    assert {stage: len(ids) for stage, ids in stored.to_stages.items()} == {"similarity": 2}
    assert stored.counts["keywords"].kept == 1
    assert labeller.run("similarity", stored.to_stages["similarity"]).counts.seen == 2
    assert not ask(database, "SELECT FROM waiting")


def test_the_same_messages_again_change_no_row_and_tell_who_waits(database: Database, taxonomy: int) -> None:
    labeller = cascade_of(database, taxonomy)
    first = taken(database, labeller, [message(*TEXTS)])
    before = dump(database)
    again = taken(database, labeller, [message(*TEXTS)])
    assert again.to_stages == {}, "who waits for a later stage has been sent to it"
    again = taken(database, labeller, [message(*TEXTS)], again=True)
    assert dump(database) == before
    assert (again.ids, again.new) == (first.ids, 0)
    assert again.to_stages == first.to_stages, "whoever had it before may have died before it sent them"


def test_a_stage_that_fails_leaves_all_of_them_to_the_tasks(database: Database, taxonomy: int) -> None:
    labeller = cascade_of(database, taxonomy, first=Choking())
    stored = taken(database, labeller, [message("туфли", "яд", "очки")])
    assert stored.to_stages == {"keywords": stored.ids[0]}
    assert not ask(database, "SELECT FROM labels")
    assert labeller.run("keywords", stored.ids[0][:1]).counts.kept == 1


def test_a_text_that_is_replaced_is_judged_by_the_tasks(database: Database, taxonomy: int) -> None:
    labeller = cascade_of(database, taxonomy, "keywords")
    taken(database, labeller, [message("туфли")])
    stored = taken(database, labeller, [message("тапочки", "топор")])
    assert (stored.replaced, stored.new) == (1, 1)
    assert stored.to_stages == {"keywords": stored.ids[0][:1]}


def test_of_two_texts_the_one_that_arrived_later_stays_whichever_is_stored_first(
    database: Database, taxonomy: int
) -> None:
    labeller, now = cascade_of(database, taxonomy, "keywords"), datetime.now(UTC)
    earlier = message("туфли", arrived_at=now)
    later = message("тапочки", arrived_at=now + timedelta(milliseconds=3))
    for first, second in ((earlier, later), (later, earlier)):
        taken(database, labeller, [first])
        taken(database, labeller, [second])
        assert ask(database, "SELECT text FROM reviews") == [("тапочки",)]
        with database.transaction() as cursor:
            cursor.execute("TRUNCATE reviews, labels, verdicts, waiting CASCADE")


def test_a_clock_that_is_far_behind_keeps_no_new_text_out(database: Database, taxonomy: int) -> None:
    labeller, now = cascade_of(database, taxonomy, "keywords"), datetime.now(UTC)
    taken(database, labeller, [message("туфли", arrived_at=now)])
    taken(database, labeller, [message("тапочки", arrived_at=now - timedelta(hours=3))])
    assert ask(database, "SELECT text FROM reviews") == [("тапочки",)]


def test_a_new_review_that_somebody_else_stores_meanwhile_gets_one_label(
    database: Database, taxonomy: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    labeller = cascade_of(database, taxonomy, "keywords")
    judging = Judging(labeller, ["keywords"])
    judge = judging.judge

    def judged_late(*given: Any) -> Any:
        monkeypatch.undo()
        taken(database, labeller, [message("туфли", "очки")])
        return judge(*given)

    monkeypatch.setattr(judging, "judge", judged_late)
    stored = take_in(
        database,
        [replace(message("туфли", "очки", "топор"))],
        queue=QUEUE,
        taxonomy_id=taxonomy,
        first_stage="keywords",
        judging=judging,
    )
    assert stored.new == 1
    assert ask(database, "SELECT count(*), count(DISTINCT review_id) FROM labels") == [(3, 3)]
    assert not ask(database, "SELECT FROM waiting")


@pytest.mark.parametrize("judges", [True, False], ids=["judged", "stored only"])
def test_reviews_that_are_taken_for_new_ones_end_as_those_that_were_looked_for(
    database: Database, taxonomy: int, judges: bool
) -> None:
    labeller = cascade_of(database, taxonomy)
    at_hand = ("keywords", "similarity") if judges else None
    found = []
    for careful in (True, False):
        taken(database, labeller, [message("туфли", "очки")], at_hand, careful=careful)
        stored = taken(database, labeller, [message("туфли", "тапочки", *TEXTS)], at_hand, careful=careful)
        found.append((stored.new, stored.known, stored.replaced, outcome(database)))
        assert ask(database, "SELECT count(*) FROM reviews") == [(len(TEXTS) + 2,)]
        with database.transaction() as cursor:
            cursor.execute("TRUNCATE reviews, labels, verdicts, waiting CASCADE")
    assert found[0] == found[1]
    assert found[0][:3] == (len(TEXTS), 2, 1)


@pytest.mark.parametrize("minutes", [0, 2, 8])
def test_an_older_text_that_comes_again_does_not_take_the_place_of_a_newer_one(
    database: Database, taxonomy: int, minutes: int
) -> None:
    labeller, now = cascade_of(database, taxonomy), datetime.now(UTC)
    later = now + timedelta(minutes=minutes)
    taken(database, labeller, [message("туфли", arrived_at=now)])
    taken(database, labeller, [message("тапочки", arrived_at=later)])
    for arrived_at in (now, later + timedelta(minutes=1)):
        stored = taken(database, labeller, [message("туфли", arrived_at=arrived_at)], again=True)
        assert (stored.known, stored.replaced) == (1, 0)
    assert ask(database, "SELECT text, revision FROM reviews") == [("тапочки", 2)]
    assert taken(database, labeller, [message("туфли", arrived_at=later)]).replaced == 1, (
        "a new message's does"
    )


def test_only_reviews_of_which_something_was_written_are_counted(database: Database, taxonomy: int) -> None:
    labeller = cascade_of(database, taxonomy)
    first = taken(database, labeller, [message(*TEXTS)])
    again = taken(database, labeller, [message(*TEXTS)])
    both = taken(database, labeller, [message(*TEXTS, "туман")])
    assert first.counts["keywords"].seen == len(TEXTS)
    assert (again.counts["keywords"].seen, again.counts["similarity"].seen) == (0, 0)
    alone = both.counts["keywords"]
    assert (alone.seen, alone.kept, len(alone.kept_after_s)) == (1, 1, 1)


def test_counts_of_some_are_those_that_they_would_have_alone(database: Database, taxonomy: int) -> None:
    labeller = cascade_of(database, taxonomy)
    taken(database, labeller, [message(*TEXTS)])
    new = Message([review(f"new {number}", text) for number, text in enumerate(TEXTS)], [])
    both = taken(database, labeller, [message(*TEXTS), new])
    with database.transaction() as cursor:
        cursor.execute("TRUNCATE reviews, labels, verdicts, waiting CASCADE")
    alone = taken(database, labeller, [new])
    for stage, counts in alone.counts.items():
        assert replace(counts, kept_after_s=[], to_people_after_s=[]) == replace(
            both.counts[stage], kept_after_s=[], to_people_after_s=[]
        )


def test_messages_that_were_rejected_once_are_never_taken_for_new(
    database: Database, taxonomy: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    labeller = cascade_of(database, taxonomy)
    asked = []
    upsert = reviews.upsert

    def noted(*given: Any, careful: bool, **more: Any) -> Upserted:
        asked.append(careful)
        return upsert(*given, careful=careful, **more)

    monkeypatch.setattr(reviews, "upsert", noted)
    origin = Origin(QUEUE, datetime.now(UTC))
    taken(database, labeller, [message("туфли", origin=origin)], careful=False)
    taken(database, labeller, [message("туфли", "очки", "тапочки")], careful=False)
    assert asked == [True, False, True], "and a known one is found out at the second"


def test_once_a_review_was_known_the_door_looks_for_some_time(
    database: Database, taxonomy: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def noted(*given: Any, careful: bool, **named: Any) -> Stored:
        asked.append(careful)
        return take_in(*given, careful=careful, **named)

    monkeypatch.setattr(door, "take_in", noted)
    monkeypatch.setattr(sending, "what_follows", lambda *_: None)
    here = runtime.build(settings().model_copy(update={"predictions": False}), database)
    entrance = door.Door(here, QUEUE, None)
    for number in range(2):
        entrance.admit([Message([review(str(number), "туфли")], [])], "live")
    entrance.admit([Message([review("1", "туфли")], [])], "live")
    for number in range(3, door.CAREFUL + 4):
        entrance.admit([Message([review(str(number), "туфли")], [])], "live")
    assert asked == [False, False, False, *[True] * door.CAREFUL, False]
