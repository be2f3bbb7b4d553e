"""`otzyv worker`, `otzyv beat`, `otzyv flower` and `otzyv ingest`: the long-running processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import structlog
from celery import Celery
from celery.signals import worker_ready, worker_shutdown
from celery.worker import WorkController

from shared.catalogue import STAGES, load
from shared.compute.device import gpu_id
from shared.errors import ConfigurationError, SettingsError
from shared.runs.schedule import wanted_arguments
from shared.runtime import runtime
from shared.settings import Settings
from shared.store import gpu_claims
from shared.store.postgres import schema
from shared.store.processes.waits import Waiting
from workers.app import app
from workers.ingest import stream_start
from workers.ingest.ingest import Ingest
from workers.ingest.queue_source import QueueSource
from workers.ingest.stream_source import StreamSource
from workers.intake import mappings
from workers.monitoring import processes as observed
from workers.process import worker_name
from workers.rabbitmq import topology
from workers.rabbitmq.connection import connected
from workers.tasks import labelling
from workers.training import supervisor

log = structlog.get_logger()

CONNECT_ATTEMPTS = 3
FLOWER_FORGETS_S = 60
"""A worker that has been silent for so long: by itself Flower shows its last sign of life for ever."""

WorkerKind = Literal["cpu", "gpu", "train"]


def _ready(settings: Settings) -> None:
    """Fail now, with a clear message, rather than in the first task."""
    database = runtime.open_database(settings)
    schema.check(database)
    database.close()
    with connected(settings) as connection:
        connection.ensure_connection(
            errback=lambda error, seconds: log.warning("broker.retry", pause_s=seconds, error=str(error)),
            max_retries=CONNECT_ATTEMPTS,
            interval_start=1,
        )
        topology.declare(connection)
        topology.declare_delays(connection)


def work(kind: WorkerKind, settings: Settings, processes: int | None, name: str | None) -> None:
    """Run a Celery worker of one kind until it is stopped."""
    app.loader.import_default_modules()
    mappings.by_source(settings.mappings)
    _ready(settings)
    # One thread per process: libraries would otherwise start one per core of the machine in each.
    if kind == "cpu":
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        count = processes or settings.worker_processes or len(os.sched_getaffinity(0))
        pool = ["--pool=prefork", f"--concurrency={count}"]
        # Before the fork, so that the children share the memory of what they import.
        for stage in topology.stages_of("cpu", settings):
            load(STAGES[stage].code)
    else:
        # CUDA cannot be used in a forked child. One thread works, the others keep the connection alive.
        pool = ["--pool=threads", "--concurrency=1"]
    queues = ",".join(line.queue for line in topology.WORKER_LINES[kind])
    with ExitStack() as until_ready:
        name = until_ready.enter_context(worker_name.claimed(app, settings, kind, name))
        worker_ready.connect(lambda **_: until_ready.close(), weak=False)
        arguments = [
            *_quietly(settings), "worker", f"--queues={queues}", *pool, f"--hostname={worker_name.node(name)}",
            f"--loglevel={settings.log_level}", "--without-gossip", "--without-mingle",
        ]  # fmt: skip
        with observed.worker(settings, kind), ExitStack() as beside:
            # What a kind of worker does besides its tasks: models loaded before the first message, or runs trained.
            if kind == "gpu":
                beside.enter_context(_gpu_claimed(settings))
                began = time.monotonic()
                labelling.warm_up("gpu")
                log.info("worker.models_loaded", seconds=round(time.monotonic() - began, 1))
            elif kind == "train":
                require_training()
                beside.enter_context(supervisor.started(name))
            _run(app, arguments)


def _run(app: Celery, arguments: list[str]) -> None:
    """Celery's worker until it stops; where it did not mean to, this process does not end with success either."""
    ended: list[int] = []

    def note(sender: WorkController, **_: object) -> None:
        ended.append(sender.exitcode or 0)

    worker_shutdown.connect(note)
    app.worker_main(arguments)
    if any(ended):
        sys.exit(max(ended))


def _quietly(settings: Settings) -> list[str]:
    """Celery's banner is no log line: whoever reads JSON can do nothing with it."""
    return ["--quiet"] if settings.log_format == "json" else []


def require_training() -> None:
    """Raises ConfigurationError where no run could be trained: it would end as failed, and nobody else would try it."""
    # In a process that ends again: runs have one of their own, and this one waits 350 MiB smaller.
    probe = [sys.executable, "-c", "import imblearn, torch, transformers"]
    done = subprocess.run(probe, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise ConfigurationError(
            "otzyv worker train: expected torch, transformers and imbalanced-learn, found: "
            f"{said[-1]}; in the project's folder: `make models`"
        )


@contextmanager
def _gpu_claimed(settings: Settings) -> Iterator[None]:
    """No training on this worker's GPU while it runs, unless the settings let them share it."""
    gpu = gpu_id(settings.device)
    if gpu is None or settings.gpu_shared:
        yield
        return
    database = runtime.open_database(settings, "otzyv gpu claim")
    waiting = Waiting(database, f"GPU {gpu}")

    def tell() -> None:
        log.warning("gpu.used_for_training", gpu=gpu)
        waiting.again("it is used for training; OTZYV_GPU_SHARED=true shares it", gpu_claims.LOOK_S)

    with gpu_claims.claimed(database, gpu, "labelling", tell):
        waiting.over()
        yield


def ingest(settings: Settings, stream: str | None = None, start: str | None = None) -> None:
    """Consume incoming reviews until stopped: those of the queue, or of a stream."""
    begin = None if start is None else stream_start.parse(start)
    by_source = mappings.by_source(settings.mappings)
    _ready(settings)
    here = runtime.for_batches(settings)
    source = StreamSource(here, stream, begin) if stream else QueueSource(settings)
    with observed.ingest(settings, source.name):
        Ingest(here, source, by_source).run()


def beat(settings: Settings) -> None:
    """Send the periodic tasks. Running two does no harm."""
    wanted_arguments(settings)
    _ready(settings)
    with observed.beat(settings), tempfile.TemporaryDirectory(prefix="otzyv-beat-") as folder:
        schedule = f"--schedule={Path(folder) / 'schedule'}"
        app.start([*_quietly(settings), "beat", schedule, "--pidfile=", f"--loglevel={settings.log_level}"])


def flower(settings: Settings) -> None:
    """Run Flower behind basic authentication. Without it, Flower answers anybody."""
    user, _, password = settings.flower_basic_auth.partition(":")
    if not user or len(password) < 8:
        raise SettingsError(
            "OTZYV_FLOWER_BASIC_AUTH: expected user:password with a password of 8 or more characters, found "
            f"{'none' if not settings.flower_basic_auth else 'a shorter one'}; set it in the environment"
        )
    if find_spec("flower") is None:
        raise ConfigurationError(
            "otzyv flower: expected Flower, found none; in the project's folder: "
            ".venv/bin/pip install -c constraints.txt -e '.[monitoring]'"
        )
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.flower_address, settings.flower_port))
        except OSError as error:
            raise ConfigurationError(
                f"otzyv flower: expected to listen on {settings.flower_address}:{settings.flower_port}, found: "
                f"{error.strerror}; set OTZYV_FLOWER_PORT or OTZYV_FLOWER_ADDRESS"
            ) from error
    # By the environment, so that the password is in no process list.
    os.environ["FLOWER_BASIC_AUTH"] = settings.flower_basic_auth
    os.environ.setdefault("FLOWER_PURGE_OFFLINE_WORKERS", str(FLOWER_FORGETS_S))
    arguments = [f"--port={settings.flower_port}", f"--address={settings.flower_address}"]
    os.execv(sys.executable, [sys.executable, "-m", "celery", "-A", "workers.app", "flower", *arguments])  # noqa: S606
