"""Price histories: one request as Schwab takes it, and a time of any length asked in pages."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal, TypedDict, Unpack, overload

import msgspec

from infrastructure.schwab.candle_pages import CandleHistory, asked_span, gather
from infrastructure.schwab.candles import CandleList, parse_candle_list
from infrastructure.schwab.endpoint import Endpoint
from infrastructure.schwab.enums import CandleTimeframe, FrequencyType, PeriodType, member
from infrastructure.schwab.history import price_history_request

ROOT = "/marketdata/v1"


class HistoryWords(TypedDict, total=False):
    """What may be asked of a price history.

    Attributes:
        period_type: day, month, year or ytd.
        period: How many of them; not together with a range.
        frequency_type: minute, daily, weekly or monthly.
        frequency: 1, 5, 10, 15 or 30 minutes, else 1.
        start_ms: First instant, milliseconds UTC.
        end_ms: Last instant, milliseconds UTC; needs `start_ms`.
        extended_hours: Whether to include candles outside regular hours.
        previous_close: Whether to ask for the previous close.
    """

    period_type: PeriodType | str | None
    period: int | None
    frequency_type: FrequencyType | str | None
    frequency: int | None
    start_ms: int | None
    end_ms: int | None
    extended_hours: bool | None
    previous_close: bool | None


class HistoryData(Endpoint):
    """Ask for price histories."""

    @overload
    def price_history(
        self, symbol: str, *, raw: Literal[False] = False, **asked: Unpack[HistoryWords]
    ) -> CandleList: ...
    @overload
    def price_history(
        self, symbol: str, *, raw: Literal[True], **asked: Unpack[HistoryWords]
    ) -> Any: ...
    def price_history(
        self, symbol: str, *, raw: bool = False, **asked: Unpack[HistoryWords]
    ) -> Any:
        """Return the candles of one symbol in one request; `empty` is True when there are none.

        Args:
            symbol: An equity, ETF or index.
            raw: Return the decoded answer instead.
            **asked: As in `HistoryWords`.

        Raises:
            UsageError: If Schwab would refuse or misread the combination; nothing is sent.
            UnknownSymbol: If Schwab does not know the symbol.
            StackError: Any other leaf of the retry, sign-in and input branches.
        """
        request = price_history_request(symbol, **asked)
        answer = self._requester.get(
            f"{ROOT}/pricehistory",
            request.params(),
            what=f"the price history of {request.symbol}",
            symbol=request.symbol,
        )
        return self._parsed(answer, msgspec.json.decode if raw else parse_candle_list)

    def candles(
        self,
        symbol: str,
        timeframe: CandleTimeframe | str,
        start: datetime | date | int,
        end: datetime | date | int | None = None,
        *,
        extended_hours: bool = False,
    ) -> CandleHistory:
        """Return the candles that start in a time of any length, asked in pages.

        Pages are asked from the end backwards, each as a range without a period, and end where
        Schwab has no more. Candles are distinct and in order; `reason` says why there are fewer
        than asked for.

        Args:
            symbol: An equity, ETF or index.
            timeframe: 1m, 5m, 10m, 15m, 30m, 1d, 1w or 1mo.
            start: The first instant: aware, nanoseconds UTC, or the beginning of a New York day.
            end: The last instant; of a day its end; now when None or later than now.
            extended_hours: Whether to include minutes outside regular hours.

        Raises:
            UsageError: If the timeframe or time cannot be asked for; nothing is sent.
            UnknownSymbol: If Schwab does not know the symbol.
            StackError: As `price_history`.
        """
        kind = member(CandleTimeframe, timeframe, "timeframe")
        now_ns = self._requester.now_ns()
        span = asked_span(start, end, now_ns)

        def page(start_ms: int, end_ms: int) -> CandleList:
            return self.price_history(
                symbol,
                period_type=kind.period_type,
                frequency_type=kind.frequency_type,
                frequency=kind.frequency,
                start_ms=start_ms,
                end_ms=end_ms,
                extended_hours=extended_hours,
            )

        return gather(symbol, kind, span, now_ns, page)
