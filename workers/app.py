"""The Celery application: its settings, what beat sends, and which modules have its tasks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from celery import Celery
from celery.schedules import crontab
from celery.signals import worker_process_shutdown

from shared.errors import SettingsError
from shared.settings import RETRAINING, Settings, settings
from workers.process.breaker import StopConsuming
from workers.process.taking import TakeIn
from workers.rabbitmq import connection, driver, topology


def configuration(chosen: Settings) -> dict[str, Any]:
    """Celery's settings. Why each delivery setting is as it is: docs/delivery.md."""
    return {
        "broker_url": chosen.amqp_url,
        "broker_connection_timeout": chosen.connect_timeout_s,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        # A channel that RabbitMQ has closed, as over a late acknowledgement, is opened anew like a lost connection.
        "broker_channel_error_retry": True,
        "broker_heartbeat": connection.HEARTBEAT_S,
        "broker_transport_options": connection.options(chosen),
        "accept_content": ["json"],
        "task_serializer": "json",
        "task_queues": topology.task_queues(),
        "task_create_missing_queues": False,
        "task_default_queue": topology.CPU_UPKEEP.queue,
        "task_default_exchange": topology.TASKS.name,
        "task_default_exchange_type": "topic",
        "task_default_routing_key": topology.CPU_UPKEEP.routing_key,
        "task_routes": {task: topology.route(line) for task, line in topology.task_lines(chosen).items()},
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_acks_on_failure_or_timeout": False,
        "task_ignore_result": True,
        "task_soft_time_limit": chosen.task_soft_limit_s,
        # Backstop only: the soft limit is handled, this one kills a child that no longer reacts.
        "task_time_limit": chosen.task_soft_limit_s + 30,
        "task_publish_retry_policy": {"max_retries": 2, "interval_start": 0, "interval_step": 0.5},
        # A child builds its stages before it reports for work.
        "worker_proc_alive_timeout": 60,
        "worker_consumer": "workers.process.task_consumer:TaskConsumer",
        "worker_prefetch_multiplier": 1,
        "worker_cancel_long_running_tasks_on_connection_loss": True,
        "worker_send_task_events": True,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "beat_schedule": _schedule(chosen),
        "beat_scheduler": "workers.process.scheduler:Scheduler",
        "timezone": "UTC",
    }


CRON_FIELDS = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")


def _schedule(chosen: Settings) -> dict[str, Any]:
    """What beat sends, and when. It looks for a reason to retrain every minute, and at the times that somebody chose.

    Raises SettingsError for times that never come.
    """
    schedule: dict[str, Any] = {
        "sweep": {"task": topology.SWEEP, "schedule": min(60, chosen.sweep_after_s)},
        "watch_quality": {"task": topology.WATCH_QUALITY, "schedule": 3_600},
    }
    if not chosen.retrain:
        return schedule
    plan = chosen.model_dump(include=set(RETRAINING))
    schedule["retrain"] = {"task": topology.RETRAIN, "schedule": 60, "args": ([], "", plan)}
    if not chosen.retrain_cron:
        return schedule
    try:
        times = crontab(**dict(zip(CRON_FIELDS, chosen.retrain_cron.split(), strict=True)))
        # A day that never comes is found only here.
        times.remaining_estimate(datetime.now(UTC))
    except Exception as error:  # whatever Celery's parser raises
        raise SettingsError(
            "OTZYV_RETRAIN_CRON: expected five crontab fields of times that come, found "
            f"{chosen.retrain_cron!r}: {error}"
        ) from error
    by_the_clock = {"task": topology.RETRAIN, "schedule": times, "args": ([], "clock", plan)}
    return {**schedule, "retrain_by_the_clock": by_the_clock}


# `celery -A workers.app` and the decorators of tasks need an application to be there. It knows its tasks by module, and
# asks the environment when it is first used.
TASKS = (
    "intake.task",
    "tasks.backfill",
    "tasks.labelling",
    "tasks.loading",
    "tasks.prediction",
    "training.supervisor",
    "tasks.upkeep",
)
connection.unpack_nothing()


class Application(Celery):  # type: ignore[misc]  # Celery has no types
    """Configured when it is first used. By a method: what the receiver of a signal raises, Celery only logs."""

    events_cls = "workers.process.events:WorkerEvents"

    def on_configure(self) -> None:
        """Take the settings of the environment. Raises SettingsError."""
        self.config_from_object(configuration(settings()))


app = Application("otzyv", include=[f"workers.{name}" for name in TASKS])
app.steps["consumer"].add(StopConsuming)
app.steps["consumer"].add(TakeIn)
# A child of a worker ends without what other processes do at their end.
worker_process_shutdown.connect(driver.close_all)
