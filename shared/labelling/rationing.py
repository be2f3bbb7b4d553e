"""Who is asked next where the language model's tokens are rationed: reviews that reach it wait until they are chosen.

The order is `shared.quality.asking`. Without a limit on tokens nobody waits, and nothing here is done but letting
those go who waited under a limit of before.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import structlog
from msgspec.structs import replace
from psycopg2.extensions import cursor as Cursor

from shared.cascade.stage import Stage, Verdict
from shared.catalogue import LLM
from shared.classifiers.linear import encoder
from shared.errors import OtzyvError
from shared.quality import asking
from shared.store import Database, asked, labels, thresholds, verdicts
from shared.store.asked import Chosen, RationedReview
from shared.store.llm.answers import tokens_per_answer
from shared.store.llm.budget import spent_today
from shared.store.places import WaitingReview
from shared.store.verdicts import Guess
from shared.text.masking import without_words

log = structlog.get_logger()

ROUND: Final = 250
"""Most reviews that are chosen and not yet answered, unless all are: what is chosen later knows more. With rounds of
1,000 out of 1,801 the order was hardly better than chance (`python -m tests.benchmarks.asking_order --step 1000`)."""
FIRST: Final = 64
"""Reviews chosen while no answer has told how many tokens one takes."""
POOL: Final = 50_000
"""Reviews that are chosen among, of more so many at random: their texts and vectors take 100 MB."""


def admitted(database: Database, review_ids: Sequence[int], taxonomy_id: int) -> list[int]:
    """Those of a batch that may be asked about, in its order; the others wait for tokens from now on."""
    with database.transaction() as cursor:
        rationed = {*asked.await_tokens(cursor, review_ids, taxonomy_id, LLM)}
    return [review_id for review_id in review_ids if review_id not in rationed]


def next_asked(
    database: Database,
    taxonomy_id: int,
    daily_tokens: int,
    student: Callable[[], Stage | None] = lambda: None,
    seed: int | None = None,
) -> list[int]:
    """Reviews to be sent now, the first ones first: as many as today's tokens will take, and no more than a round.

    They count as sent. Where the tokens take all that wait, all are chosen, with a probability of 1; else nobody while
    most of those chosen before have no answer yet. With 0 `daily_tokens`, which is no limit, all are let go.
    Guesses are those of `student` as it is now, or else the surest ones of when the reviews came.
    """
    with database.transaction() as cursor:
        if not daily_tokens:
            return asked.release(cursor, taxonomy_id, LLM, POOL)
        affordable, in_work = _affordable(cursor, daily_tokens), asked.in_work(cursor, LLM)
        how_many = asked.how_many_await_tokens(cursor, taxonomy_id)
        everybody, most = how_many <= affordable - in_work, min(ROUND, affordable)
        if not how_many or (not everybody and (in_work >= most or 2 * in_work > most)):
            return []
        waiting = asked.awaiting_tokens(cursor, taxonomy_id, LLM, POOL)
    if everybody:
        chosen = [Chosen(row.review_id, row.revision, 1.0) for row in waiting]
    else:
        pool = _pool(waiting, _guesses(database, waiting, taxonomy_id, student))
        chosen = _by_worth(database, pool, waiting, most - in_work, taxonomy_id, seed)
        part = len(waiting) / how_many
        chosen = [replace(row, probability=row.probability and row.probability * part) for row in chosen]
    with database.transaction() as cursor:
        return asked.choose(cursor, chosen, taxonomy_id, LLM)


def _by_worth(
    database: Database,
    pool: asking.Pool,
    waiting: Sequence[RationedReview],
    wanted: int,
    taxonomy_id: int,
    seed: int | None,
) -> list[Chosen]:
    """Whom to ask out of those who wait, in order, with the probabilities of the random ones among these."""
    with database.transaction() as cursor:
        counted = labels.by_category(cursor, taxonomy_id)
        certified = thresholds.certified_categories(cursor, taxonomy_id)
    drawn = secrets.randbits(32) if seed is None else seed
    choice = asking.choose(pool, wanted, counted, certified, seed=drawn)
    return [
        Chosen(waiting[at].review_id, waiting[at].revision, choice.probability if at_random else None)
        for at, at_random in zip(choice.order.tolist(), choice.at_random.tolist(), strict=True)
    ]


def _guesses(
    database: Database,
    waiting: Sequence[RationedReview],
    taxonomy_id: int,
    student: Callable[[], Stage | None],
) -> list[Guess | Verdict | None]:
    """The guess on each of those who wait. A student that cannot be asked stops nobody from being chosen."""
    try:
        judge = student()
    except OtzyvError as error:
        log.warning("rationing.no_student", error=str(error))
        judge = None
    if judge is not None:
        return [answer.verdict for answer in judge.answers([without_words(row.text) for row in waiting])]
    read = [WaitingReview(row.review_id, row.revision, row.text) for row in waiting]
    with database.transaction() as cursor:
        found = verdicts.guesses(cursor, read, taxonomy_id)
    return [found.get(row.review_id) for row in waiting]


def _affordable(cursor: Cursor, daily_tokens: int) -> int:
    """How many answers the tokens that are left for today will take."""
    left = daily_tokens - spent_today(cursor)
    tokens = tokens_per_answer(cursor)
    return 0 if left <= 0 else FIRST if tokens is None else int(left / tokens)


def _pool(waiting: Sequence[RationedReview], guesses: Sequence[Guess | Verdict | None]) -> asking.Pool:
    """Those who wait, with their guesses.

    A label that was withheld counts as sure, and is asked about at random only: what these say of the stage that would
    have kept it would otherwise be said of its least sure ones.
    """
    sure = [
        1.0 if row.withheld else np.nan if guess is None else guess.confidence
        for row, guess in zip(waiting, guesses, strict=True)
    ]
    return asking.Pool(
        [None if guess is None else guess.category for guess in guesses],
        np.array(sure, np.float64),
        encoder().embed([row.text for row in waiting], "query"),
    )
