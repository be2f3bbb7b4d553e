"""One test's services, processes and reviews: what every fault happens to."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from shared.settings import Settings
from shared.store import Database
from tests.faults.ledger import SOURCE, Ledger
from tests.support import ledger as tables
from tests.support import processes
from tests.support.postgres_node import PostgresNode
from tests.support.producer import publish, review
from tests.support.servers import PATIENCE_S, RabbitNode, wait_until

IN_MESSAGE = 50
TEXTS = ("Платье номер {} село отлично", "Утюг номер {} гладит хорошо", "Вещь номер {}, рекомендую")
"""The first two are clear to the keywords, the third goes on to the next stage."""


class World:
    """A database, a virtual host, a folder for logs, and the ledger over them."""

    def __init__(
        self, settings: Settings, database: Database, rabbit: RabbitNode, postgres: PostgresNode, folder: Path
    ) -> None:
        self.settings, self.database, self.folder = settings, database, folder
        self.rabbit, self.postgres = rabbit, postgres
        self.ledger = Ledger(database, rabbit, settings.amqp_url)
        self.told: dict[str, str] = {}
        """Variables for every process that is started."""
        self.judges_first = True
        """Whether CPU workers take reviews in; else ingest stores them first."""

    # Processes

    @contextmanager
    def started(
        self, *arguments: str, log: str, settings: Settings | None = None, **more: str
    ) -> Iterator[subprocess.Popen[bytes]]:
        """An `otzyv` process that is stopped politely at the end."""
        surroundings = {**self._way, **self.told, **more}
        log_file = self.folder / log
        with processes.started(
            *arguments, settings=settings or self.settings, log=log_file, **surroundings
        ) as process:
            yield process

    @contextmanager
    def module(self, name: str, log: str, **more: str) -> Iterator[subprocess.Popen[bytes]]:
        """A worker with a stage for tests, run as a module."""
        tries, gate = str(self.folder / "tries"), str(self.folder / "gate")
        surroundings = {**self._way, **self.told, "BRITTLE_TRIES": tries, "GATE": gate, **more}
        with processes.module(name, self.settings, self.folder / log, **surroundings) as process:
            yield process

    @contextmanager
    def running(self) -> Iterator[tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]]]:
        """Who takes reviews in, and who labels: `otzyv worker cpu` with two processes is both, or there is ingest."""
        with ExitStack() as stack:
            taking = stack.enter_context(self.door())
            worker = stack.enter_context(self.started("worker", "cpu", "--processes", "2", log="worker.log"))
            yield taking or worker, worker

    @contextmanager
    def door(self) -> Iterator[subprocess.Popen[bytes] | None]:
        """`otzyv ingest`, where reviews are stored first; nobody where workers take them in."""
        if self.judges_first:
            yield None
            return
        with self.started("ingest", log="ingest.log") as process:
            yield process

    @property
    def _way(self) -> dict[str, str]:
        return {"OTZYV_JUDGE_FIRST": str(self.judges_first)}

    @property
    def taking_log(self) -> str:
        """The log of who takes reviews in."""
        return "worker.log" if self.judges_first else "ingest.log"

    def wait_at_work(self) -> None:
        """Wait until ingest and worker are past their start, at which a service that is away ends them."""
        self.wait(lambda: "ingest.consuming" in self.log(self.taking_log), "reviews to be taken")
        self.wait(lambda: " ready." in self.log(), "the worker to be ready")

    def run(self, *arguments: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        """A command to its end."""
        return processes.run(*arguments, settings=self.settings, **{**self._way, **self.told, **more})

    def log(self, name: str = "worker.log") -> str:
        """What a process has logged so far."""
        place = self.folder / name
        return place.read_text(errors="replace") if place.exists() else ""

    # Reviews

    def publish(self, *bodies: bytes, **properties: Any) -> None:
        """Raw messages, each confirmed before this returns."""
        publish(self.settings, *bodies, **properties)

    def send(self, texts: Sequence[str] | int, first: int = 0, in_message: int = IN_MESSAGE) -> None:
        """Reviews with these texts, or so many, numbered from `first`; noted as sent and as confirmed."""
        if isinstance(texts, int):
            texts = [TEXTS[number % 3].format(number) for number in range(first, first + texts)]
        rows = [review(first + place, text) for place, text in enumerate(texts)]
        names = [str(row["id"]) for row in rows]
        self.ledger.sent.update(names)
        self.publish(
            *(
                json.dumps({"reviews": rows[start : start + in_message]}).encode()
                for start in range(0, len(rows), in_message)
            )
        )
        self.ledger.confirmed.update(names)

    def file(self, count: int) -> Path:
        """A CSV file of so many reviews for `otzyv enqueue`; noted as sent."""
        place = self.folder / "reviews.csv"
        rows = [f"{SOURCE},{n},{TEXTS[n % 2].format(n)}" for n in range(count)]
        place.write_text("\n".join(["source,id,text", *rows, ""]))
        self.ledger.sent.update(map(str, range(count)))
        return place

    # Facts

    def wait(self, fact: Callable[[], object], what: str, seconds: float = PATIENCE_S) -> None:
        """Wait until something is so."""
        wait_until(fact, f"{what}; logs in {self.folder}", seconds=seconds)

    def count(self, table: str) -> int:
        """Rows of a table; or of a query, in parentheses."""
        return tables.count(self.database, table)

    def settled(self, reviews: int) -> bool:
        """Whether so many reviews are stored and none of them waits."""
        return self.count("reviews") == reviews and self.count("waiting") == 0

    def wait_settled(self, reviews: int, seconds: float = PATIENCE_S) -> None:
        """Wait until so many reviews are stored and none waits any more."""
        self.wait(lambda: self.settled(reviews), f"{reviews} reviews to be settled", seconds)
        self.wait_quiet()

    def wait_quiet(self) -> None:
        """Wait until predictions were tried, and no message waits or is worked on where there should be none."""
        tried = "(SELECT 1 FROM awaiting_prediction WHERE sent_at IS NOT NULL) AS t"
        self.wait(lambda: self.count(tried) == 0, "predictions to be made or parked")
        try:
            self.wait(lambda: not self.ledger.in_flight(), "all queues to be empty")
        except pytest.fail.Exception:
            print("in flight:", self.ledger.in_flight(), "ready:", self.ledger.queues())
            raise

    def wait_dead_letters(self, count: int) -> None:
        """RabbitMQ moves dead letters a moment after they were rejected."""
        self.wait(lambda: self.ledger.count().dead_letters == count, f"{count} dead letters")


BOTH_WAYS = pytest.mark.parametrize("judges_first", [True, False], ids=["judged first", "stored first"])
"""For what must hold whoever takes reviews in."""


def crash(place: str, file: Path, whom: str = "") -> dict[str, Any]:
    """The variable that lets one process die at a place once; `whom` "group" takes those started with it along."""
    file.write_text(whom)
    return {"TEST_OTZYV_CRASH_AT": f"{place}={file}"}
