"""`/metrics` and `/healthz` of a long-running process, served by a thread beside its work.

The library's WSGI application and Python's own HTTP server; only the way to the two of them is ours.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from socketserver import TCPServer
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import msgspec
import structlog
from celery.signals import worker_process_init
from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from shared.errors import ConfigurationError
from shared.settings import Settings
from workers.monitoring.health import Health

log = structlog.get_logger()

AT_A_TIME: Final = 16
"""Requests that are answered at the same time; more are refused at once."""
IDLE_S: Final = 5.0
"""Seconds after which a client that says nothing is cut off."""
REQUEST_S: Final = 30.0
"""Seconds after which a client is cut off that says something now and then, and never all of it."""


class _Server(ThreadingWSGIServer):
    request_queue_size = 128
    # A second process on the same port would be found out by nobody.
    allow_reuse_port = False

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._places = threading.BoundedSemaphore(AT_A_TIME)
        super().__init__(*arguments, **named)

    def server_bind(self) -> None:
        # Without wsgiref's look-up of the host's full name, which can take seconds.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        # Never waits: whoever wants to stop the server would wait too.
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        end = threading.Timer(REQUEST_S, _cut, (request,))
        end.daemon = True
        end.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            end.cancel()
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away early is no news."""


def _cut(request: socket.socket) -> None:
    with suppress(OSError):
        request.shutdown(socket.SHUT_RDWR)


class _Handler(WSGIRequestHandler):
    timeout = IDLE_S

    def log_message(self, *_: object) -> None:
        """Log nothing: a thread that logs while the worker forks could leave a child with a lock that never opens."""


def application(registry: CollectorRegistry, health: Health) -> WSGIApplication:
    """The two pages."""
    metrics = make_wsgi_app(registry)

    def route(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            return metrics(environ, start)  # type: ignore[no-any-return]
        if path != "/healthz":
            return _answer(start, HTTPStatus.NOT_FOUND, {"expected": "/metrics or /healthz", "found": path})
        found = health.check()
        well = all(answer == "ok" for answer in found.values())
        return _answer(start, HTTPStatus.OK if well else HTTPStatus.SERVICE_UNAVAILABLE, found)

    return route


def _answer(start: StartResponse, status: HTTPStatus, body: dict[str, str]) -> Iterable[bytes]:
    content = msgspec.json.encode(body) + b"\n"
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(content)))]
    start(f"{status.value} {status.phrase}", headers)
    return [content]


@contextmanager
def served(settings: Settings, registry: CollectorRegistry, health: Health) -> Iterator[None]:
    """Serve while this lasts, unless the settings say no. Raises ConfigurationError where the port is taken."""
    if not settings.metrics_port:
        yield
        return
    address, port = settings.metrics_address, settings.metrics_port

    class Server(_Server):
        address_family = socket.AF_INET6 if ":" in address else socket.AF_INET

    try:
        server = make_server(address, port, application(registry, health), Server, _Handler)
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(
            f"metrics: expected to listen on {address}:{port}, found: {getattr(error, 'strerror', '') or error}; set "
            "OTZYV_METRICS_PORT (another for each process of a machine, 0 for none) or OTZYV_METRICS_ADDRESS"
        ) from error

    def leave_to_parent(**_: object) -> None:
        # A child that outlives its parent would keep the port.
        server.socket.close()

    worker_process_init.connect(leave_to_parent)
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="metrics", daemon=True)
    thread.start()
    log.info("metrics.served", address=address, port=server.server_port)
    try:
        yield
    finally:
        worker_process_init.disconnect(leave_to_parent)
        server.shutdown()
        server.server_close()
