"""The table of metrics: names, and everything that refers to them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import Histogram

from workers.monitoring import metrics
from workers.monitoring.metrics import METRICS, Metric

ROOT = Path(__file__).parents[4]
DOCUMENT = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
SERIES = {series: metric for metric in METRICS for series in metric.series}
OF_PROMETHEUS = {"up"}
OF_THE_LIBRARY = {"process_resident_memory_bytes"}
OF_THE_TARGET = {"job", "instance", "service", "le"}
WORDS = {
    "and", "or", "unless", "on", "ignoring", "by", "without", "group_left", "group_right", "bool", "offset",
    "sum", "count", "max", "min", "avg", "rate", "increase", "delta", "absent", "vector", "histogram_quantile",
    "min_over_time",
}  # fmt: skip
TOKEN = re.compile(
    r"""(?P<text>"[^"]*")|(?P<range>\[[^\]]*\])|(?P<number>\d+(?:\.\d+)?(?:[eE]\d+|[smhdw])?)|(?P<name>[a-zA-Z_:][\w:]*)"""
    r"""|(?P<sign>==|!=|>=|<=|=~|!~|[-+*/%^<>=(){},])|(?P<space>\s+)|(?P<other>.)"""
)
GROUPING = {"by", "without", "on", "ignoring", "group_left", "group_right"}


class Expression:
    """The names in a PromQL expression."""

    def __init__(self, text: str) -> None:
        self.metrics: set[str] = set()
        self.labels: set[str] = set()
        self.brackets = 0
        previous, inside, braces = "", "", False
        for kind, word in _tokens(text):
            if word == "{":
                braces = True
            elif word == "}":
                braces = False
            elif word == "(":
                inside = previous if previous in GROUPING else inside
            elif word == ")":
                inside = ""
            elif kind == "name" and (braces or inside):
                self.labels.add(word)
            elif kind == "name" and word not in WORDS:
                self.metrics.add(word)
            self.brackets += {"(": 1, "{": 1, ")": -1, "}": -1}.get(word, 0)
            previous = word


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    for found in TOKEN.finditer(text):
        assert found.lastgroup != "other", f"{found[0]!r} in {text!r}"
        if found.lastgroup != "space":
            yield str(found.lastgroup), found[0]


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((ROOT / "ops" / "alerts.yml").read_text())["groups"]
    return list(group["rules"])


def panels() -> list[dict[str, Any]]:
    return list(json.loads((ROOT / "ops" / "grafana" / "dashboard.json").read_text())["panels"])


def queries() -> list[tuple[str, str]]:
    asked = [(rule["alert"], rule["expr"]) for rule in rules()]
    return asked + [(panel["title"], one["expr"]) for panel in panels() for one in panel.get("targets", [])]


@pytest.mark.parametrize("metric", METRICS, ids=[metric.name for metric in METRICS])
def test_names_follow_the_customs_of_prometheus(metric: Metric) -> None:
    assert re.fullmatch(r"otzyv_[a-z][a-z_]*[a-z]", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert (metric.kind == "histogram") <= metric.name.endswith("_seconds")
    assert not re.search(r"_(ms|minutes|hours|count|sum|bucket)$", metric.name)
    assert metric.help.endswith(".")
    assert list(metric.buckets) == sorted(metric.buckets)
    assert bool(metric.buckets) == (metric.kind == "histogram")


def test_every_metric_has_a_name_of_its_own() -> None:
    assert len(SERIES) == sum(len(metric.series) for metric in METRICS)


def test_no_label_takes_as_many_values_as_there_are_reviews_or_models() -> None:
    labels = {label for metric in METRICS for label in metric.labels}
    assert labels == {"source", "stage", "status", "taxonomy", "queue", "service", "alias", "kind", "alarm"}


@pytest.mark.parametrize(
    ("where", "text"), queries(), ids=[f"{n}: {t}" for n, (t, _) in enumerate(queries())]
)
def test_alerts_and_dashboard_name_only_metrics_and_labels_that_exist(where: str, text: str) -> None:
    found = Expression(text)
    assert found.metrics
    assert found.brackets == 0
    assert found.metrics <= set(SERIES) | OF_PROMETHEUS | OF_THE_LIBRARY
    known = {label for name in found.metrics if name in SERIES for label in SERIES[name].labels}
    assert found.labels <= known | OF_THE_TARGET


@pytest.mark.parametrize("metric", METRICS, ids=[metric.name for metric in METRICS])
def test_every_metric_is_on_the_dashboard_or_in_an_alert(metric: Metric) -> None:
    used = {name for _, text in queries() for name in Expression(text).metrics}
    assert used & set(metric.series)


@pytest.mark.parametrize("metric", METRICS, ids=[metric.name for metric in METRICS])
def test_every_metric_is_documented_with_its_kind_and_its_labels(metric: Metric) -> None:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    assert f"| `{metric.name}` | {metric.kind} | {labels} | " in DOCUMENT


def test_the_documentation_names_no_metric_that_is_not_there() -> None:
    named = set(re.findall(r"`(otzyv_[a-z_]+)`", DOCUMENT))
    assert named <= {metric.name for metric in METRICS}


def test_every_alert_says_how_bad_it_is_and_the_documentation_what_to_do() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"]["summary"].endswith(".")
        assert f"| `{rule['alert']}` | " in DOCUMENT
    assert len({rule["alert"] for rule in rules()}) == len(rules())


def test_numbers_in_the_text_of_an_alert_are_rounded() -> None:
    for rule in rules():
        for shown in re.findall(r"{{ *\$value *(.*?) *}}", rule["annotations"]["summary"]):
            assert shown in {'| printf "%.0f"', "| humanizeDuration", "| humanizePercentage"}, rule["alert"]


def test_no_alert_takes_a_difference_that_is_blind_to_a_first_value_or_to_a_fall_before_a_rise() -> None:
    for rule in rules():
        assert not re.search(r"\b(delta|increase|idelta|deriv)\(", rule["expr"]), rule["alert"]


def test_the_rows_of_the_dashboard_are_in_the_order_of_a_reviews_way() -> None:
    rows = [panel["title"] for panel in panels() if panel["type"] == "row"]
    assert rows == ["Flow", "Latency", "Backlog", "Failures", "Models"]


def test_no_two_panels_of_the_dashboard_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {
            (place["x"] + column, place["y"] + row)
            for column in range(place["w"])
            for row in range(place["h"])
        }
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
    assert len({panel["id"] for panel in panels()}) == len(panels())


def test_durations_that_are_sorted_at_once_lie_where_the_library_puts_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    durations = [-1.0, 0.0, 0.1, 0.1, 0.1000001, 0.3, 59.9, 1e9]

    def made(metric: Metric) -> Histogram:
        return Histogram(metric.name, "", buckets=metric.buckets, registry=None)

    monkeypatch.setattr(metrics, "_made", cache(made))
    ours = Metric("ours", "histogram", "worker", "", buckets=metrics.ARRIVAL_SECONDS)
    ours.observe(durations)
    ours.observe([])
    theirs = made(ours)
    for one in durations:
        theirs.observe(max(0.0, one))
    assert samples(ours.made({})) == pytest.approx(samples(theirs))


def samples(histogram: Histogram) -> dict[str, float]:
    return {
        f"{one.name} {one.labels.get('le')}": one.value
        for metric in histogram.collect()
        for one in metric.samples
        if not one.name.endswith("_created")
    }
