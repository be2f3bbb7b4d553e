"""Real `otzyv` processes for tests, started as a user would start them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from shared.settings import Settings
from tests.support.servers import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples" / "reviews.csv"
OTZYV = Path(sys.executable).with_name("otzyv")


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """The environment that points a process to the tests' services."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTZYV_")}
    return {
        **kept,
        "OTZYV_AMQP_URL": settings.amqp_url,
        "OTZYV_DATABASE_URL": settings.database_url,
        "OTZYV_CASCADE_STAGES": settings.cascade_stages,
        "COLUMNS": "200",
        **more,
    }


def run(
    *arguments: str | Path, settings: Settings | None = None, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [str(OTZYV), *map(str, arguments)]
    surroundings = environment(settings, **more) if settings else {**os.environ, "COLUMNS": "200", **more}
    return subprocess.run(
        command, env=surroundings, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


def heard() -> None:
    """For `preexec_fn`: what tests inherit as ignored, from a shell's background or from nohup, ends the command."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def printed(code: str, *arguments: str | Path) -> str:
    """What a fresh interpreter prints that runs some code to its end."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    return done.stdout.strip()


@contextmanager
def started(*arguments: str, settings: Settings, log: Path, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """A long-running `otzyv`, ended politely at the end and killed if that does not help."""
    with launched([str(OTZYV), *arguments], environment(settings, **more), log) as process:
        yield process


@contextmanager
def running(
    settings: Settings, folder: Path, *commands: str, **more: str
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """`otzyv worker cpu`, or these commands; each logs to a file named by its last word.

    Where reviews are stored first, `otzyv ingest` runs before it.
    """
    stores_first = more.get("OTZYV_JUDGE_FIRST") == "false"
    usual = ("ingest", "worker cpu") if stores_first else ("worker cpu",)
    with ExitStack() as stack:
        yield [
            stack.enter_context(started(*words, settings=settings, log=folder / f"{words[-1]}.log", **more))
            for words in map(str.split, commands or usual)
        ]


@contextmanager
def module(name: str, settings: Settings, log: Path, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """The same for a module of the tests, such as a worker with a stage of theirs."""
    surroundings = environment(settings, PYTHONPATH=str(ROOT), **more)
    with launched([sys.executable, "-m", name], surroundings, log) as process:
        yield process


@contextmanager
def launched(
    command: list[str], surroundings: dict[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a session of its own, ended politely at the end and killed if that does not help."""
    with log.open("ab") as handle:
        process = subprocess.Popen(
            command, env=surroundings, stdout=handle, stderr=handle, start_new_session=True
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(PATIENCE_S)


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to a command and all its children."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(PATIENCE_S)
