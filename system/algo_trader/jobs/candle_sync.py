"""Keep history complete: after each close extend it, and warn before minutes are gone for good.

Schwab keeps minutes for about 48 days (schwab-api.md §2.1). What was not fetched by then cannot
be had from there any more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Protocol

from infrastructure.clock import Clock, utc_from_ns
from infrastructure.errors import StackError
from infrastructure.exchange.calendars import date_of
from infrastructure.exchange.session import Session
from infrastructure.logging import get_logger
from infrastructure.notification.notifier import Notifier
from system.algo_trader.jobs.plan import FetchRequest, Lookback, SessionDays, StoredBars, plan
from system.algo_trader.market.bars import Series
from system.algo_trader.market.timeframe import Timeframe

_log = get_logger("jobs.candle_sync")
_NS_PER_S: Final = 1_000_000_000
_NS_PER_DAY: Final = 86_400 * _NS_PER_S

MINUTE_HORIZON_DAYS: Final = 48
ALARM_DAYS: Final = 10
"""How many days before the horizon a person is told."""
SETTLE_S: Final = 15 * 60
"""How long after a close the source is given to finish its bars."""

SYNC_PLAN: Final = (
    Lookback(Timeframe.M1, sessions=32),
    Lookback(Timeframe.M5, sessions=180),
    Lookback(Timeframe.D1, years=20),
)
"""How far back a symbol is fetched of which nothing is stored."""


@dataclass(frozen=True, slots=True)
class Horizon:
    """Say how a symbol's minutes stand to the source's horizon.

    Attributes:
        symbol: The instrument.
        last_ns: Start of the last stored minute, nanoseconds UTC.
        days_left: Days until what follows it is gone; negative when it is.
    """

    symbol: str
    last_ns: int
    days_left: float

    def sentence(self) -> str:
        """Return the state for a person."""
        since = f"{utc_from_ns(self.last_ns):%Y-%m-%d}"
        if self.days_left < 0:
            return (
                f"{self.symbol}: the minutes after {since} are partly gone at Schwab, "
                f"by {-self.days_left:.0f} days."
            )
        return (
            f"{self.symbol}: no minutes are stored after {since}; Schwab drops them in "
            f"{self.days_left:.0f} days. Run `algo-trader candles sync`."
        )


class CloseCalendar(SessionDays, Protocol):
    """List sessions, and tell the next close: the part of `Calendar` that syncing uses."""

    def next_close(self, ns: int) -> int:
        """Return the first close at or after an instant, nanoseconds UTC."""


@dataclass(slots=True)
class CandleSync:
    """Extend the history of a universe.

    Attributes:
        series: Names the series of a symbol and timeframe, as the feed does.
        stored: What is stored.
        carry_out: Fetches, checks and stores; returns an exit code.
        calendar: The exchange's calendar.
        market_now_ns: Tells the market's time.
        clock: Waits.
        notifiers: Whom to tell of the horizon.
        tidy: Done after each round, once the market is closed.
    """

    series: Callable[[str, Timeframe], Series]
    stored: StoredBars
    carry_out: Callable[[Sequence[FetchRequest]], int]
    calendar: CloseCalendar
    market_now_ns: Callable[[], int]
    clock: Clock
    notifiers: Sequence[Notifier] = ()
    tidy: Callable[[], None] = lambda: None
    _told: set[tuple[str, int]] = field(default_factory=set)

    def once(self, symbols: Sequence[str]) -> int:
        """Tell of the horizon, then extend every symbol to now; return the exit code."""
        self.warn(self.horizons(symbols))
        return self.carry_out(self.requests(symbols))

    def requests(self, symbols: Iterable[str]) -> tuple[FetchRequest, ...]:
        """Return what to fetch: from the last stored bars on, or the whole lookback."""
        requests: list[FetchRequest] = []
        now = self.market_now_ns()
        for symbol in symbols:
            for lookback in SYNC_PLAN:
                each = self.series(symbol, lookback.timeframe)
                known = self.stored.last(20, each)
                if len(known):
                    start = int(known.start[0])
                    requests.append(FetchRequest(symbol, lookback.timeframe, start, now))
                else:
                    requests += plan(
                        [(each, lookback)], now_ns=now, calendar=self.calendar, stored=self.stored
                    )
        return tuple(requests)

    def horizons(self, symbols: Iterable[str]) -> list[Horizon]:
        """Return the symbols whose next minutes are gone within the alarm's days, or are gone."""
        now = self.market_now_ns()
        found = []
        for symbol in symbols:
            last = self.stored.last(1, self.series(symbol, Timeframe.M1))
            if not len(last) or not self._traded_since(int(last.start[0]), now):
                continue
            age = (now - int(last.start[0])) / _NS_PER_DAY
            left = MINUTE_HORIZON_DAYS - age
            if left <= ALARM_DAYS:
                found.append(Horizon(symbol, int(last.start[0]), left))
        return found

    def warn(self, horizons: Iterable[Horizon]) -> None:
        """Tell a person of each symbol once for each stretch."""
        fresh = [each for each in horizons if (each.symbol, each.last_ns) not in self._told]
        if not fresh:
            return
        text = " ".join(each.sentence() for each in fresh)
        _log.warning("%s", text)
        failed = False
        for notifier in self.notifiers:
            try:
                notifier.send("Minutes near Schwab's horizon", text)
            except StackError as failure:
                failed = True
                _log.warning("a notice could not be sent: %s", failure)
        if not failed:
            self._told |= {(each.symbol, each.last_ns) for each in fresh}

    def next_run_ns(self) -> int:
        """Return when the bars of the next close are due, nanoseconds UTC."""
        settle = SETTLE_S * _NS_PER_S
        return self.calendar.next_close(self.market_now_ns() - settle + 1) + settle

    def serve(self, symbols: Callable[[], Sequence[str]], told: Callable[[int], None]) -> None:
        """Extend now and after each close, until the process ends.

        A run that could not reach the source is tried again after the next close; what it missed
        is fetched then, since every run begins at the last stored bar.

        Args:
            symbols: Asked anew before each run.
            told: Told when the next run is due, nanoseconds UTC.
        """
        while True:
            self.once(symbols())
            self.tidy()
            due = self.next_run_ns()
            told(due)
            # In short steps, so that a machine that slept is not late by as long.
            while (left_ns := due - self.market_now_ns()) > 0:
                self.clock.sleep(min(left_ns / _NS_PER_S, 60.0))

    def _traded_since(self, last_ns: int, now_ns: int) -> bool:
        """Say whether a session has closed after the day of the last stored minute."""
        day: list[Session] = self.calendar.sessions(
            date_of(last_ns) + timedelta(days=1), date_of(now_ns)
        )
        return any(each.close_ns <= now_ns for each in day)
