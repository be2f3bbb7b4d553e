"""Whether the workers that run can load a model: each is asked by a message of Celery's control, and looks for itself.

Files are looked for where that process reads them, and their sizes compared; to load them would hold its messages up.
Whoever asks waits no longer than for a connection. A worker that says nothing within that time may be busy, or of an
older version, and stands in nobody's way.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
import structlog
from celery.worker.control import inspect_command

from shared.classifiers import Artefact
from shared.errors import BrokerUnavailable, ModelRefused, OtzyvError
from shared.runtime import runtime
from shared.serving.shelf import place_of_models
from shared.settings import Settings, settings
from shared.store import models
from shared.store.models import Model
from workers.app import app
from workers.rabbitmq.connection import translated
from workers.rabbitmq.queue_states import queue_states
from workers.rabbitmq.topology import CPU_CLASSIFY, WORKER_LINES

log = structlog.get_logger()

CAN_LOAD: Final = "can_load"
LOADS: Final = "loads"
REFUSES: Final = "refuses"
ELSEWHERE: Final = "elsewhere"
PREDICTS_NOTHING: Final = "predicts nothing"
WORDS: Final = (LOADS, REFUSES, ELSEWHERE, PREDICTS_NOTHING)
"""What a worker says."""


class WorkersAnswer(msgspec.Struct, frozen=True):
    """What the workers that predict say of a model: who can load it, and why the others cannot, by their names.

    `elsewhere` work on another database; `silent` is how many did not answer in time.
    """

    able: list[str]
    refusals: dict[str, str]
    elsewhere: list[str]
    silent: int

    @property
    def doubt(self) -> str:
        """What is not known; empty where every worker has answered, and there is one."""
        if self.elsewhere:
            return (
                f"{', '.join(self.elsewhere)}: expected workers on this database, found them on another one"
            )
        if self.silent:
            return (
                f"{self.silent} of the workers that run did not say whether they can load it; see their logs"
            )
        if not self.able and not self.refusals:
            return "no worker runs that could be asked whether it can load it"
        return ""


@inspect_command(name=CAN_LOAD, args=[("number", int), ("sha256", str)])  # type: ignore[untyped-decorator]
def can_load(state: Any, number: int = 0, sha256: str = "") -> dict[str, str]:
    """In a worker's main process: what stands in the way of a model here."""
    if CPU_CLASSIFY.queue not in state.app.amqp.queues.consume_from:
        return {"says": PREDICTS_NOTHING}
    chosen = settings().hasty.model_copy(update={"database_connections": 1})
    database = runtime.open_database(chosen, "otzyv control")
    try:
        with database.transaction() as cursor:
            model = models.get(cursor, number)
        if model is None or model.sha256 != sha256:
            return {"says": ELSEWHERE}
        Artefact(place_of_models(database, chosen.models), model.path, sha256).check_at_hand()
    except OtzyvError as error:
        return {"says": REFUSES, "why": str(error)}
    finally:
        database.close()
    return {"says": LOADS}


def answers(model: Model, chosen: Settings) -> WorkersAnswer:
    """Ask every worker that runs about a model. Raises BrokerUnavailable."""
    consumers = {state.line.queue: state.consumers for state in queue_states(chosen.hasty)}
    running = {kind: max(consumers[line.queue] for line in lines) for kind, lines in WORKER_LINES.items()}
    replies: list[dict[str, dict[str, str]]] = []
    if running["cpu"]:
        with translated():
            replies = app.control.broadcast(
                CAN_LOAD,
                {"number": model.id, "sha256": model.sha256},
                reply=True,
                timeout=float(chosen.connect_timeout_s),
                limit=sum(running.values()),
            )
    said = {name: reply for one in replies for name, reply in sorted(one.items())}
    by = {word: [name for name, reply in said.items() if reply.get("says") == word] for word in WORDS}
    refusals = {name: said[name]["why"] for name in by[REFUSES]}
    silent = running["cpu"] - sum(len(by[word]) for word in (LOADS, REFUSES, ELSEWHERE))
    return WorkersAnswer(by[LOADS], refusals, by[ELSEWHERE], max(0, silent))


def asked(model: Model, chosen: Settings) -> str:
    """Ask, and return what is not known. Raises ModelRefused where a worker says that it cannot load the model."""
    try:
        found = answers(model, chosen)
    except BrokerUnavailable as error:
        return f"no worker could be asked whether it can load it: {error}"
    if not found.refusals:
        return found.doubt
    count = len(found.refusals) + len(found.able) + found.silent
    raise ModelRefused(
        f"model {model.id}: expected every worker to load it, found {len(found.refusals)} of {count} that cannot; "
        + "; ".join(f"{name} says: {why}" for name, why in found.refusals.items())
    )


def ask(model: Model) -> None:
    """The same for a process without a terminal: what is not known goes into its log."""
    if doubt := asked(model, settings()):
        log.warning("model.workers_not_asked", model_id=model.id, why=doubt)
