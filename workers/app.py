"""The Celery application and nothing else."""

from __future__ import annotations

from typing import Any

from celery import Celery
from celery.schedules import crontab

from shared.settings import Settings, settings
from workers import broker, topology


def configuration(chosen: Settings) -> dict[str, Any]:
    """Celery's settings. Why each delivery setting is as it is: docs/delivery.md."""
    return {
        "broker_url": chosen.amqp_url,
        "broker_connection_timeout": chosen.connect_timeout_s,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_heartbeat": broker.HEARTBEAT_S,
        "broker_transport_options": broker.PUBLISH_OPTIONS,
        "accept_content": ["json"],
        "task_serializer": "json",
        "task_queues": [topology.queue(line) for line in topology.LINES if line is not topology.INCOMING],
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
        "task_publish_retry": True,
        "task_publish_retry_policy": {"max_retries": 2, "interval_start": 0, "interval_step": 0.5},
        # A child builds its stages before it reports for work.
        "worker_proc_alive_timeout": 60,
        "worker_prefetch_multiplier": 1,
        "worker_cancel_long_running_tasks_on_connection_loss": True,
        "worker_send_task_events": True,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "beat_schedule": {
            "sweep": {"task": "workers.upkeep.sweep", "schedule": min(60, chosen.sweep_after_s)},
            "watch_quality": {"task": "workers.upkeep.watch_quality", "schedule": 3_600},
            **_retraining(chosen),
        },
        "timezone": "UTC",
    }


def _retraining(chosen: Settings) -> dict[str, Any]:
    """Looks for a reason to retrain every minute, and at the times that somebody chose."""
    if not chosen.retrain:
        return {}
    found: dict[str, Any] = {"retrain": {"task": "workers.upkeep.retrain", "schedule": 60}}
    if chosen.retrain_cron:
        times = dict(
            zip(
                ("minute", "hour", "day_of_month", "month_of_year", "day_of_week"),
                chosen.retrain_cron.split(),
                strict=True,
            )
        )
        found["retrain_by_the_clock"] = {
            "task": "workers.upkeep.retrain",
            "schedule": crontab(**times),
            "args": ([], "crontab"),
        }
    return found


TASKS = ("backfill", "labelling", "prediction", "training", "upkeep")
app = Celery("otzyv", include=[f"workers.{name}" for name in TASKS])
app.config_from_object(configuration(settings()))
