"""The market that the local Schwab shows: real recorded days, seen from a virtual clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np

from infrastructure.clock import Clock, SystemClock
from infrastructure.errors import InputError
from infrastructure.exchange.calendars import calendar
from infrastructure.exchange.timeframes import schwab_bar_starts, trading_date
from infrastructure.exchange.zones import Dates, Instants, local_dates, local_moment_ns
from infrastructure.simulators.schwab.bars import Bars, joined, merged, no_bars
from infrastructure.simulators.schwab.listings import Listing, listing
from infrastructure.simulators.schwab.replay_rows import (
    NEW_YORK,
    BarLabel,
    Rows,
    rows_from_bokeh,
    rows_from_file,
    ticks_from_file,
    trading_date_range,
    with_split,
)
from infrastructure.simulators.schwab.splits import KNOWN_SPLITS, Split, shares_today
from infrastructure.simulators.schwab.synthesis import (
    NS_PER_MINUTE,
    Day,
    extended_minutes,
    generator,
    regular_minutes,
)
from infrastructure.simulators.schwab.ticks import Ticks

NS_PER_S: Final = 1_000_000_000
DAILY_TIMEFRAMES: Final = ("1d", "1w", "1mo")
PRE_MARKET_OPEN_S: Final = 7 * 3_600
POST_MARKET: Final = timedelta(hours=4)

_DAYS_IN_MEMORY: Final = 2_048
_REGULAR, _EXTENDED = 0, 1


class ReplayMarket:
    """Show recorded prices as they stood at a virtual moment, which moves with real time.

    The virtual clock starts one second after the close of the last session with rows. What lies
    after it is not shown; splits that come after it have not happened. Safe to share between
    threads.

    Args:
        rows: Unadjusted rows by symbol.
        source: What the rows are, for people.
        splits: The splits to adjust by.
        adjusted: Show prices and volumes in today's shares, as Schwab does; else as traded.
        as_of: Start after the close of the last session not after this date.
        from_open: Start at that session's open instead, for a market that trades.
        seed: Of the invented minutes.
        clock: What moves the virtual clock.
        ticks: Trades and quotes behind the rows, by symbol.

    Raises:
        InputError: If a row's date is no session of the NYSE or nothing lies before `as_of`.
    """

    def __init__(
        self,
        rows: Mapping[str, Rows],
        *,
        source: str,
        splits: Iterable[Split] = (),
        adjusted: bool = True,
        as_of: date | None = None,
        from_open: bool = False,
        seed: int = 0,
        clock: Clock | None = None,
        ticks: Mapping[str, Ticks] | None = None,
    ) -> None:
        self.source = source
        self._ticks = dict(ticks or {})
        self.seed = seed
        self.adjusted = adjusted
        self._clock = clock or SystemClock()
        self._rows = dict(rows)
        self._splits = tuple(splits)
        self._calendar = calendar("XNYS")
        first, last = trading_date_range(self._rows)
        sessions = self._calendar.sessions(first, last)
        self._dates: Dates = np.array([session.date for session in sessions], "datetime64[D]")
        self._open_ns: Instants = np.array([s.open_ns for s in sessions], dtype=np.int64)
        self._close_ns: Instants = np.array([s.close_ns for s in sessions], dtype=np.int64)
        for symbol, part in self._rows.items():
            self._refuse_days_off(symbol, part)
        self._daily = {symbol: self._daily_rows(part) for symbol, part in self._rows.items()}
        self._listings = {
            symbol: listing(symbol, number) for number, symbol in enumerate(sorted(rows), start=1)
        }
        self._first_ns = self._start_ns = self._first_moment(as_of, from_open)
        self._origin_ns = self._clock.monotonic_ns()
        self._minutes = lru_cache(maxsize=_DAYS_IN_MEMORY)(self._minutes_of_day)

    @classmethod
    def from_bokeh(
        cls,
        adjusted: bool = True,
        *,
        as_of: date | None = None,
        from_open: bool = False,
        splits: Iterable[Split] = KNOWN_SPLITS,
        planted: Iterable[Split] = (),
        seed: int = 0,
        clock: Clock | None = None,
    ) -> ReplayMarket:
        """Replay the real daily bars that bokeh_sampledata carries.

        Args:
            planted: Splits that never were: rows from their ex-date on are restated as if they
                had been, to see what a client makes of one. Other arguments as of the class.
        """
        rows, planted = rows_from_bokeh(), tuple(planted)
        for split in planted:
            rows[split.symbol] = with_split(rows[split.symbol], split)
        return cls(
            rows,
            source="bokeh_sampledata daily bars 2000-03-01 to 2013-03-01",
            splits=(*splits, *planted),
            adjusted=adjusted,
            as_of=as_of,
            from_open=from_open,
            seed=seed,
            clock=clock,
        )

    @classmethod
    def from_file(
        cls,
        path: Path | str,
        *,
        symbol: str | None = None,
        zone: str = NEW_YORK,
        bar_label: BarLabel = "start",
        adjusted: bool = True,
        as_of: date | None = None,
        from_open: bool = False,
        splits: Iterable[Split] = (),
        seed: int = 0,
        clock: Clock | None = None,
    ) -> ReplayMarket:
        """Replay a CSV or Parquet file; arguments as of `rows_from_file` and of the class."""
        path = Path(path)
        return cls(
            rows_from_file(path, symbol=symbol, zone=zone, bar_label=bar_label),
            source=path.name,
            splits=splits,
            adjusted=adjusted,
            as_of=as_of,
            from_open=from_open,
            seed=seed,
            clock=clock,
            ticks=ticks_from_file(path, symbol=symbol, zone=zone),
        )

    @property
    def symbols(self) -> tuple[str, ...]:
        """Return the symbols in alphabetic order."""
        return tuple(self._listings)

    @property
    def now_ns(self) -> int:
        """Return the virtual moment, nanoseconds UTC."""
        return self._start_ns + self._clock.monotonic_ns() - self._origin_ns

    @property
    def identity(self) -> str:
        """Return what tells this replay from every other: its rows, its start and its seed."""
        shares = "adjusted" if self.adjusted else "raw"
        start = np.datetime64(self._first_ns, "ns")
        return f"{self.source}: {', '.join(self.symbols)}; {shares}; {start}Z; seed {self.seed}"

    def go_on_from(self, ns: int) -> None:
        """Move the virtual clock on to a moment that an earlier run has reached; never back."""
        self._start_ns += max(0, ns - self.now_ns)

    @property
    def market_date(self) -> date:
        """Return the date of the virtual moment in New York."""
        return trading_date(self.now_ns)

    @property
    def last_session(self) -> date:
        """Return the last session with rows that has closed by the virtual moment."""
        day: date = self._dates[self._closed(self.now_ns) - 1].item()
        return day

    def listing(self, symbol: str) -> Listing | None:
        """Return what a symbol is, None when this market does not trade it."""
        return self._listings.get(symbol)

    def ticks(self, symbol: str) -> Ticks | None:
        """Return the trades and quotes behind a symbol's minutes, None without a record of them.

        They reach past the virtual moment; only what is up to it may be shown.
        """
        return self._ticks.get(symbol)

    def listings(self) -> tuple[Listing, ...]:
        """Return every instrument, by symbol."""
        return tuple(self._listings.values())

    def is_synthetic(self, timeframe: str, symbol: str | None = None) -> bool:
        """Say whether bars are invented: minutes are, unless the replayed rows are minutes.

        Args:
            timeframe: Such as "1m" or "1d".
            symbol: Whose bars; all symbols' when None or unknown.
        """
        if timeframe in DAILY_TIMEFRAMES:
            return False
        one = None if symbol is None else self._rows.get(symbol)
        parts = self._rows.values() if one is None else (one,)
        return not all(part.intraday for part in parts)

    def close_ns(self, day: date) -> int:
        """Return the instant at which a session of the NYSE closes."""
        return self._calendar.close_ns(day)

    def session_dates(self) -> Dates:
        """Return the sessions of the replay that have opened, datetime64[D]."""
        return self._dates[: self._opened(self.now_ns)]

    def daily(self, symbol: str) -> Bars:
        """Return the daily bars up to now, stamped as Schwab does (midnight US/Central).

        During a session its bar is there too, built from the minutes so far. [?]
        """
        now = self.now_ns
        dates, raw = self._daily[symbol]
        closed = int(np.searchsorted(dates, self._dates[: self._closed(now)][-1], side="right"))
        ratio = shares_today(dates, self._splits_of(symbol), trading_date(now))
        bars = raw.take(slice(0, closed)).split_adjusted(ratio[:closed])
        if closed < dates.size and now >= self._open_ns[self._row(dates[closed])]:
            running = self.minutes(symbol, dates[closed].item(), dates[closed].item(), False)
            starts = np.full(len(running), raw.start_ns[closed], dtype=np.int64)
            bars = joined([bars, merged(running, starts)])
        return bars

    def minutes(self, symbol: str, first: date, last: date, extended: bool) -> Bars:
        """Return the one-minute bars that have ended by now, stamped by their start.

        Args:
            symbol: Whose bars.
            first: First trading date.
            last: Last trading date, included.
            extended: Whether to add 07:00 to 20:00 New York (to 17:00 after an early close).
        """
        now = self.now_ns
        dates, _ = self._daily[symbol]
        today = np.datetime64(trading_date(now), "D")
        ratio = shares_today(dates, self._splits_of(symbol), today.item())
        low = int(np.searchsorted(dates, np.datetime64(first, "D"), side="left"))
        high = int(np.searchsorted(dates, min(np.datetime64(last, "D"), today), side="right"))
        parts = []
        for row in range(low, high):
            pre, regular, post = self._minutes(symbol, row, float(ratio[row]))
            parts.extend([pre, regular, post] if extended else [regular])
        bars = joined(parts)
        return bars.between(0, now - NS_PER_MINUTE)

    def session_minutes(self, symbol: str, day: date) -> Bars:
        """Return every minute of a trading date, also those ahead of the virtual moment.

        For who plays them tick by tick; nothing else may show them.
        """
        dates, _ = self._daily[symbol]
        row = int(np.searchsorted(dates, np.datetime64(day, "D")))
        if row == dates.size or dates[row] != np.datetime64(day, "D"):
            return no_bars()
        ratio = shares_today(dates, self._splits_of(symbol), day)
        return joined(self._minutes(symbol, row, float(ratio[row])))

    def _first_moment(self, as_of: date | None, from_open: bool) -> int:
        last = self._dates.size - 1
        if as_of is not None:
            last = int(np.searchsorted(self._dates, np.datetime64(as_of, "D"), side="right")) - 1
            if last < 0:
                raise InputError(f"{self.source} starts on {self._dates[0]}, after {as_of}")
        if from_open:
            if last == 0:
                raise InputError(
                    f"{self.source} has no session before {self._dates[0]}, whose close a market "
                    "that opens needs"
                )
            return int(self._open_ns[last])
        return int(self._close_ns[last]) + NS_PER_S

    def _refuse_days_off(self, symbol: str, rows: Rows) -> None:
        known = np.isin(rows.dates, self._dates)
        if not known.all():
            raise InputError(
                f"{symbol} has a row for {rows.dates[~known][0]}, which is no session of the NYSE"
            )

    def _daily_rows(self, rows: Rows) -> tuple[Dates, Bars]:
        bars, dates = rows.bars, rows.dates
        if rows.intraday:
            regular = self._is_regular(rows)
            bars, dates = bars.take(regular), dates[regular]
            bars = merged(bars, schwab_bar_starts(dates, "1d"))
            return local_dates(bars.start_ns, NEW_YORK), bars
        return dates, Bars(
            schwab_bar_starts(dates, "1d"), bars.open, bars.high, bars.low, bars.close, bars.volume
        )

    def _is_regular(self, rows: Rows) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        row = np.searchsorted(self._dates, rows.dates)
        starts = rows.bars.start_ns
        regular: np.ndarray[tuple[int], np.dtype[np.bool_]] = (starts >= self._open_ns[row]) & (
            starts < self._close_ns[row]
        )
        return regular

    def _minutes_of_day(self, symbol: str, row: int, ratio: float) -> tuple[Bars, Bars, Bars]:
        rows = self._rows[symbol]
        dates, raw = self._daily[symbol]
        day: date = dates[row].item()
        place = self._row(dates[row])
        open_ns, close_ns = int(self._open_ns[place]), int(self._close_ns[place])
        if rows.intraday:
            minutes = rows.bars.take(rows.dates == dates[row])
            minutes = minutes.split_adjusted(np.full(len(minutes), ratio))
            return (
                minutes.between(0, open_ns - 1),
                minutes.between(open_ns, close_ns - 1),
                minutes.between(close_ns, 2**62),
            )
        # Shares are shared out after the split, so that the minutes add up to the daily answer.
        volume = int(np.rint(raw.volume[row] * ratio))
        whole = Day(
            float(raw.open[row]),
            float(raw.high[row]),
            float(raw.low[row]),
            float(raw.close[row]),
            volume,
        )
        regular = regular_minutes(
            whole, open_ns, close_ns, generator(self.seed, symbol, day, _REGULAR)
        )
        pre, post = extended_minutes(
            whole, extended_spans(day), generator(self.seed, symbol, day, _EXTENDED)
        )
        return _in_shares(pre, ratio), _in_shares(regular, ratio), _in_shares(post, ratio)

    def _splits_of(self, symbol: str) -> tuple[Split, ...]:
        if not self.adjusted:
            return ()
        return tuple(split for split in self._splits if split.symbol == symbol)

    def _row(self, day: np.datetime64) -> int:
        return int(np.searchsorted(self._dates, day))

    def _closed(self, now: int) -> int:
        return int(np.searchsorted(self._close_ns, now, side="right"))

    def _opened(self, now: int) -> int:
        return int(np.searchsorted(self._open_ns, now, side="right"))


def extended_spans(day: date) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return pre-market and post-market of a session, (start, end) in nanoseconds UTC. [S]

    Args:
        day: A session of the NYSE. After an early close the post-market begins earlier.
    """
    session = calendar("XNYS").session(day)
    first = local_moment_ns(day, PRE_MARKET_OPEN_S, NEW_YORK)
    last = session.close_ns + POST_MARKET // timedelta(seconds=1) * NS_PER_S
    return (first, session.open_ns), (session.close_ns, last)


def _in_shares(bars: Bars, ratio: float) -> Bars:
    return Bars(
        bars.start_ns,
        bars.open / ratio,
        bars.high / ratio,
        bars.low / ratio,
        bars.close / ratio,
        bars.volume,
    )
