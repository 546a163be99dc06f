"""Check dashboards by the rules that Grafana does not enforce and its users stumble over."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from infrastructure.grafana.sql_names import names_of

UID = re.compile(r"[a-zA-Z0-9_-]{1,40}")
REFERENCE = re.compile(r"\$\{(\w+)(?:[.:][^}]*)?\}|\$(\w+)")
BARE_REFERENCE = re.compile(r"\$\{\w+\}|\$(?!__)\w+")
BARE_MACRO = re.compile(r"\$__(?:interval|timeFrom|timeTo)\b(?!\()[^)]*\(")
GRAFANA_SOURCE = {"type": "grafana", "uid": "-- Grafana --"}
SCHEMA_VERSIONS = range(39, 42)
TIMEZONES = ("browser", "America/New_York")
COLUMNS = 24
FASTEST_REFRESH_S = 5
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
WITHOUT_DATA = ("row", "text")


@dataclass(frozen=True, slots=True)
class Finding:
    """One breach of a rule.

    Attributes:
        dashboard: The dashboard's uid.
        where: The panel, variable or annotation, empty for the dashboard itself.
        rule: The rule's name.
        message: What is wrong.
    """

    dashboard: str
    where: str
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.dashboard}/{self.where or '-'}: {self.rule}: {self.message}"


def lint(
    dashboards: Sequence[Mapping[str, Any]],
    tables: Mapping[str, frozenset[str]],
    datasource_uids: frozenset[str],
) -> list[Finding]:
    """Check dashboards that go into one folder.

    Args:
        dashboards: Bare dashboard objects.
        tables: The columns of every table, by its name.
        datasource_uids: The datasources that are provisioned.
    """
    found = list(_across(dashboards))
    for model in dashboards:
        found += _Linter(model, tables, datasource_uids).run()
    return found


def _across(dashboards: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    for key in ("uid", "title"):
        values = [str(model.get(key)) for model in dashboards]
        for value in sorted({value for value in values if values.count(value) > 1}):
            yield Finding(value, "", f"unique-{key}", f"{values.count(value)} dashboards have it")


def panels_of(model: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every panel, those inside collapsed rows too."""
    for panel in model.get("panels", []):
        yield panel
        yield from panel.get("panels", [])


class _Linter:
    def __init__(
        self,
        model: Mapping[str, Any],
        tables: Mapping[str, frozenset[str]],
        datasource_uids: frozenset[str],
    ) -> None:
        self.model = model
        self.tables = tables
        self.datasource_uids = datasource_uids
        self.variables = model.get("templating", {}).get("list", [])
        self.found: list[Finding] = []

    def say(self, where: str, rule: str, message: str) -> None:
        self.found.append(Finding(str(self.model.get("uid")), where, rule, message))

    def run(self) -> list[Finding]:
        self._dashboard()
        self._layout()
        for panel in panels_of(self.model):
            if panel.get("type") not in WITHOUT_DATA:
                self._panel(panel)
        for variable in self.variables:
            if variable.get("type") == "query":
                where = f"${variable.get('name')}"
                self._source(where, variable.get("datasource"))
                self._target(where, variable.get("query"), ("refId", "rawSql", "format"))
        for annotation in self.model.get("annotations", {}).get("list", []):
            where = f"annotation {annotation.get('name')}"
            self._source(where, annotation.get("datasource"))
            if annotation.get("datasource") != GRAFANA_SOURCE:
                self._target(where, annotation.get("target"), ("refId", "rawSql", "format"))
        self._references()
        return self.found

    def _dashboard(self) -> None:
        model = self.model
        if not UID.fullmatch(str(model.get("uid") or "")):
            self.say("", "uid", f"{model.get('uid')!r} is not 1 to 40 of a-z A-Z 0-9 _ -")
        if not model.get("title"):
            self.say("", "title", "there is none")
        if "id" not in model or model["id"] is not None:
            self.say("", "id", "the top-level id must be null")
        if "__inputs" in model or "${DS_" in str(model):
            self.say("", "exported", "__inputs or ${DS_...} is left from an export")
        if model.get("schemaVersion") not in SCHEMA_VERSIONS:
            self.say("", "schemaVersion", f"{model.get('schemaVersion')} is not 39 to 41")
        if model.get("timezone") not in TIMEZONES:
            self.say("", "timezone", f"{model.get('timezone')!r} is not one of {TIMEZONES}")
        refresh = str(model.get("refresh") or "")
        match = re.fullmatch(r"(\d+)([smhd])", refresh)
        if refresh and not match:
            self.say("", "refresh", f"{refresh!r} is no duration")
        elif match and int(match[1]) * UNITS_S[match[2]] < FASTEST_REFRESH_S:
            self.say("", "refresh", f"{refresh} is faster than {FASTEST_REFRESH_S}s")

    def _layout(self) -> None:
        panels = list(panels_of(self.model))
        ids = [panel.get("id") for panel in panels]
        for number in sorted({str(i) for i in ids if i is None or ids.count(i) > 1}):
            self.say("", "panel-id", f"{number} is missing or not unique")
        boxes: list[tuple[str, int, int, int, int]] = []
        for panel in panels:
            grid, name = panel.get("gridPos") or {}, _name(panel)
            if set(grid) != {"x", "y", "w", "h"}:
                self.say(name, "gridPos", "x, y, w and h must be given")
                continue
            x, y, w, h = (int(grid[key]) for key in "xywh")
            if x < 0 or y < 0 or w < 1 or h < 1 or x + w > COLUMNS:
                self.say(name, "gridPos", f"does not fit into {COLUMNS} columns")
            for other, ox, oy, ow, oh in boxes:
                if x < ox + ow and ox < x + w and y < oy + oh and oy < y + h:
                    self.say(name, "gridPos", f"overlaps {other}")
            boxes.append((name, x, y, w, h))

    def _panel(self, panel: Mapping[str, Any]) -> None:
        name = _name(panel)
        if not panel.get("title"):
            self.say(name, "title", "there is none")
        if not panel.get("description"):
            self.say(name, "description", "there is none")
        self._source(name, panel.get("datasource"))
        targets = panel.get("targets") or []
        if not targets:
            self.say(name, "target", "there is none")
        for target in targets:
            self._source(name, target.get("datasource"))
            self._target(name, target, ("refId", "rawSql", "format", "rawQuery", "editorMode"))
            text = str(target.get("rawSql"))
            if re.search(r"\$__(dateBin|interval)", text) and not panel.get("interval"):
                self.say(name, "interval", "a panel that bins needs its smallest interval")
        defaults = (panel.get("fieldConfig") or {}).get("defaults") or {}
        if not defaults.get("unit"):
            self.say(name, "unit", "there is none")
        if not defaults.get("noValue"):
            self.say(name, "noValue", "an empty panel does not say what to do")
        self._thresholds(name, defaults)
        for override in (panel.get("fieldConfig") or {}).get("overrides") or []:
            for item in override.get("properties", []):
                if item.get("id") == "thresholds":
                    self._thresholds(name, {"thresholds": item.get("value")})

    def _thresholds(self, name: str, config: Mapping[str, Any]) -> None:
        steps = (config.get("thresholds") or {}).get("steps") or []
        values = [step.get("value") for step in steps]
        if values and values[0] is not None:
            self.say(name, "thresholds", "the first step must be null")
        if any(low is None or high is None or low >= high for low, high in pairwise(values[1:])):
            self.say(name, "thresholds", f"{values} do not ascend")

    def _source(self, where: str, source: Any) -> None:
        if source == GRAFANA_SOURCE:
            return
        if not isinstance(source, Mapping) or source.get("type") != "influxdb":
            self.say(where, "datasource", f"{source!r} is not of type influxdb")
            return
        chosen = {f"${{{v['name']}}}" for v in self.variables if v.get("type") == "datasource"}
        if source.get("uid") not in self.datasource_uids | chosen:
            self.say(where, "datasource", f"{source.get('uid')!r} is not provisioned")

    def _target(self, where: str, target: Any, needed: Sequence[str]) -> None:
        if not isinstance(target, Mapping):
            self.say(where, "target", f"{target!r} is no query")
            return
        for key in needed:
            if not target.get(key):
                self.say(where, "target", f"{key} is missing")
        if target.get("format") not in ("table", "time_series"):
            self.say(where, "target", f"format {target.get('format')!r}")
        if target.get("rawQuery") is not True:
            self.say(where, "target", "rawQuery must be true")
        if "editorMode" in needed and target.get("editorMode") != "code":
            self.say(where, "target", "editorMode must be code")
        self._sql(where, str(target.get("rawSql") or ""))

    def _sql(self, where: str, sql: str) -> None:
        names = names_of(sql)
        for table in sorted(names.tables - set(self.tables)):
            self.say(where, "table", f"{table} is not declared")
        known = {"time"}.union(*(self.tables.get(table, frozenset()) for table in names.tables))
        for column in sorted(names.columns - known):
            self.say(where, "column", f"{column} is in none of {sorted(names.tables)}")
        if not re.search(r"\$__time(Filter|From)\(|\bLIMIT\s+\d", sql, re.I):
            self.say(where, "bounded", "the query has no time filter and no LIMIT")
        for match in BARE_REFERENCE.finditer(sql):
            self.say(where, "escaping", f"{match[0]} needs a format, such as sqlstring")
        if BARE_MACRO.search(sql):
            self.say(where, "macro", "a macro without () swallows the next parentheses")

    def _references(self) -> None:
        defined = {variable.get("name") for variable in self.variables}
        for text in _strings(self.model):
            for match in REFERENCE.finditer(text):
                name = match[1] or match[2]
                if not name.startswith("__") and not name.isdigit() and name not in defined:
                    self.say("", "variable", f"{match[0]} is not defined")


def _name(panel: Mapping[str, Any]) -> str:
    return str(panel.get("title") or f"panel {panel.get('id')}")


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
