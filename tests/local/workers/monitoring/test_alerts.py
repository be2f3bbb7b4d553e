"""Which alerts fire, as Prometheus itself says: promtool's rule tests on series as beat shows them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.processes import ROOT

BEAT = {'otzyv_service_up{service="broker"}': "1x120", 'otzyv_service_up{service="database"}': "1x120"}
"""A minute between two values, two hours in all."""


def texts(folder: Path, alert: str, minutes: int, series: dict[str, str]) -> list[str]:
    """What an alert says at a minute of these series, one text for each that fires."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("needs promtool: apt-get install prometheus")
    asked = {
        "rule_files": [str(ROOT / "ops" / "alerts.yml")],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "alert_rule_test": [{"eval_time": f"{minutes}m", "alertname": alert, "exp_alerts": None}],
            }
        ],
    }
    file = folder / "test.yml"
    file.write_text(json.dumps(asked))
    done = subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True, check=False)
    told = done.stdout + done.stderr
    assert "FAILED" in told or done.returncode == 0, told
    return [line.split('summary="')[1].split('"}')[0] for line in told.splitlines() if 'summary="' in line]


def test_the_first_failures_of_a_new_stream_are_told(tmp_path: Path) -> None:
    series = BEAT | {'otzyv_failures{queue="stream shop"}': "_x30 5x90", 'otzyv_failures{queue="q"}': "7x120"}
    assert texts(tmp_path, "OtzyvFailuresGrow", 32, series) == [
        "5 more failures in stream shop within 15 minutes."
    ]
    assert texts(tmp_path, "OtzyvFailuresGrow", 50, series) == []


def test_the_first_dead_letters_of_a_queue_are_told(tmp_path: Path) -> None:
    series = BEAT | {'otzyv_dead_letters{queue="cpu.keywords"}': "_x30 3x90"}
    told = ["3 more dead letters of cpu.keywords within 15 minutes."]
    assert texts(tmp_path, "OtzyvDeadLettersGrow", 32, series) == told
    assert texts(tmp_path, "OtzyvDeadLettersGrow", 50, series) == []


@pytest.mark.parametrize("alert", ["OtzyvFailuresGrow", "OtzyvDeadLettersGrow"])
def test_what_was_there_before_beat_was_started_is_no_news(tmp_path: Path, alert: str) -> None:
    both = {f'otzyv_{kind}{{queue="q"}}': "_x30 40x90" for kind in ("failures", "dead_letters")}
    up = dict.fromkeys(BEAT, "_x30 1x90")
    assert texts(tmp_path, alert, 32, both | up) == []
    away = dict.fromkeys(BEAT, "0x30 1x90")
    assert texts(tmp_path, alert, 32, both | away) == [], "the service did not tell before"


@pytest.mark.parametrize("alert", ["OtzyvFailuresGrow", "OtzyvDeadLettersGrow"])
def test_a_beat_at_another_address_is_no_news(tmp_path: Path, alert: str) -> None:
    moved = {
        f'otzyv_{kind}{{queue="q",instance="{where}"}}': values
        for kind in ("failures", "dead_letters")
        for where, values in (("a", "4x30 _x90"), ("b", "_x31 4x89"))
    }
    assert texts(tmp_path, alert, 33, BEAT | moved) == []


def test_failures_that_come_while_others_are_dropped_are_told_as_a_whole_number(tmp_path: Path) -> None:
    series = BEAT | {'otzyv_failures{queue="q"}': "9x30 0x3 3x80"}
    assert texts(tmp_path, "OtzyvFailuresGrow", 36, series) == ["3 more failures in q within 15 minutes."]


def test_the_first_training_run_that_fails_is_told_also_while_older_ones_are_pruned(tmp_path: Path) -> None:
    series = BEAT | {'otzyv_training_runs{status="failed"}': "8x30 0x3 1x80"}
    assert texts(tmp_path, "OtzyvTrainingFailed", 36, series) == ["A training run has failed."]
    assert texts(tmp_path, "OtzyvTrainingFailed", 20, series) == []


def test_publishing_that_is_blocked_is_told_by_its_alarm_after_a_minute(tmp_path: Path) -> None:
    series = {
        f'otzyv_publishing_blocked{{alarm="{alarm}",instance="{beat}"}}': values
        for beat in ("a", "b")
        for alarm, values in (("memory", "0x30 1x20 0x60"), ("disk", "0x120"), ("other", "0x120"))
    }
    told = ["RabbitMQ has blocked publishing for a minute: memory alarm."]
    assert texts(tmp_path, "OtzyvPublishingBlocked", 31, series) == []
    assert texts(tmp_path, "OtzyvPublishingBlocked", 33, series) == told, "once, however many beats there are"
    assert texts(tmp_path, "OtzyvPublishingBlocked", 60, series) == []


def test_a_missing_worker_is_told_and_a_missing_ingest_is_not(tmp_path: Path) -> None:
    beat, worker = ({f'up{{job="otzyv",service="{name}"}}': "1x120"} for name in ("beat", "worker-cpu"))
    assert texts(tmp_path, "OtzyvProcessMissing", 30, beat | worker) == []
    assert texts(tmp_path, "OtzyvProcessMissing", 30, beat) == ["No worker-cpu is there."]


def test_large_numbers_are_written_out(tmp_path: Path) -> None:
    series = {
        'otzyv_queue_messages{queue="reviews.incoming"}': "1234567x30",
        'otzyv_queue_consumers{queue="reviews.incoming"}': "0x30",
    }
    told = ["1234567 messages in reviews.incoming, and nobody consumes it."]
    assert texts(tmp_path, "OtzyvNobodyConsumes", 20, series) == told


def test_retries_are_told_though_the_worker_counted_none_before(tmp_path: Path) -> None:
    # A worker shows 0 for each of its queues from its start on.
    series = {'otzyv_task_retries_total{queue="gpu.label"}': "0x5 0+1x60"}
    (told,) = texts(tmp_path, "OtzyvRetries", 40, series)
    assert told.startswith("Batches of gpu.label")
    waits = {'otzyv_ingest_waits_total{source="stream shop"}': "0x5 0+1x60"}
    assert texts(tmp_path, "OtzyvIngestWaits", 40, waits)


def test_what_is_tried_again_for_twenty_minutes_is_told_and_a_short_outage_is_not(tmp_path: Path) -> None:
    waits = {"otzyv_oldest_wait_seconds": "0x9 0+60x50 0x60"}
    assert texts(tmp_path, "OtzyvWaits", 30, waits) == []
    told = ["Something has failed and been tried again for 21m 0s."]
    assert texts(tmp_path, "OtzyvWaits", 31, waits) == told
    assert texts(tmp_path, "OtzyvWaits", 70, waits) == []
