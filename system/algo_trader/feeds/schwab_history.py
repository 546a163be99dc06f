"""Bars of the past from Schwab's price history."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from infrastructure.clock import Clock, SystemClock, rfc3339
from infrastructure.errors import NoDataError, UsageError
from infrastructure.exchange.timeframes import schwab_bar_starts, trading_dates
from infrastructure.schwab.candles import CandleList
from infrastructure.schwab.enums import FrequencyType, PeriodType
from infrastructure.schwab.symbols import checked_symbol
from system.algo_trader.feeds.feed import History
from system.algo_trader.market.bars import Bars, Int64s, Series
from system.algo_trader.market.source import Source
from system.algo_trader.market.timeframe import Adjustment, Session, Timeframe
from system.algo_trader.realm import Realm

_NS_PER_MS: Final = 1_000_000
_VALUES: Final = ("open", "high", "low", "close", "volume")

IsSynthetic = Callable[[str, Timeframe], bool]


class Frequency(NamedTuple):
    """Spell a timeframe as Schwab's parameters do."""

    period_type: PeriodType
    frequency_type: FrequencyType
    frequency: int


FREQUENCIES: Final[dict[Timeframe, Frequency]] = {
    Timeframe.M1: Frequency(PeriodType.DAY, FrequencyType.MINUTE, 1),
    Timeframe.M5: Frequency(PeriodType.DAY, FrequencyType.MINUTE, 5),
    Timeframe.M10: Frequency(PeriodType.DAY, FrequencyType.MINUTE, 10),
    Timeframe.M15: Frequency(PeriodType.DAY, FrequencyType.MINUTE, 15),
    Timeframe.M30: Frequency(PeriodType.DAY, FrequencyType.MINUTE, 30),
    Timeframe.D1: Frequency(PeriodType.YEAR, FrequencyType.DAILY, 1),
    Timeframe.W1: Frequency(PeriodType.YEAR, FrequencyType.WEEKLY, 1),
    Timeframe.MO1: Frequency(PeriodType.YEAR, FrequencyType.MONTHLY, 1),
}
"""The timeframes that Schwab delivers (schwab-api.md §2.1, price-history validity)."""


class PriceHistories(Protocol):
    """Ask Schwab for price histories: the part of `SchwabClient` that this feed uses."""

    def price_history(
        self,
        symbol: str,
        *,
        period_type: PeriodType | str | None = None,
        period: int | None = None,
        frequency_type: FrequencyType | str | None = None,
        frequency: int | None = None,
        start_ms: int | None = None,
        end_ms: int | None = None,
        extended_hours: bool | None = None,
        previous_close: bool | None = None,
    ) -> CandleList:
        """Return the candles of one symbol."""


def never_synthetic(symbol: str, timeframe: Timeframe) -> bool:
    """Say that nothing is synthetic: Schwab delivers what was traded."""
    return False


def minutes_are_synthetic(symbol: str, timeframe: Timeframe) -> bool:
    """Say that intraday bars are synthetic: the simulator makes them up inside real days."""
    return timeframe.is_intraday


class SchwabHistoryFeed:
    """Deliver split-adjusted bars of regular hours from Schwab or from its simulator.

    A request names a range of times and no period: Schwab's answer to both is not established,
    and a period without an end stops at the business day before.

    Args:
        client: Asks Schwab.
        realm: Real or simulated: whether the client talks to Schwab or to the simulator.
        is_synthetic: Says of a symbol and timeframe whether its bars are made up; by default
            nothing is at Schwab, and intraday bars are in the simulator.
        clock: Stamps the bars.
    """

    def __init__(
        self,
        client: PriceHistories,
        *,
        realm: Realm,
        is_synthetic: IsSynthetic | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._client = client
        self._source = Source.SCHWAB_SIM if realm.is_simulated else Source.SCHWAB
        default = minutes_are_synthetic if realm.is_simulated else never_synthetic
        self._is_synthetic = is_synthetic if is_synthetic is not None else default
        self._clock = clock if clock is not None else SystemClock()

    @property
    def source(self) -> Source:
        """Return `schwab`, or `schwab-sim` for the simulator."""
        return self._source

    def resolve(self, symbol: str) -> str:
        """Return the symbol in upper case.

        Raises:
            UsageError: If it cannot be a symbol.
        """
        return checked_symbol(symbol)

    def series(self, symbol: str, timeframe: Timeframe) -> Series:
        """Return the series of a symbol's split-adjusted bars of regular hours.

        Raises:
            UsageError: If Schwab has no bars of that timeframe.
        """
        if timeframe not in FREQUENCIES:
            raise UsageError(
                f"Schwab has no {timeframe} bars, only {', '.join(FREQUENCIES)}",
            )
        return Series(self.resolve(symbol), timeframe, Session.RTH, Adjustment.SPLIT, self._source)

    def history(self, symbol: str, timeframe: Timeframe, *, start_ns: int, end_ns: int) -> History:
        """Return the bars that start in [start_ns, end_ns], as Schwab sent them.

        Args:
            symbol: An equity, ETF or index.
            timeframe: One of `FREQUENCIES`.
            start_ns: First instant, nanoseconds UTC; for weeks and months the start of one.
            end_ns: Last instant.

        Raises:
            UsageError: If Schwab has no such bars.
            UnknownSymbol: If Schwab does not know the symbol.
            NoDataError: If it has no bar in that time.
            StackError: As `SchwabClient.price_history`.
        """
        series = self.series(symbol, timeframe)
        words = FREQUENCIES[timeframe]
        answer = self._client.price_history(
            series.symbol,
            period_type=words.period_type,
            frequency_type=words.frequency_type,
            frequency=words.frequency,
            start_ms=start_ns // _NS_PER_MS,
            end_ms=end_ns // _NS_PER_MS,
            extended_hours=False,
        )
        if not answer.candles and not answer.malformed:
            raise NoDataError(
                f"Schwab has no {timeframe} bars of {series.symbol} "
                f"from {rfc3339(start_ns)} to {rfc3339(end_ns)}"
            )
        return parse_history(
            answer,
            series,
            fetched_at=self._clock.now_ns(),
            is_synthetic=self._is_synthetic(series.symbol, timeframe),
        )


def parse_history(
    answer: CandleList, series: Series, *, fetched_at: int, is_synthetic: bool
) -> History:
    """Return an answer's candles as bars; malformed ones keep what they have.

    Args:
        answer: Schwab's answer.
        series: What the bars belong to.
        fetched_at: When it came, nanoseconds UTC.
        is_synthetic: Whether its bars are made up.
    """
    columns = answer.columns()
    odd = [row for row in answer.malformed if isinstance(row, dict)]
    placed = [row for row in odd if _whole(row.get("datetime")) is not None]
    times = np.array([_whole(row["datetime"]) for row in placed], dtype=np.int64) * _NS_PER_MS
    starts = canonical_starts(np.concatenate([columns["time"], times]), series.timeframe)
    values = {
        name: pa.concat_arrays(
            [pa.array(columns[name]), _odd_column(name, placed, pa.array(columns[name]).type)]
        )
        for name in _VALUES
    }
    bars = Bars.of(series, start=starts, fetched_at=fetched_at, is_synthetic=is_synthetic, **values)
    return History(bars, unreadable=len(answer.malformed) - len(placed))


def canonical_starts(stamps: Int64s, timeframe: Timeframe) -> Int64s:
    """Return the starts of bars whose stamps may name any moment of the first trading date.

    Daily, weekly and monthly stamps are moved to their period's canonical one; it is not
    established which weekday Schwab stamps weeks with.

    Args:
        stamps: As Schwab sent them, int64 nanoseconds UTC.
        timeframe: Of the bars.
    """
    if timeframe.is_intraday or not len(stamps):
        return stamps
    return schwab_bar_starts(trading_dates(stamps), timeframe)


def _odd_column(name: str, rows: list[dict[str, Any]], kind: pa.DataType) -> pa.Array:
    cast = _whole if name == "volume" else _number
    return pa.array([cast(row.get(name)) for row in rows], kind)


def _number(value: Any) -> float | None:
    usable = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if usable else None


def _whole(value: Any) -> int | None:
    number = _number(value)
    return int(number) if number is not None and np.isfinite(number) else None
