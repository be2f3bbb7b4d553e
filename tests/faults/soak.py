"""A soak: many reviews through the whole system while processes, RabbitMQ and PostgreSQL are killed and restarted.

    python -m tests.faults.soak --reviews 200000 --faults 40

Two CPU workers of two processes, an ingest beside them and two beats run as a user would start them, on a RabbitMQ and
a PostgreSQL of the soak's own. Every few seconds one is killed or restarted; a process that has ended is started again,
as Compose would. What goes wrong is drawn with a seed that is printed: `--seed` draws the same kinds of faults
again, after the same pauses. At the end the ledger is made up: it exits with 1 unless everything that was confirmed has
arrived, once.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from shared.classifiers import Location
from shared.classifiers.packaging.package import package
from shared.errors import OtzyvError, RetryableError
from shared.runtime import runtime
from shared.serving.registry import Registry
from shared.settings import Settings, load
from shared.store import Database
from shared.store.postgres import schema
from tests.faults.ledger import SOURCE, Ledger
from tests.support import tiny_linear
from tests.support.ledger import astray
from tests.support.postgres_node import PostgresNode, postgres_node
from tests.support.process_tree import children
from tests.support.processes import OTZYV, environment
from tests.support.servers import RabbitNode, database_of, rabbit_node
from workers.rabbitmq import topology
from workers.rabbitmq.publisher import Publisher

out = Console(highlight=False)

IN_MESSAGE = 250
QUICK = {"OTZYV_SWEEP_AFTER_S": "10", "OTZYV_LOG_FORMAT": "json"}
TEXTS = (*tiny_linear.TEXTS, "Хорошо", "Не подошло по размеру", "Взяла куртку и сапоги, всё отлично")
BROKEN = {"source": SOURCE, "text": "у этого отзыва нет номера"}
BROKEN_EVERY = 40
"""One message in so many carries a review that breaks the contract as well."""
AGAIN_EVERY = 25
"""One message in so many is sent a second time."""


class Service:
    """An `otzyv` process that is started again whenever it has ended."""

    def __init__(self, name: str, arguments: list[str], settings: Settings, folder: Path) -> None:
        self.name = name
        self.starts = 0
        self.last_exit: int | None = None
        self._arguments, self._folder = arguments, folder
        self._environment = environment(settings, **QUICK, OTZYV_MODELS=str(folder / "models"))
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        self.starts += 1
        with (self._folder / f"{self.name}.log").open("ab") as log:
            return subprocess.Popen(
                [str(OTZYV), *self._arguments],
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def revive(self) -> None:
        """Start again what has ended, after the children that a killed process may have left."""
        if self.process.poll() is not None:
            self.last_exit = self.process.returncode
            self._kill_group()
            self.process = self._start()

    def kill(self) -> None:
        """SIGKILL to the process and its children."""
        self._kill_group()
        self.process.wait(30)

    def kill_child(self, draw: random.Random) -> None:
        """SIGKILL to one of its children; to itself if it has none."""
        found = children(self.process.pid)
        os.kill(draw.choice(found) if found else self.process.pid, signal.SIGKILL)

    def ask_to_stop(self) -> None:
        """SIGTERM: it may finish what it holds."""
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()

    def _kill_group(self) -> None:
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return


class Feeder(threading.Thread):
    """Publishes reviews in messages, and notes in the ledger what it sends and what RabbitMQ has confirmed."""

    def __init__(self, settings: Settings, book: Ledger, reviews: int) -> None:
        super().__init__(name="feeder", daemon=True)
        self.book = book
        self.repeats = 0
        self.error: Exception | None = None
        self._settings, self._reviews = settings, reviews
        self._messages = -(-reviews // IN_MESSAGE)
        self._may_send = threading.Semaphore(0)
        self._released = 0

    def release(self, share: float) -> None:
        """Let so large a share of all messages go."""
        wanted = round(share * self._messages)
        if wanted > self._released:
            self._may_send.release(wanted - self._released)
            self._released = wanted

    def run(self) -> None:
        """Send everything that is released, as fast as it is confirmed."""
        try:
            for number in range(self._messages):
                self._may_send.acquire()
                self._send(number, repeats=2 if number % AGAIN_EVERY == 0 else 1)
        except Exception as error:  # noqa: BLE001  told at the end of the soak
            self.error = error

    def _send(self, number: int, repeats: int) -> None:
        first = number * IN_MESSAGE
        names = [str(n) for n in range(first, min(first + IN_MESSAGE, self._reviews))]
        group: list[dict[str, object]] = [
            {"source": SOURCE, "id": name, "text": TEXTS[int(name) % len(TEXTS)]} for name in names
        ]
        if number % BROKEN_EVERY == 0:
            group.append({**BROKEN, "meta": {"message": number}})
            self.book.bad.append(msgspec.json.encode(group[-1]))
        self.book.sent.update(names)
        for _ in range(repeats):
            self._confirm(number, group)
        self.repeats += repeats - 1
        self.book.confirmed.update(names)

    def _confirm(self, number: int, group: list[dict[str, object]]) -> None:
        """Until it is confirmed: a producer that is told of a failure sends again, the same message as before.

        Every other message goes by the bulk lane.
        """
        batch = uuid.uuid5(uuid.NAMESPACE_OID, str(number))
        lane = topology.LANES[number % 2]
        while True:
            try:
                with Publisher(self._settings, lane=lane) as publisher:
                    list(publisher.send(batch, "soak", [group]))
            except RetryableError:
                time.sleep(0.5)
            else:
                return


class Soak:
    """The services, and what is done to them."""

    def __init__(
        self, rabbit: RabbitNode, postgres: PostgresNode, services: list[Service], seed: int
    ) -> None:
        self._rabbit, self._postgres, self._services = rabbit, postgres, services
        self._draw = random.Random(seed)
        # Whom it hits depends on who is there: drawn apart, so that what comes next does not.
        self._whom = random.Random(seed)
        self.done: Counter[str] = Counter()
        workers = [s for s in services if s.name.startswith("worker")]
        ingests = [s for s in services if s.name.startswith("ingest")]
        self._faults: list[tuple[str, float, Callable[[], None]]] = [
            ("worker's child killed", 3, lambda: self._whom.choice(workers).kill_child(self._whom)),
            ("worker killed", 3, lambda: self._whom.choice(workers).kill()),
            ("worker told to stop", 1, lambda: self._whom.choice(workers).ask_to_stop()),
            ("ingest killed", 3, lambda: self._whom.choice(ingests).kill()),
            ("ingest told to stop", 1, lambda: self._whom.choice(ingests).ask_to_stop()),
            ("beat killed", 1, lambda: services[-1].kill()),
            ("RabbitMQ killed", 2, lambda: self._restart_rabbit(kill=True)),
            ("RabbitMQ restarted", 1, lambda: self._restart_rabbit(kill=False)),
            ("PostgreSQL killed", 2, lambda: postgres.restart("kill")),
            ("PostgreSQL restarted", 1, lambda: postgres.restart("fast")),
        ]

    def one_fault(self) -> str:
        """Draw a fault, let it happen, and start again what has ended."""
        (fault,) = self._draw.choices(self._faults, [weight for _, weight, _ in self._faults])
        name, _, happen = fault
        happen()
        self.done[name] += 1
        self.revive()
        return name

    def pause_s(self) -> float:
        """Seconds until the next fault."""
        return self._draw.uniform(0.2, 3.0)

    def revive(self) -> None:
        """Start again every process that has ended."""
        for service in self._services:
            service.revive()

    def _restart_rabbit(self, *, kill: bool) -> None:
        (self._rabbit.crash if kill else self._rabbit.stop)()
        self._rabbit.start()


def main(
    reviews: Annotated[int, typer.Option(min=1_000)] = 200_000,
    faults: Annotated[int, typer.Option(min=1)] = 40,
    seed: Annotated[int | None, typer.Option(help="(default: drawn and printed)")] = None,
    patience_s: Annotated[
        float, typer.Option(help="Longest wait for the rest after the last fault.")
    ] = 900.0,
    json_to: Annotated[Path | None, typer.Option("--json", help="Write the ledger there.")] = None,
) -> None:
    """Run a soak and make up the ledger."""
    seed = random.SystemRandom().randrange(2**31) if seed is None else seed
    out.print(f"seed {seed}: {reviews:,} reviews, {faults} faults")
    with _everything(seed) as (settings, database, book, soak):
        feeder = Feeder(settings, book, reviews)
        feeder.start()
        began = time.monotonic()
        with _progress() as progress:
            _rage(soak, feeder, faults, database, reviews, progress)
            settled = _settle(soak, feeder, database, progress, patience_s)
        counts = book.count()
        found = {
            **msgspec.structs.asdict(counts),
            "predicted": _rows(database, "SELECT count(DISTINCT review_id) FROM predictions")[0][0],
            "astray": len(astray(database)),
            "sent twice": feeder.repeats,
            "broken": len(book.bad),
            "seed": seed,
            "seconds": round(time.monotonic() - began),
            "faults": dict(soak.done),
        }
    out.print_json(json.dumps(found, ensure_ascii=False))
    if json_to:
        json_to.write_text(json.dumps(found, ensure_ascii=False) + "\n")
    wrong = [name for name in ("lost", "unexpected", "duplicates", "left", "astray") if found[name]]
    whole = found["labelled"] == found["predicted"] == reviews and found["failed"] == found["broken"]
    if feeder.error or not settled or wrong or not whole:
        out.print(f"FAILED: {feeder.error or 'see above'}")
        raise typer.Exit(1)
    out.print(f"nothing lost, nothing doubled: {sum(soak.done.values())} faults, {reviews:,} reviews")


@contextmanager
def _everything(seed: int) -> Iterator[tuple[Settings, Database, Ledger, Soak]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="otzyv-soak-")))
        rabbit = stack.enter_context(rabbit_node())
        postgres = stack.enter_context(postgres_node())
        host = stack.enter_context(rabbit.virtual_host())
        url = stack.enter_context(database_of(postgres.url))
        database = Database(url)
        schema.upgrade(database)
        settings = load(amqp_url=host, database_url=url)
        _champion(database, folder / "models")
        commands = {
            "ingest": ["ingest"],
            "worker-1": ["worker", "cpu", "--name", "one", "--processes", "2"],
            "worker-2": ["worker", "cpu", "--name", "two", "--processes", "2"],
            "beat-1": ["beat"],
            "beat-2": ["beat"],
        }
        services = [Service(name, words, settings, folder) for name, words in commands.items()]
        try:
            yield settings, database, Ledger(database, rabbit, host), Soak(rabbit, postgres, services, seed)
        finally:
            for service in services:
                service.kill()
            database.close()


def _champion(database: Database, models: Path) -> None:
    here = runtime.build(load().model_copy(update={"models": str(models)}), database)
    registry = Registry(database, Location(str(models)), here.taxonomy, here.taxonomy_id)
    artefact = package(tiny_linear.model(), here.taxonomy, tiny_linear.TEXTS, registry.location)
    registry.promote(registry.register(artefact), "champion", moved_by="soak")


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,} of {task.total:,}"),
        TimeElapsedColumn(), console=out,
    )  # fmt: skip


def _rage(
    soak: Soak, feeder: Feeder, faults: int, database: Database, reviews: int, progress: Progress
) -> None:
    """Faults, one after the other, until there were enough."""
    task, labelled = progress.add_task("faults", total=faults), progress.add_task("labelled", total=reviews)
    for done in range(faults):
        # A part of the reviews before each fault: there is work under way whenever one happens.
        feeder.release((done + 1) / faults)
        time.sleep(soak.pause_s())
        name = soak.one_fault()
        progress.console.print(f"  {name}; {len(feeder.book.confirmed):,} confirmed")
        progress.advance(task)
        progress.update(labelled, completed=_labelled(database) or progress.tasks[labelled].completed)


def _settle(soak: Soak, feeder: Feeder, database: Database, progress: Progress, patience_s: float) -> bool:
    """Wait until everything has been sent, stored, labelled and predicted."""
    until = time.monotonic() + patience_s
    labelled = progress.tasks[-1].id
    while time.monotonic() < until:
        soak.revive()
        progress.update(labelled, completed=_labelled(database) or 0)
        if not feeder.is_alive() and _at_rest(database, len(feeder.book.confirmed)):
            return True
        time.sleep(1)
    return False


def _rows(database: Database, query: str) -> list[tuple[int, ...]]:
    with database.transaction() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def _labelled(database: Database) -> int | None:
    try:
        return _rows(database, "SELECT count(*) FROM labels")[0][0]
    except OtzyvError:
        return None


def _at_rest(database: Database, confirmed: int) -> bool:
    try:
        ((stored, waiting, unpredicted),) = _rows(
            database,
            "SELECT (SELECT count(*) FROM reviews), (SELECT count(*) FROM waiting), "
            "(SELECT count(*) FROM awaiting_prediction)",
        )
    except OtzyvError:
        return False
    return stored >= confirmed and waiting == 0 and unpredicted == 0


if __name__ == "__main__":
    typer.run(main)
