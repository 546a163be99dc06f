"""One dashboard without a finding, and one breach a rule."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from infrastructure.grafana.lint import lint

TABLES = {"bars": frozenset({"symbol", "close"})}
UIDS = frozenset({"store"})
SOURCE = {"type": "influxdb", "uid": "${ds}"}
SQL = (
    "SELECT $__dateBin(time) AS time, max(close) AS close FROM bars"
    " WHERE symbol = ${symbol:sqlstring} AND $__timeFilter(time) GROUP BY 1"
)


def target(sql: str = SQL) -> dict[str, Any]:
    return {
        "refId": "A", "rawSql": sql, "format": "table", "rawQuery": True, "editorMode": "code",
        "datasource": SOURCE,
    }  # fmt: skip


def good() -> dict[str, Any]:
    return {
        "id": None,
        "uid": "good",
        "title": "Good $symbol",
        "schemaVersion": 39,
        "timezone": "browser",
        "refresh": "30s",
        "templating": {
            "list": [
                {"type": "datasource", "name": "ds"},
                {
                    "type": "query",
                    "name": "symbol",
                    "datasource": {"type": "influxdb", "uid": "store"},
                    "query": target("SELECT symbol FROM bars LIMIT 9"),
                },
            ]
        },
        "annotations": {
            "list": [
                {"name": "own", "datasource": {"type": "grafana", "uid": "-- Grafana --"}},
                {
                    "name": "sql",
                    "datasource": SOURCE,
                    "target": target("SELECT time FROM bars LIMIT 9"),
                },
            ]
        },
        "panels": [
            {
                "id": 1,
                "type": "timeseries",
                "title": "Close",
                "description": "Closes.",
                "datasource": SOURCE,
                "gridPos": {"x": 0, "y": 0, "w": 12, "h": 8},
                "interval": "1s",
                "targets": [target()],
                "fieldConfig": {
                    "defaults": {
                        "unit": "short",
                        "noValue": "nothing",
                        "thresholds": {"steps": [{"value": None}, {"value": 1}, {"value": 2}]},
                    },
                    "overrides": [{"properties": [{"id": "unit", "value": "ms"}]}],
                },
            },
            {"id": 2, "type": "row", "gridPos": {"x": 0, "y": 8, "w": 24, "h": 1}, "panels": []},
        ],
    }


def rules(model: dict[str, Any]) -> set[str]:
    return {finding.rule for finding in lint([model], TABLES, UIDS)}


def test_a_good_dashboard_has_no_finding() -> None:
    assert lint([good()], TABLES, UIDS) == []


def change(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Return a function that sets one value, named by its keys with dots."""

    def apply(model: dict[str, Any]) -> None:
        *keys, last = (int(key) if key.isdigit() else key for key in path.split("."))
        place: Any = model
        for key in keys:
            place = place[key]
        place[last] = value

    return apply


PANEL = "panels.0"
TARGET = "panels.0.targets.0"
STEPS = "panels.0.fieldConfig.defaults.thresholds.steps"


@pytest.mark.parametrize(
    ("rule", "path", "value"),
    [
        ("uid", "uid", "no spaces"),
        ("uid", "uid", "x" * 41),
        ("title", "title", ""),
        ("id", "id", 7),
        ("exported", "__inputs", []),
        ("exported", f"{PANEL}.title", "${DS_INFLUX}"),
        ("schemaVersion", "schemaVersion", 16),
        ("timezone", "timezone", ""),
        ("refresh", "refresh", "1s"),
        ("refresh", "refresh", "soon"),
        ("panel-id", "panels.1.id", 1),
        ("panel-id", f"{PANEL}.id", None),
        ("gridPos", f"{PANEL}.gridPos", {"x": 13, "y": 0, "w": 12, "h": 8}),
        ("gridPos", f"{PANEL}.gridPos", {"x": 0, "y": 1, "w": 12, "h": 8}),
        ("gridPos", f"{PANEL}.gridPos", {}),
        ("title", f"{PANEL}.title", ""),
        ("description", f"{PANEL}.description", ""),
        ("datasource", f"{PANEL}.datasource", "InfluxDB"),
        ("datasource", f"{PANEL}.datasource", {"type": "influxdb", "uid": "other"}),
        ("datasource", f"{TARGET}.datasource", {"type": "prometheus", "uid": "store"}),
        ("target", f"{PANEL}.targets", []),
        ("target", f"{TARGET}.refId", ""),
        ("target", f"{TARGET}.format", "logs"),
        ("target", f"{TARGET}.rawQuery", False),
        ("target", f"{TARGET}.editorMode", "builder"),
        ("target", "annotations.list.1.target", None),
        ("interval", f"{PANEL}.interval", ""),
        ("unit", f"{PANEL}.fieldConfig.defaults.unit", ""),
        ("noValue", f"{PANEL}.fieldConfig.defaults.noValue", ""),
        ("thresholds", STEPS, [{"value": 0}]),
        ("thresholds", STEPS, [{"value": None}, {"value": 2}, {"value": 1}]),
        ("thresholds", f"{PANEL}.fieldConfig.overrides",
         [{"properties": [{"id": "thresholds", "value": {"steps": [{"value": 1}]}}]}]),
        ("table", f"{TARGET}.rawSql", "SELECT time FROM candle LIMIT 5"),
        ("column", f"{TARGET}.rawSql", "SELECT closing FROM bars LIMIT 5"),
        ("bounded", f"{TARGET}.rawSql", "SELECT close FROM bars"),
        ("escaping", f"{TARGET}.rawSql", "SELECT close FROM bars WHERE symbol = '$symbol' LIMIT 5"),
        ("escaping", f"{TARGET}.rawSql", "SELECT close FROM bars WHERE symbol = ${symbol} LIMIT 5"),
        ("macro", f"{TARGET}.rawSql", "SELECT $__interval, max(close) FROM bars LIMIT 5"),
        ("variable", f"{TARGET}.rawSql", "SELECT close FROM bars WHERE close > ${no:raw} LIMIT 5"),
        ("variable", "title", "of $gone"),
    ],
)  # fmt: skip
def test_each_rule_finds_its_breach(rule: str, path: str, value: Any) -> None:
    model = good()
    change(path, value)(model)
    assert rule in rules(model)


def test_two_dashboards_must_differ_in_uid_and_title() -> None:
    found = lint([good(), copy.deepcopy(good())], TABLES, UIDS)
    assert {finding.rule for finding in found} == {"unique-uid", "unique-title"}
    assert str(found[0]) == "good/-: unique-uid: 2 dashboards have it"


def test_panels_inside_a_row_are_checked_too() -> None:
    model = good()
    model["panels"][1]["panels"] = [{"id": 3, "type": "stat", "gridPos": {}}]
    assert {"title", "description", "unit", "target", "gridPos"} <= rules(model)
