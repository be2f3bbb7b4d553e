"""What a quick test may not do: seen while it runs, and told with the tier where such a test belongs.

A folder of tests is guarded by a conftest.py that imports the hooks from here. What session and module fixtures cost
is shared by many tests and not held against one; what they start and open is.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Generator
from typing import Any

import pytest

MOST_CPU_S = 1.0
"""CPU seconds of a test with its own fixtures; 0.6 is a good limit to write for, as machines differ."""
PROCESS, SOCKET = "starts a process", "opens a socket"
EVENTS = {
    **dict.fromkeys(("subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system"), PROCESS),
    **dict.fromkeys(("socket.connect", "socket.bind"), SOCKET),
}
LIBRARIES = ("torch", "transformers")
SERVICES = {"postgres": "tests/store", "rabbit": "tests/services"}
"""Fixtures that are a service: psycopg2 opens its sockets where Python sees nothing of them."""


class Watch:
    """What was seen since the test began."""

    def __init__(self) -> None:
        self.seen: dict[str, str] = {}
        self.cpu_s = 0.0
        sys.addaudithook(self._look)

    def begin(self) -> None:
        self.seen, self.cpu_s = {}, 0.0

    def _look(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in EVENTS:
            self.seen.setdefault(EVENTS[event], "tests/local")
        elif event == "import" and arguments[0] in LIBRARIES:
            self.seen.setdefault(f"loads {arguments[0]}", "tests/models")

    def sentence(self, services: list[str]) -> str | None:
        """Why a test isn't quick, or None for one that is."""
        where = {f"needs the fixture {name}": SERVICES[name] for name in services} | self.seen
        if not where and self.cpu_s > MOST_CPU_S:
            where[f"takes {self.cpu_s:.1f} s of CPU, more than {MOST_CPU_S:g}"] = "tests/local"
        return next(
            (f"a quick test {why}: make it cheaper, or move it to {tier}" for why, tier in where.items()),
            None,
        )


WATCH = Watch()


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail a module that does while it is imported what no quick test may do."""
    WATCH.begin()
    report = yield
    sentence = WATCH.sentence([])
    if sentence and isinstance(collector, pytest.Module) and report.passed:
        return pytest.CollectReport(report.nodeid, "failed", sentence, [])
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Forget what the test before did."""
    WATCH.begin()


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
    """Count what a fixture of one test takes; the fixtures that it asks for have been made before."""
    begun = time.process_time()
    try:
        return (yield)
    finally:
        if fixturedef.scope == "function":
            WATCH.cpu_s += time.process_time() - begun


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Fail a test that has passed and isn't quick."""
    begun = time.process_time()
    yield
    WATCH.cpu_s += time.process_time() - begun
    sentence = WATCH.sentence([name for name in SERVICES if name in getattr(item, "fixturenames", ())])
    if sentence:
        pytest.fail(sentence, pytrace=False)
