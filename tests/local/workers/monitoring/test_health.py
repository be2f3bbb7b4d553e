"""What is asked about the services, how often, and for how long."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import pytest
from prometheus_client import CollectorRegistry

from shared.errors import ConfigurationError
from shared.settings import Settings, load
from tests.support.servers import PATIENCE_S, free_port, wait_until
from workers.monitoring import endpoint
from workers.monitoring.endpoint import AT_A_TIME, served
from workers.monitoring.health import Health
from workers.monitoring.recent import Late, Recent


class Silence:
    """A service that takes connections and never says a word; counts those that are open."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._socket.getsockname()[1])
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._socket, selectors.EVENT_READ)
        self._open: set[socket.socket] = set()
        self.most_at_once = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._ended.is_set():
            ready = [key.fileobj for key, _ in self._selector.select(0.05)]
            for one in self._open.intersection(
                ready
            ):  # first those that end: whoever comes next may have waited for it
                self._hear(one)
            if self._socket in ready:
                taken = self._socket.accept()[0]
                self._selector.register(taken, selectors.EVENT_READ)
                self._open.add(taken)
                self.most_at_once = max(self.most_at_once, len(self._open))

    def _hear(self, one: socket.socket) -> None:
        with suppress(OSError):
            if one.recv(65_536):
                return
        self._selector.unregister(one)
        self._open.remove(one)
        one.close()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()
        for one in (self._socket, *self._open):
            one.close()


@pytest.fixture
def silence() -> Iterator[Silence]:
    service = Silence()
    yield service
    service.end()


def silent(service: Silence) -> Settings:
    return load(
        amqp_url=f"amqp://guest:guest@127.0.0.1:{service.port}//",
        database_url=f"postgresql://nobody@127.0.0.1:{service.port}/nothing",
        connect_timeout_s=2,
    )


def test_services_that_take_a_connection_and_never_answer_are_away(silence: Silence) -> None:
    found = Health(silent(silence)).check()
    assert set(found) == {"broker", "database"}
    assert all(told != "ok" for told in found.values())


def test_however_many_ask_each_service_gets_one_connection_at_a_time(silence: Silence) -> None:
    health = Health(silent(silence))
    before = threading.active_count()
    with ThreadPoolExecutor(30) as many:
        asked = [many.submit(health.check) for _ in range(200)]
        wait_until(lambda: silence.most_at_once >= 2, "both services to be asked")
        threads = threading.active_count() - before
        assert all("ok" not in one.result().values() for one in asked)
    assert threads <= 30 + 3, "those who ask, one per service, and one that watches over PostgreSQL's answers"
    assert silence.most_at_once == 2


def test_a_service_that_refuses_is_away_with_a_sentence_that_says_where_to_look() -> None:
    nobody = free_port()
    found = Health(
        load(
            amqp_url=f"amqp://guest:guest@127.0.0.1:{nobody}//",
            database_url=f"postgresql://nobody@127.0.0.1:{nobody}/nothing",
        )
    ).check()
    assert "OTZYV_AMQP_URL" in found["broker"]
    assert "check that it runs" in found["database"]


def test_facts_of_the_process_itself_are_looked_at_every_time(silence: Silence) -> None:
    told = iter(["consumes nothing", None])
    health = Health(silent(silence), {"worker": lambda: next(told)})
    assert health.check()["worker"] == "consumes nothing"
    assert health.check()["worker"] == "ok"


def test_an_answer_is_found_once_for_all_who_ask_and_anew_when_it_is_old() -> None:
    found: list[int] = []

    def find() -> int:
        found.append(1)
        return len(found)

    kept = Recent(find, keep_s=3_600, limit_s=PATIENCE_S)
    assert [kept.get() for _ in range(5)] == [1] * 5
    never = Recent(find, keep_s=-1, limit_s=PATIENCE_S)
    assert [never.get(), never.get()] == [2, 3]


def test_what_went_wrong_is_raised_for_all_who_ask() -> None:
    def find() -> int:
        raise ConfigurationError("there is a wall")

    recent = Recent(find, keep_s=3_600, limit_s=PATIENCE_S)
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="there is a wall"):
            recent.get()


def test_a_search_that_hangs_is_not_begun_again_and_is_heard_of_at_once() -> None:
    go_on, begun = threading.Event(), []

    def find() -> str:
        begun.append(1)
        go_on.wait()
        return "at last"

    recent = Recent(find, keep_s=3_600, limit_s=0.1)
    for _ in range(3):
        with pytest.raises(Late, match=r"no answer within 0.1 s"):
            recent.get()
    assert len(begun) == 1
    go_on.set()

    def has_it() -> bool:
        try:
            return recent.get() == "at last"
        except Late:
            return False

    wait_until(has_it, "the answer")
    assert len(begun) == 1


def test_a_port_that_is_taken_ends_with_a_sentence(silence: Silence) -> None:
    chosen = load(metrics_port=silence.port)
    with (
        pytest.raises(
            ConfigurationError, match=rf"127\.0\.0\.1:{silence.port}, found: Address already in use; set"
        ),
        served(chosen, CollectorRegistry(), Health(chosen)),
    ):
        pytest.fail("it was served")


def test_clients_that_never_finish_are_not_waited_for_by_others_nor_by_the_end(
    silence: Silence, monkeypatch: pytest.MonkeyPatch
) -> None:
    # None of them is cut off before the last one has come, and an end that waited for them would not come.
    monkeypatch.setattr(endpoint._Handler, "timeout", 2 * PATIENCE_S)
    chosen = load(metrics_port=free_port(), connect_timeout_s=1, amqp_url=silent(silence).amqp_url)
    with ExitStack() as open_clients, served(chosen, CollectorRegistry(), Health(chosen)):
        for _ in range(AT_A_TIME):
            client = socket.create_connection(("127.0.0.1", chosen.metrics_port), PATIENCE_S)
            open_clients.enter_context(client)
            client.sendall(b"GET /metrics")
        late = socket.create_connection(("127.0.0.1", chosen.metrics_port), PATIENCE_S)
        open_clients.enter_context(late)
        # Nothing, or a reset: what counts is that the answer is not waited for until the time-out.
        with suppress(ConnectionError):
            assert late.recv(1) == b""
