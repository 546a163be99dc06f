"""A price history of any length out of pages, down to where Schwab has no more.

Source of the depths: schwab-api.md §2.1, observed: one-minute candles reach about 48 days back,
longer minutes about nine months, days to 1985. They tell where an empty page means the end and not
a halt in trading; what Schwab holds beyond them is taken all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from infrastructure.clock import ns_from_utc, rfc3339
from infrastructure.errors import UsageError
from infrastructure.exchange.timeframes import trading_date
from infrastructure.exchange.zones import NEW_YORK, local_moment_ns
from infrastructure.schwab.candles import NS_PER_MS, Candle, CandleList
from infrastructure.schwab.enums import CandleTimeframe

if TYPE_CHECKING:
    import numpy.typing as npt

DAY_NS = 86_400 * 10**9
FIRST_DAY = date(1985, 1, 1)
DEPTH_DAYS = {"1m": 48, "5m": 270, "10m": 270, "15m": 270, "30m": 270}
PAGE_DAYS = {
    "1m": 10,
    "5m": 40,
    "10m": 80,
    "15m": 90,
    "30m": 90,
    "1d": 3_650,
    "1w": 7_300,
    "1mo": 7_300,
}
"""Days of one page: about 10,000 candles at most, far below the gateway's 10 MB."""

Page = Callable[[int, int], CandleList]
"""Returns the candles of a range: first and last instant in milliseconds UTC."""


class Span(NamedTuple):
    """A time: first and last instant, nanoseconds UTC."""

    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class CandleHistory:
    """Hold the candles of a time, and say where they end and why.

    Attributes:
        symbol: As Schwab echoes it.
        timeframe: Length of the candles.
        start_ns: First instant asked for, nanoseconds UTC.
        end_ns: Last instant asked for.
        candles: Distinct, in order of time, each starting within the asked time.
        malformed: Candles with a missing or mistyped value, as decoded.
        requests: How many pages were asked for.
        reason: Why there is nothing at the beginning of the time; None when nothing is missing.
    """

    symbol: str
    timeframe: CandleTimeframe
    start_ns: int
    end_ns: int
    candles: tuple[Candle, ...]
    malformed: tuple[Any, ...]
    requests: int
    reason: str | None

    def __len__(self) -> int:
        return len(self.candles)

    @property
    def is_complete(self) -> bool:
        """Whether the candles reach back to the beginning of the time."""
        return self.reason is None

    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """Return the candles as columns, as `CandleList.columns` does."""
        return CandleList(symbol=self.symbol, candles=self.candles).columns()


def asked_span(
    start: datetime | date | int, end: datetime | date | int | None, now_ns: int
) -> Span:
    """Return the time that is meant; it never ends after now.

    Args:
        start: Aware, nanoseconds UTC, or a day of New York, which begins at its midnight.
        end: The same; a day ends with its last millisecond, None is now.
        now_ns: The time.

    Raises:
        UsageError: If an instant has no zone, or the time is empty.
    """
    first = _instant("start", start, end_of_day=False)
    last = now_ns if end is None else min(now_ns, _instant("end", end, end_of_day=True))
    if first >= last:
        raise UsageError(f"start ({rfc3339(first)}) is not before the end ({rfc3339(last)})")
    return Span(first, last)


def gather(
    symbol: str, timeframe: CandleTimeframe, span: Span, now_ns: int, page: Page
) -> CandleHistory:
    """Return the candles of a time, asked for in pages from its end backwards.

    Args:
        symbol: What is asked for.
        timeframe: Length of the candles.
        span: The time.
        now_ns: The time of asking: depths are counted from it.
        page: Asks for one range.

    Raises:
        StackError: What `page` raises.
    """
    deepest_ns = _depth_ns(timeframe, now_ns)
    found: dict[int, Candle] = {}
    malformed: list[Any] = []
    asked, ended_ns, name = 0, None, symbol.strip().upper()
    for first_ms, last_ms in _pages(timeframe, span):
        answer = page(first_ms, last_ms)
        asked += 1
        name = answer.symbol
        malformed += [row for row in answer.malformed if row not in malformed]
        # Some saw Schwab answer another range than the one asked for (schwab-py #148).
        new = {
            each.datetime: each
            for each in answer.candles
            if span.start_ns <= each.datetime * NS_PER_MS <= span.end_ns
        }
        held = len(found)
        found = {**new, **found}
        if len(found) == held and last_ms * NS_PER_MS <= deepest_ns:
            ended_ns = last_ms * NS_PER_MS
            break
    candles = tuple(found[stamp] for stamp in sorted(found))
    reason = _reason(name, timeframe, span, candles, now_ns, ended_ns)
    return CandleHistory(
        symbol=name,
        timeframe=timeframe,
        start_ns=span.start_ns,
        end_ns=span.end_ns,
        candles=candles,
        malformed=tuple(malformed),
        requests=asked,
        reason=reason,
    )


def _pages(timeframe: CandleTimeframe, span: Span) -> Iterator[tuple[int, int]]:
    """Yield ranges in milliseconds, the last first; neighbours share one instant."""
    length_ms = PAGE_DAYS[timeframe.value] * DAY_NS // NS_PER_MS
    first_ms, last_ms = -(-span.start_ns // NS_PER_MS), span.end_ns // NS_PER_MS
    while last_ms > first_ms:
        start_ms = max(first_ms, last_ms - length_ms)
        yield start_ms, last_ms
        last_ms = start_ms


def _depth_ns(timeframe: CandleTimeframe, now_ns: int) -> int:
    days = DEPTH_DAYS.get(timeframe.value)
    if days is None:
        return local_moment_ns(FIRST_DAY, 0, NEW_YORK)
    return now_ns - days * DAY_NS


def _reason(
    name: str,
    timeframe: CandleTimeframe,
    span: Span,
    candles: tuple[Candle, ...],
    now_ns: int,
    ended_ns: int | None,
) -> str | None:
    depth = DEPTH_DAYS.get(timeframe.value)
    reach = "days back to 1985" if depth is None else f"{timeframe} candles about {depth} days back"
    until_ns = candles[0].datetime * NS_PER_MS if candles else span.end_ns
    if not _misses(timeframe, span.start_ns, until_ns, none=not candles):
        return None
    at = rfc3339(candles[0].datetime * NS_PER_MS) if candles else None
    has = f"no {timeframe} candle of {name}"
    what = f"{has} before {at}" if at else f"{has} from {rfc3339(span.start_ns)} on"
    if span.start_ns < _depth_ns(timeframe, now_ns) or ended_ns is not None:
        return f"Schwab has {what}: it keeps {reach}"
    return f"Schwab has {what}, as if it was not traded or not listed then"


def _misses(timeframe: CandleTimeframe, start_ns: int, until_ns: int, *, none: bool) -> bool:
    """Tell whether a candle should start at or after the start and before an instant."""
    if not timeframe.is_minutes and timeframe is not CandleTimeframe.DAY:
        days = 7 if timeframe is CandleTimeframe.WEEK else 31
        return until_ns - start_ns > days * DAY_NS
    from infrastructure.exchange.business_days import business_days

    first = trading_date(start_ns)
    if timeframe is CandleTimeframe.DAY:
        # A daily candle starts at midnight in Chicago: one hour into New York's day.
        started = start_ns > local_moment_ns(first, 0, NEW_YORK) + 3_600 * 10**9
    else:
        started = start_ns > local_moment_ns(first, 34_200, NEW_YORK)
    first += timedelta(days=int(started))
    last = trading_date(until_ns) - timedelta(days=1)
    if none and not timeframe.is_minutes:
        last = trading_date(until_ns)
    if first < FIRST_DAY:
        return first <= last
    return first <= last and bool(business_days(first, last))


def _instant(name: str, value: Any, *, end_of_day: bool) -> int:
    if type(value) is int:
        return value
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise UsageError(f"{name}={value!r} has no zone", next_step="Give an aware datetime.")
        return ns_from_utc(value)
    if isinstance(value, date):
        day = value + timedelta(days=1) if end_of_day else value
        return local_moment_ns(day, 0, NEW_YORK) - (NS_PER_MS if end_of_day else 0)
    raise UsageError(f"{name}={value!r} is neither an instant nor a day")
