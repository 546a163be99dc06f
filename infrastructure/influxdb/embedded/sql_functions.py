"""InfluxDB's own SQL functions, rewritten into what the engine's plain wheel has.

`tz` and the selectors become expressions; `last_cache` and `distinct_cache` become tables that the
caller registers for one statement. Strings, quoted names and comments are left as they are.
Source of the meanings: docs.influxdata.com, InfluxDB 3 Core, SQL reference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo

from infrastructure.errors import QueryError

_TOKEN = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/|[A-Za-z_]\w*|[(),\[\]]""", re.DOTALL
)
_GAPFILL = frozenset({"date_bin_gapfill", "date_bin_wallclock_gapfill", "locf", "interpolate"})
_SELECTORS = {
    "selector_first": "{time}",
    "selector_last": "{time} DESC",
    "selector_min": "{value}, {time}",
    "selector_max": "{value} DESC, {time}",
}
_CACHES: dict[str, Literal["last", "distinct"]] = {
    "last_cache": "last",
    "distinct_cache": "distinct",
}
_NAMES = _GAPFILL | _SELECTORS.keys() | _CACHES.keys() | {"tz"}
_ANY = re.compile(r"\b(?:" + "|".join(sorted(_NAMES)) + r")\s*\(", re.IGNORECASE)


class GapFilling(QueryError):
    """Report a function that this server does not have."""


@dataclass(frozen=True, slots=True)
class CacheCall:
    """A cache that a statement reads.

    Attributes:
        kind: Of the cache.
        table: The table that it belongs to.
        cache: Its name, None for the table's only one.
    """

    kind: Literal["last", "distinct"]
    table: str
    cache: str | None

    @property
    def alias(self) -> str:
        """Return the name of the table that stands for the call."""
        return f"{self.kind}_cache({self.table},{self.cache or ''})"


def rewrite(sql: str) -> tuple[str, list[CacheCall]]:
    """Return a statement without InfluxDB's own functions, and the caches that it reads.

    Raises:
        GapFilling: If it calls a function that fills gaps.
        QueryError: If a call has the wrong arguments.
    """
    if _ANY.search(sql) is None:
        return sql, []
    calls: list[CacheCall] = []
    return _rewritten(sql, calls), calls


def _rewritten(sql: str, calls: list[CacheCall]) -> str:
    out: list[str] = []
    at = 0
    while (match := _TOKEN.search(sql, at)) is not None:
        out.append(sql[at : match.start()])
        name = match.group().lower()
        opening = _opening(sql, match.end())
        if name in _NAMES and opening is not None:
            arguments, at = _arguments(sql, opening)
            out.append(_call(name, [_rewritten(text, calls) for text in arguments], calls))
        else:
            out.append(match.group())
            at = match.end()
    return "".join([*out, sql[at:]])


def _opening(sql: str, at: int) -> int | None:
    while at < len(sql) and sql[at].isspace():
        at += 1
    return at if sql[at : at + 1] == "(" else None


def _arguments(sql: str, opening: int) -> tuple[list[str], int]:
    """Return the arguments of a call and the place behind its closing parenthesis."""
    depth, start, at = 0, opening + 1, opening
    arguments: list[str] = []
    while (match := _TOKEN.search(sql, at)) is not None:
        token, at = match.group(), match.end()
        if token in "([":
            depth += 1
        elif token in ")]":
            depth -= 1
        if (token == "," and depth == 1) or depth == 0:
            arguments.append(sql[start : match.start()].strip())
            start = at
        if depth == 0:
            return [] if arguments == [""] else arguments, at
    raise QueryError("a parenthesis is not closed")


def _call(name: str, arguments: list[str], calls: list[CacheCall]) -> str:
    if name in _GAPFILL:
        raise GapFilling(
            f"{name} is not implemented in this embedded server, which fills no gaps: "
            "use date_bin and fill them where the rows are shown, or ask an InfluxDB 3"
        )
    if name in _SELECTORS:
        if len(arguments) != 2:
            raise QueryError(f"{name} takes a value and a time")
        return _selector(name, *arguments)
    if name == "tz":
        return _zoned(arguments)
    texts = [_text(argument, name) for argument in arguments]
    if not 1 <= len(texts) <= 2:
        raise QueryError(f"{name} takes the name of a table and, if wanted, that of a cache")
    calls.append(CacheCall(_CACHES[name], texts[0], texts[1] if len(texts) > 1 else None))
    return '"' + calls[-1].alias.replace('"', '""') + '"'


def _selector(name: str, value: str, time: str) -> str:
    order = _SELECTORS[name].format(value=value, time=time)
    member = f"first_value({{}} ORDER BY {order}) FILTER (WHERE {value} IS NOT NULL)"
    return f"named_struct('time', {member.format(time)}, 'value', {member.format(value)})"


def _zoned(arguments: list[str]) -> str:
    if not 1 <= len(arguments) <= 2:
        raise QueryError("tz takes a time and, if wanted, the name of a time zone")
    zone = _text(arguments[1], "tz") if len(arguments) > 1 else "UTC"
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise QueryError(f"tz does not know the time zone {zone!r}") from None
    utc = f"""arrow_cast({arguments[0]}, 'Timestamp(Nanosecond, Some("UTC"))')"""
    return f"""arrow_cast({utc}, 'Timestamp(Nanosecond, Some("{zone}"))')"""


def _text(argument: str, name: str) -> str:
    if len(argument) < 2 or argument[0] != "'" or argument[-1] != "'":
        raise QueryError(f"{name} takes names as text in single quotes, got {argument}")
    return argument[1:-1].replace("''", "'")
