"""`GET /marketdata/v1/pricehistory`, by the validity table and what users measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, Literal

import numpy as np

from infrastructure.exchange.timeframes import schwab_bar_starts, trading_date
from infrastructure.exchange.zones import local_moment_ns
from infrastructure.simulators.schwab.bars import Bars
from infrastructure.simulators.schwab.error_bodies import market_error
from infrastructure.simulators.schwab.market import (
    ReplayMarket,
)
from infrastructure.simulators.schwab.merging import merged_by_calendar, merged_by_clock
from infrastructure.simulators.schwab.messages import Request, Response, json_response
from infrastructure.simulators.schwab.parameters import (
    Refused,
    boolean,
    refused,
    required,
    whole_number,
)
from infrastructure.simulators.schwab.replay_rows import NEW_YORK
from infrastructure.simulators.schwab.router import Router
from infrastructure.simulators.schwab.wire_forms import WireForm

PATH: Final = "/marketdata/v1/pricehistory"
NS_PER_MS: Final = 1_000_000
NS_PER_DAY: Final = 86_400 * 1_000_000_000

# How far back the minutes of each length go. [O]
ONE_MINUTE_DEPTH: Final = timedelta(days=48)
LONG_MINUTES_DEPTH: Final = timedelta(days=270)

_TIMEFRAMES: Final = {"daily": "1d", "weekly": "1w", "monthly": "1mo"}


@dataclass(frozen=True, slots=True)
class _PeriodType:
    """One row of the validity table. [S]"""

    periods: tuple[int, ...]
    default_period: int
    frequency_types: tuple[str, ...]
    default_frequency_type: str


PERIOD_TYPES: Final = {
    "day": _PeriodType((1, 2, 3, 4, 5, 10), 10, ("minute",), "minute"),
    "month": _PeriodType((1, 2, 3, 6), 1, ("daily", "weekly"), "weekly"),
    "year": _PeriodType((1, 2, 3, 5, 10, 15, 20), 1, ("daily", "weekly", "monthly"), "monthly"),
    "ytd": _PeriodType((1,), 1, ("daily", "weekly"), "weekly"),
}
FREQUENCIES: Final = {
    "minute": (1, 5, 10, 15, 30),
    "daily": (1,),
    "weekly": (1,),
    "monthly": (1,),
}


@dataclass(frozen=True, slots=True)
class HistoryRules:
    """What is reported both ways.

    Attributes:
        period_and_range: Which holds when a request has both: "range" (measured) or "period"
            (schwab-py #148). [O]
        unknown_symbol: "not-found" answers 404, "empty" a list without candles. [?]
        depth_limits: Whether minutes end at the depths above.
    """

    period_and_range: Literal["range", "period"] = "range"
    unknown_symbol: Literal["not-found", "empty"] = "not-found"
    depth_limits: bool = True


@dataclass(frozen=True, slots=True)
class _Question:
    symbol: str
    period_type: str
    period: int
    period_given: bool
    frequency_type: str
    frequency: int
    start_ns: int | None
    end_ns: int | None
    extended: bool
    previous_close: bool


class PriceHistory:
    """Answer price history.

    Args:
        market: Whose prices.
        rules: How the unsettled cases go; may be replaced while running.
    """

    def __init__(self, market: ReplayMarket, rules: HistoryRules | None = None) -> None:
        self.rules = rules or HistoryRules()
        self._market = market
        self._candle_keys = ("open", "high", "low", "close", "volume", "datetime")
        WireForm("Candle")(dict.fromkeys(self._candle_keys))
        self._list = WireForm("CandleList")

    def add_to(self, router: Router) -> None:
        """Add the endpoint."""
        router.add("GET", PATH, self._answer, "market")

    def _answer(self, request: Request, _: Mapping[str, str]) -> Response:
        try:
            question = _question(request)
        except Refused as refusal:
            return refusal.response
        if self._market.listing(question.symbol) is None:
            if self.rules.unknown_symbol == "not-found":
                return market_error(404)
            return json_response(200, {"candles": [], "symbol": question.symbol, "empty": True})
        start_ns, end_ns = self._range(question)
        if start_ns > end_ns:
            detail = "endDate must not be before startDate"
            return market_error(400, detail, parameter="endDate")
        bars = self._bars(question, start_ns, end_ns)
        response = json_response(200, self._body(question, bars, start_ns))
        timeframe = _TIMEFRAMES.get(question.frequency_type, "1m")
        synthetic = self._market.is_synthetic(timeframe, question.symbol)
        response.headers["X-Simulated"] = "synthetic" if synthetic else "replay"
        return response

    def _range(self, question: _Question) -> tuple[int, int]:
        """Return the first and last instant at which a bar may start.

        Without endDate it is the close of the last session, so that its own bars are in. [S][?]
        Without startDate it is the period before the end, which counts sessions for days. [S]
        """
        start_ns, end_ns = question.start_ns, question.end_ns
        if self.rules.period_and_range == "period" and question.period_given:
            start_ns = end_ns = None
        if end_ns is None:
            end_ns = self._market.close_ns(self._market.last_session) - 1
        if start_ns is None:
            start_ns = self._start_of_period(question, end_ns)
        return start_ns, end_ns

    def _start_of_period(self, question: _Question, end_ns: int) -> int:
        last = trading_date(end_ns)
        if question.period_type == "day":
            dates = self._market.session_dates()
            end = int(np.searchsorted(dates, np.datetime64(last, "D"), side="right"))
            first = dates[max(0, end - question.period)].item()
        elif question.period_type == "ytd":
            first = date(last.year, 1, 1)
        else:
            months = question.period * (12 if question.period_type == "year" else 1)
            first = months_before(last, months)
        # Midnight Central is the stamp of a daily bar; minutes begin hours after it.
        stamp = schwab_bar_starts(np.array([np.datetime64(first, "D")]), "1d")
        return int(stamp[0])

    def _bars(self, question: _Question, start_ns: int, end_ns: int) -> Bars:
        market = self._market
        if question.frequency_type != "minute":
            bars = market.daily(question.symbol)
            if question.frequency_type != "daily":
                bars = merged_by_calendar(bars, _TIMEFRAMES[question.frequency_type])
            return bars.between(start_ns, end_ns)
        if self.rules.depth_limits:
            one = question.frequency == 1
            depth = ONE_MINUTE_DEPTH if one else LONG_MINUTES_DEPTH
            oldest = market.market_date - depth
            start_ns = max(start_ns, local_moment_ns(oldest, 0, NEW_YORK))
        if start_ns > end_ns:
            return market.daily(question.symbol).take(slice(0, 0))
        bars = market.minutes(
            question.symbol,
            _date_within(start_ns, market),
            _date_within(end_ns, market),
            question.extended,
        )
        if question.frequency > 1:
            bars = merged_by_clock(bars, question.frequency)
        return bars.between(start_ns, end_ns)

    def _body(self, question: _Question, bars: Bars, start_ns: int) -> dict[str, Any]:
        columns = (
            bars.open.tolist(),
            bars.high.tolist(),
            bars.low.tolist(),
            bars.close.tolist(),
            bars.volume.tolist(),
            (bars.start_ns // NS_PER_MS).tolist(),
        )
        rows = zip(*columns, strict=True)
        body: dict[str, Any] = {
            "candles": [dict(zip(self._candle_keys, row, strict=True)) for row in rows],
            "symbol": question.symbol,
            "empty": len(bars) == 0,
        }
        if question.previous_close:
            first_ns = int(bars.start_ns[0]) if len(bars) else start_ns
            body |= self._previous_close(question.symbol, first_ns)
        return self._list(body)

    def _previous_close(self, symbol: str, first_ns: int) -> dict[str, Any]:
        """Return the close of the session before the first candle's date. [S example]"""
        day = np.array([np.datetime64(_date_within(first_ns, self._market), "D")])
        stamp = int(schwab_bar_starts(day, "1d")[0])
        before = self._market.daily(symbol).between(0, stamp - 1)
        if len(before) == 0:
            return {}
        return {
            "previousClose": float(before.close[-1]),
            "previousCloseDate": int(before.start_ns[-1]) // NS_PER_MS,
        }


def months_before(day: date, months: int) -> date:
    """Return the same day so many months earlier, or that month's last day."""
    count = day.year * 12 + day.month - 1 - months
    year, month = divmod(count, 12)
    following = date(year + (month == 11), (month + 1) % 12 + 1, 1)
    last = (following - timedelta(days=1)).day
    return date(year, month + 1, min(day.day, last))


def _date_within(ns: int, market: ReplayMarket) -> date:
    """Return an instant's trading date, brought into the replay's years."""
    dates = market.session_dates()
    first: date = dates[0].item()
    low = local_moment_ns(first, 0, NEW_YORK)
    return trading_date(min(max(ns, low), market.now_ns))


def _question(request: Request) -> _Question:
    query = request.query
    symbol = required(request, "symbol").upper()
    period_type = query.get("periodType") or "day"
    if period_type not in PERIOD_TYPES:
        raise refused("periodType", f"periodType must be one of {', '.join(PERIOD_TYPES)}")
    row = PERIOD_TYPES[period_type]
    period = whole_number(request, "period")
    if period is not None and period not in row.periods:
        allowed = ", ".join(map(str, row.periods))
        raise refused("period", f"period for periodType {period_type} must be one of {allowed}")
    frequency_type = query.get("frequencyType") or row.default_frequency_type
    if frequency_type not in row.frequency_types:
        allowed = ", ".join(row.frequency_types)
        raise refused(
            "frequencyType",
            f"frequencyType for periodType {period_type} must be one of {allowed}",
        )
    frequency = whole_number(request, "frequency")
    if frequency is None:
        frequency = 1
    if frequency not in FREQUENCIES[frequency_type]:
        allowed = ", ".join(map(str, FREQUENCIES[frequency_type]))
        raise refused(
            "frequency", f"frequency for frequencyType {frequency_type} must be one of {allowed}"
        )
    return _Question(
        symbol=symbol,
        period_type=period_type,
        period=row.default_period if period is None else period,
        period_given=period is not None,
        frequency_type=frequency_type,
        frequency=frequency,
        start_ns=_instant(request, "startDate"),
        end_ns=_instant(request, "endDate"),
        extended=boolean(request, "needExtendedHoursData", True),
        previous_close=boolean(request, "needPreviousClose", False),
    )


def _instant(request: Request, name: str) -> int | None:
    number = whole_number(request, name)
    if number is None:
        return None
    if not 0 <= number < 1 << 43:
        raise refused(name, f"{name} must be milliseconds since 1970")
    return number * NS_PER_MS
