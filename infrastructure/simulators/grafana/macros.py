"""Expand the macros of Grafana's InfluxDB SQL datasource in the way its back end does.

Source: grafana/grafana pkg/tsdb/influxdb/fsql/macro.go over grafana-plugin-sdk-go
data/sqlutil/macros.go, restated here; its traps (parentheses found anywhere later, `interval '0
second'` below one second) are kept, because a query that falls into them must fail in a test.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

NS_PER_S = 1_000_000_000
DATE_PARTS = ("minute", "hour", "day", "month", "year")


class MacroError(ValueError):
    """Report a macro that Grafana would refuse."""


@dataclass(frozen=True, slots=True)
class QueryWindow:
    """The time range and the bin width that a panel sends with its query.

    Attributes:
        from_ns: Start of the range, ns UTC.
        to_ns: End of the range, ns UTC.
        interval_ms: Width of one point, milliseconds.
    """

    from_ns: int
    to_ns: int
    interval_ms: int

    @property
    def start(self) -> str:
        """Return the start as RFC 3339 in whole seconds, as Grafana writes it."""
        return _whole_seconds(self.from_ns)

    @property
    def end(self) -> str:
        """Return the end as RFC 3339 in whole seconds, as Grafana writes it."""
        return _whole_seconds(self.to_ns)

    @property
    def interval(self) -> str:
        """Return the bin width as SQL; below one second it truncates to nothing, as there."""
        return f"interval '{self.interval_ms // 1000} second'"


def _whole_seconds(ns: int) -> str:
    return datetime.fromtimestamp(ns // NS_PER_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _one(arguments: list[str]) -> str:
    if len(arguments) != 1:
        raise MacroError(
            f"unexpected number of arguments: expected 1 argument, received {len(arguments)}"
        )
    return arguments[0]


def _time_filter(window: QueryWindow, arguments: list[str]) -> str:
    column = _one(arguments)
    return f"{column} >= '{window.start}' AND {column} <= '{window.end}'"


def _time_from(window: QueryWindow, _: list[str]) -> str:
    return f"cast('{window.start}' as timestamp)"


def _time_to(window: QueryWindow, _: list[str]) -> str:
    return f"cast('{window.end}' as timestamp)"


def _interval(window: QueryWindow, _: list[str]) -> str:
    return window.interval


def _date_bin(window: QueryWindow, arguments: list[str]) -> str:
    return f"date_bin({window.interval}, {_one(arguments)}, timestamp '1970-01-01T00:00:00Z')"


def _date_bin_alias(window: QueryWindow, arguments: list[str]) -> str:
    return f"{_date_bin(window, arguments)} as {arguments[0]}_binned"


def _parts(arguments: list[str], alias: bool) -> str:
    if len(arguments) != 2:
        raise MacroError(
            f"unexpected number of arguments: expected 2 arguments, received {len(arguments)}"
        )
    column, finest = arguments
    if finest not in DATE_PARTS:
        return ""
    return ",".join(
        f"datepart('{part}', {column})" + (f" as {column}_{part}" if alias else "")
        for part in DATE_PARTS[DATE_PARTS.index(finest) :]
    )


def _time_group(_: QueryWindow, arguments: list[str]) -> str:
    return _parts(arguments, alias=False)


def _time_group_alias(_: QueryWindow, arguments: list[str]) -> str:
    return _parts(arguments, alias=True)


MACROS: dict[str, Callable[[QueryWindow, list[str]], str]] = {
    "dateBin": _date_bin,
    "dateBinAlias": _date_bin_alias,
    "interval": _interval,
    "timeFilter": _time_filter,
    "timeFrom": _time_from,
    "timeGroup": _time_group,
    "timeGroupAlias": _time_group_alias,
    "timeTo": _time_to,
}


def expand_macros(sql: str, window: QueryWindow) -> str:
    """Replace every macro of a query.

    Args:
        sql: The query after the front end has replaced its dashboard variables.
        window: Time range and bin width.

    Raises:
        MacroError: A macro has the wrong number of arguments.
    """
    for name, macro in MACROS.items():
        for text, inner in _calls(sql, name):
            sql = sql.replace(text, macro(window, [part.strip() for part in inner.split(",")]))
    return sql


def _calls(sql: str, name: str) -> list[tuple[str, str]]:
    """Return each use of a macro as its whole text and the text between its parentheses.

    Like the original, a macro without parentheses takes the next pair that follows ANYWHERE
    after it, unless a closing one comes first.
    """
    found = []
    for match in re.finditer(rf"\$__{name}\b", sql):
        rest = sql[match.start() :]
        depth, inner_start, end = 0, 0, 0
        for index, letter in enumerate(rest):
            if letter == "(":
                depth += 1
                inner_start = inner_start or index + 1
            elif letter == ")":
                if depth == 0:
                    break
                depth -= 1
                end = index + 1
                if depth == 0:
                    break
        if end == 0:
            end = match.end() - match.start()
        found.append((rest[:end], rest[inner_start : end - 1] if inner_start else ""))
    return found
