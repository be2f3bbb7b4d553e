"""How many reviews a second come from RabbitMQ to labels in PostgreSQL, beside what a user would write first.

The ways get the same texts by turns, on the same machine and the same servers: Otzyv's own processes, one Celery task
per review (`naive`), and a loop without queue or guarantees, in one process (`loop`) and in one a core (`loops`). A
turn begins with the first publish and ends when the last label is committed.
"""

from __future__ import annotations

import os
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from itertools import cycle, islice
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import msgspec
from celery import Celery
from rich.console import RenderableType

from scripts.bench.system import bare, champion, naive, processes
from scripts.bench.system.sizes import BYTES, WHOLE_PAGES, ReviewBytes, Sizes
from scripts.bench.turns import compared
from scripts.pages.tables import table
from shared.errors import DatabaseUnavailable
from shared.runtime import runtime
from shared.settings import Settings
from shared.store import Database
from workers.rabbitmq.publisher import Publisher

IN_MESSAGE = 250
WARM_UP = 2_000
PATIENCE_S = 600.0
LOOK_S = 0.1
SOURCE = "bench"
CORES = len(os.sched_getaffinity(0))
SETTINGS = {
    "OTZYV_CASCADE_STAGES": "keywords",
    "OTZYV_PREDICTIONS": "false",
    "OTZYV_JUDGE_FIRST": "true",
    "OTZYV_LINGER_MS": "10",
}
WAYS = {
    "otzyv": "Otzyv",
    "naive": "one Celery task and one INSERT a review, late acknowledgement",
    "loop": "the keyword stage in a bare loop and COPY, one process",
    "loops": "the same, a process a core: the ceiling",
}
STORED_FIRST = {"OTZYV_JUDGE_FIRST": "false"}
PARTS = {
    "producer": "producer",
    "broker": "RabbitMQ",
    "stage": "worker",
    "store": "PostgreSQL",
}
Reviews = list[dict[str, object]]
Way = Callable[[Reviews], float]
"""Labels reviews, and tells how many seconds that took."""


class PipelineTurn(msgspec.Struct, frozen=True, omit_defaults=True):
    """Reviews per second of each way that was measured, and what a review costs on ours.

    `cpu_us` is CPU time in microseconds, by part; `bytes` what it takes up, and `pages_are_whole` whether its WAL has
    pages that were there before.
    """

    otzyv: float
    cpu_us: dict[str, float]
    bytes: ReviewBytes
    pages_are_whole: bool = False
    naive: float | None = None
    loop: float | None = None
    loops: float | None = None


class PipelineWork(msgspec.Struct, frozen=True):
    """What ours does of a review: keywords and a label at least.

    With a student, similarity and it judge what the keywords leave; `predicted` says by what kind of champion each
    review is predicted as well. `stored_first`: reviews are stored, and judged by tasks then.
    """

    student: bool = False
    predicted: champion.Kind | None = None
    stored_first: bool = False

    def enrolled(self, settings: Settings, texts: Sequence[str], folder: Path) -> dict[str, str]:
        """Make what that takes; the settings of processes that do it."""
        chosen = STORED_FIRST if self.stored_first else {}
        if self.student:
            chosen = chosen | champion.AS_STUDENT
        if self.predicted:
            chosen = chosen | champion.PREDICTING
        if self.student or self.predicted:
            chosen = chosen | champion.enrol(settings, texts, folder, self.predicted or "linear")
        return chosen

    @property
    def words(self) -> str:
        """What it is called."""
        parts = ["keywords", *(["similarity", "student"] if self.student else []), "labels"]
        parts += [f"predictions by a {self.predicted} model"] if self.predicted else []
        guarantees = "stored first" if self.stored_first else "all guarantees"
        return f"Otzyv: {', '.join(parts)}; {guarantees}"


PLAIN = PipelineWork()


def supply(texts: Sequence[str]) -> Callable[[int], Reviews]:
    """Gives so many of the next reviews: the texts without end, each with a number that no other has."""
    reviews: Iterator[dict[str, object]] = (
        {"source": SOURCE, "id": str(number), "text": text} for number, text in enumerate(cycle(texts))
    )
    return lambda count: list(islice(reviews, count))


class Otzyv:
    """A CPU worker on all cores, a producer in this process, and `otzyv ingest` where reviews are stored first."""

    def __init__(self, settings: Settings, database: Database, own: Sequence[int], *, predicts: bool) -> None:
        self._settings, self._database, self.own = settings, database, own
        self._predicts = predicts
        self._before = self._published = 0

    def run(self, reviews: Reviews) -> dict[str, float]:
        """Publish reviews and wait for their labels. Seconds in all, and CPU seconds by part."""
        before, began = self._spent(), time.perf_counter()
        self.publish(reviews)
        seconds, after = self._ended(began)
        # Processes that have ended are with their parents, or of no concern.
        spent = {
            part: sum(cpu - before[part].get(number, 0.0) for number, cpu in after[part].items())
            for part in PARTS
        }
        return {"seconds": seconds, **spent}

    def _ended(self, began: float) -> tuple[float, dict[str, dict[int, float]]]:
        """Wait until all that was published has its label: the seconds since it began, and CPU seconds by then."""
        # Only the ends of indexes are looked at, the last label and the first that waits, since nobody else publishes:
        # counting rows cost PostgreSQL a tenth of what labelling them did.
        ends = [f"(SELECT max(review_id) FROM labels WHERE review_id > {self._before})"]  # noqa: S608
        ends += [
            f"(SELECT min(review_id) - 1 FROM {line} WHERE review_id > {self._before})"  # noqa: S608
            for line in ("waiting", "awaiting_prediction")
        ]
        question = f"SELECT coalesce(least({', '.join(ends)}) - {self._before}, 0)"
        while True:
            wait_for(self._database, question, self._published)
            seconds, after = time.perf_counter() - began, self._spent()
            # A process may be done with the last reviews before another is with those that it took earlier.
            found = asked(self._database, self._done())
            if found == self._published:
                return seconds, after
            if seconds > PATIENCE_S:
                raise DatabaseUnavailable(
                    f"otzyv bench: expected {self._published:,} of what was published to be done within "
                    f"{PATIENCE_S:g} s, found {found:,}; look at the worker's log"
                )
            time.sleep(LOOK_S)

    def publish(self, reviews: Reviews) -> None:
        """Send reviews by the bulk lane, as `otzyv enqueue` does."""
        self._before = asked(self._database, "SELECT coalesce(max(id), 0) FROM reviews")
        self._published = publish(self._settings, reviews)

    def wait(self) -> None:
        """Until all that was published last has its label. What was there before is not looked at."""
        wait_for(self._database, self._done(), self._published)

    def _done(self) -> str:
        """How many of what was published last have a label and, where that is wanted, a prediction."""
        predicted = "JOIN predictions USING (review_id)" if self._predicts else ""
        return f"""
            SELECT count(*) FROM labels JOIN reviews ON id = review_id {predicted}
            WHERE id > {self._before} AND review_id > {self._before} AND source = '{SOURCE}'
        """  # noqa: S608  numbers and constants of this module

    def _spent(self) -> dict[str, dict[int, float]]:
        """CPU seconds of each process of each part, by its number."""
        return {
            "producer": {os.getpid(): time.process_time()},
            "broker": processes.cpu_seconds_named("beam.smp"),
            "stage": {one: processes.cpu_seconds(one) for one in self.own},
            "store": processes.cpu_seconds_named("postgres"),
        }


@contextmanager
def otzyv(settings: Settings, folder: Path, **chosen: str) -> Iterator[Otzyv]:
    """Otzyv's processes on all cores, warm: keywords and labels only unless `chosen` says otherwise."""
    more = {**SETTINGS, "OTZYV_WORKER_PROCESSES": str(CORES), **chosen}
    commands: list[tuple[str, ...]] = [("worker", "cpu")]
    if more["OTZYV_JUDGE_FIRST"] == "false":
        commands.append(("ingest",))
    with ExitStack() as stack:
        database = stack.enter_context(opened(settings))
        own = [
            stack.enter_context(
                processes.otzyv(*command, settings=settings, log=folder / f"{command[0]}.log", **more)
            )
            for command in commands
        ]
        yield Otzyv(settings, database, own, predicts=more["OTZYV_PREDICTIONS"] == "true")


@contextmanager
def naive_worker(settings: Settings, folder: Path) -> Iterator[Way]:
    """One Celery task per review, on a worker of the naive application."""
    command = [
        sys.executable, "-m", "celery", "-A", "scripts.bench.system.naive", "worker", f"--concurrency={CORES}",
        "--loglevel=warning", f"--queues={naive.QUEUE}",
    ]  # fmt: skip
    surroundings = processes.environment(settings)
    with opened(settings, naive.TABLE) as database, Celery("naive", broker=settings.amqp_url) as app:
        labelled = 0

        def run(reviews: Reviews) -> float:
            nonlocal labelled
            began = time.perf_counter()
            for review in reviews:
                app.send_task("naive.label", args=(review,), queue=naive.QUEUE)
            labelled += len(reviews)
            wait_for(database, "SELECT count(*) FROM naive", labelled)
            return time.perf_counter() - began

        try:
            with processes.started(command, surroundings, folder / "naive.log"):
                yield run
        finally:
            # Only now: a worker declares its queue again.
            with app.connection() as connection, connection.channel() as channel:
                channel.queue_delete(naive.QUEUE)


@contextmanager
def bare_loop(settings: Settings, cores: int) -> Iterator[Way]:
    """The ceiling, in so many processes."""
    with opened(settings, bare.TABLE):
        pass
    with ProcessPoolExecutor(cores, get_context("spawn"), bare.prepare, (settings.database_url,)) as pool:

        def run(reviews: Reviews) -> float:
            began = time.perf_counter()
            texts = [str(review["text"]) for review in reviews]
            sum(pool.map(bare.label, [texts[core::cores] for core in range(cores)]))
            return time.perf_counter() - began

        yield run


@contextmanager
def opened(settings: Settings, statement: str = "") -> Iterator[Database]:
    """The database, once a statement has been executed in it."""
    with closing(runtime.open_database(settings, "otzyv bench")) as database:
        if statement:
            with database.transaction() as cursor:
                cursor.execute(statement)
        yield database


def publish(settings: Settings, reviews: Iterable[dict[str, object]]) -> int:
    """Send reviews by the bulk lane, confirmed; returns how many."""
    rest = iter(reviews)
    messages = iter(lambda: list(islice(rest, IN_MESSAGE)), [])
    with Publisher(settings) as publisher:
        return sum(sent.reviews for sent in publisher.send(uuid.uuid4(), SOURCE, messages))


def wait_for(database: Database, question: str, count: int) -> None:
    """Ask until the answer is reached, seldom at first: counting must not become the load.

    Raises DatabaseUnavailable where that takes too long.
    """
    began = time.monotonic()
    first = found = asked(database, question)
    while time.monotonic() < began + PATIENCE_S:
        if found >= count:
            return
        rate = (found - first) / (time.monotonic() - began)
        time.sleep(min(1.0, max(LOOK_S, (count - found) / rate / 2 if rate else LOOK_S)))
        found = asked(database, question)
    raise DatabaseUnavailable(
        f"otzyv bench: expected {count:,} rows within {PATIENCE_S:g} s, found {found:,}"
    )


def asked(database: Database, question: str) -> int:
    """The one number that a statement gives."""
    with database.transaction() as cursor:
        cursor.execute(question)
        return int((cursor.fetchone() or (0,))[0])


def run(
    settings: Settings,
    texts: Sequence[str],
    folder: Path,
    sizes: tuple[int, int],
    turns: int,
    *,
    work: PipelineWork = PLAIN,
    alone: bool = False,
) -> Iterator[PipelineTurn]:
    """The figures of each turn, in which the naive way gets the second of `sizes`, all others the first.

    Ours does the `work`; the others know keywords only. Alone, ours is measured without the others.
    """
    take = supply(texts)
    reviews, naive_reviews = sizes
    chosen = work.enrolled(settings, texts, folder)
    with ExitStack() as stack:
        grown = Sizes(stack.enter_context(opened(settings)))
        ours = stack.enter_context(otzyv(settings, folder, **chosen))
        peers = {} if alone else _peers(stack, settings, folder)

        def rate(name: str, count: int) -> float:
            return count / peers[name](take(count))

        ours.run(take(WARM_UP))
        for name in peers:
            rate(name, WARM_UP // 10 if name == "naive" else WARM_UP)
        for _ in range(turns):
            grown.look()
            spent = ours.run(take(reviews))
            yield PipelineTurn(
                otzyv=reviews / spent["seconds"],
                cpu_us={part: 1e6 * spent[part] / reviews for part in PARTS},
                bytes=grown.grown(reviews),
                pages_are_whole=grown.pages_are_whole,
                **{name: rate(name, naive_reviews if name == "naive" else reviews) for name in peers},
            )


def _peers(stack: ExitStack, settings: Settings, folder: Path) -> dict[str, Way]:
    """The ways that ours is measured beside, ready."""
    return {
        "naive": stack.enter_context(naive_worker(settings, folder)),
        "loop": stack.enter_context(bare_loop(settings, 1)),
        "loops": stack.enter_context(bare_loop(settings, CORES)),
    }


def shown(turns: list[PipelineTurn], work: PipelineWork = PLAIN) -> Iterator[RenderableType]:
    """What the turns come to."""
    found = msgspec.to_builtins(turns)
    ways = WAYS | {"otzyv": work.words}
    yield compared({name: words for name, words in ways.items() if name in found[0]}, found)
    costs = {name: median(turn.cpu_us[part] for turn in turns) for part, name in PARTS.items()}
    rows = [(name, f"{cost:.1f}") for name, cost in (*costs.items(), ("all", sum(costs.values())))]
    yield table(("CPU time of a review", "microseconds, median"), rows, pad_edge=True)
    took = [(words, f"{median(turn['bytes'][key] for turn in found):,.0f}") for key, words in BYTES.items()]
    yield table(("disk", "median"), took, pad_edge=True)
    if any(turn.pages_are_whole for turn in turns):
        yield WHOLE_PAGES
