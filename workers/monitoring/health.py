"""Whether this process can do its work: do RabbitMQ and PostgreSQL do theirs, and does its worker consume?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from shared.errors import OtzyvError
from shared.runtime import runtime
from shared.settings import Settings
from workers.monitoring.recent import Late, Recent
from workers.rabbitmq.queue_states import check_takes_messages

KEPT_S: Final = 1.0
"""Seconds for which an answer about a service counts: probes in a row open no connection each."""

Check = Callable[[], str | None]
"""What is wrong, or None."""


class Health:
    """Asks the services with the limits of whoever asks after health: no answer is waited for longer than a connection.

    `others` are facts of the process itself, by name; they are looked at every time.
    """

    def __init__(self, settings: Settings, others: Mapping[str, Check] | None = None) -> None:
        self._settings = settings.hasty.model_copy(update={"database_connections": 1})
        self._database = runtime.open_database(self._settings, "otzyv health")
        self._others = dict(others or {})
        limit_s = float(settings.connect_timeout_s)
        # A service that hangs holds up one thread and one connection, however many ask.
        self._services = {
            "broker": Recent(lambda: check_takes_messages(self._settings), keep_s=KEPT_S, limit_s=limit_s),
            "database": Recent(self._ask_database, keep_s=KEPT_S, limit_s=limit_s),
        }

    def check(self) -> dict[str, str]:
        """What is checked, and `ok` or what is wrong with it."""
        for service in self._services.values():
            service.begin()
        found = {}
        for name, service in self._services.items():
            try:
                service.get()
                found[name] = "ok"
            except (Late, OtzyvError) as error:
                found[name] = str(error)
            except Exception as error:  # noqa: BLE001  whatever it is, the service does not answer as it should
                found[name] = f"{type(error).__name__}: {error}"
        return found | {name: check() or "ok" for name, check in self._others.items()}

    def _ask_database(self) -> None:
        # Not of the pool: after a restart of PostgreSQL that would still hold a connection to the old one.
        with self._database.connection() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1")
