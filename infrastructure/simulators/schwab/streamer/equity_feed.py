"""Stream the replayed market's equities: level one, books and minute bars."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import Any, Final

import numpy as np

from infrastructure.exchange.calendars import calendar
from infrastructure.exchange.timeframes import trading_date
from infrastructure.exchange.zones import local_moment_ns
from infrastructure.simulators.schwab.bars import Bars
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.replay_rows import NEW_YORK
from infrastructure.simulators.schwab.snapshot import PRICES_RESET_S, VOLUME_RESET_S, snapshot
from infrastructure.simulators.schwab.streamer.book import book_values
from infrastructure.simulators.schwab.streamer.equity_line import LEVELONE_EQUITIES, EquityLine
from infrastructure.simulators.schwab.streamer.forms import service_forms
from infrastructure.simulators.schwab.streamer.minute_ticks import MinuteTicks, minute_ticks
from infrastructure.simulators.schwab.streamer.sources import Publish
from infrastructure.simulators.schwab.synthesis import generator
from infrastructure.simulators.schwab.ticks import Tick

CHART_EQUITY: Final = "CHART_EQUITY"
BOOKS: Final = {"N": "NYSE_BOOK", "Q": "NASDAQ_BOOK"}
SEVEN_S: Final = 7 * 3_600

_NS_PER_S: Final = 1_000_000_000
_NS_PER_MS: Final = 1_000_000
_NS_PER_MINUTE: Final = 60 * _NS_PER_S
_SECONDS_PART: Final = 2
_CENT: Final = 0.01


class EquityFeed:
    """Play the minutes of a replayed market second by second.

    Args:
        market: The replay; its virtual clock is the stream's time.
        chart_delay_s: Seconds after the end of a minute until its bar is told.
    """

    def __init__(self, market: ReplayMarket, chart_delay_s: float = 3.0) -> None:
        self._market = market
        self._delay_ns = round(chart_delay_s * _NS_PER_S)
        self._keys: set[tuple[str, str]] = set()
        self._lines: dict[str, EquityLine] = {}
        self._played_ns: dict[str, int] = {}
        self._charted_ns: dict[str, int] = {}
        self._ticks = lru_cache(maxsize=64)(self._ticks_of_minute)
        self._minutes = lru_cache(maxsize=64)(market.session_minutes)

    def line(self, symbol: str, now_ns: int) -> EquityLine | None:
        """Return where a symbol stands, None when the market does not trade it."""
        line = self._lines.get(symbol)
        if line is None:
            listing = self._market.listing(symbol)
            now = None if listing is None else snapshot(self._market, symbol)
            if listing is None or now is None:
                return None
            line = self._lines[symbol] = EquityLine(listing, now)
            today = trading_date(now_ns)
            if today != line.day and len(self._minutes(symbol, today)):
                line.begin_day(today)
            # The snapshot has the minutes that ended; the running one is played from its start.
            self._played_ns[symbol] = now_ns - now_ns % _NS_PER_MINUTE - 1
        return line

    def open(self, service: str, key: str, now_ns: int, publish: Publish) -> bool:
        """Publish a key's state; False for other services and symbols."""
        if service not in (LEVELONE_EQUITIES, CHART_EQUITY, *BOOKS.values()):
            return False
        line = self.line(key, now_ns)
        if line is None or service not in (
            LEVELONE_EQUITIES,
            CHART_EQUITY,
            BOOKS.get(line.listing.exchange_code),
        ):
            return False
        self._keys.add((service, key))
        if service == LEVELONE_EQUITIES:
            publish(service, key, line.values(), line.extras())
        elif service == CHART_EQUITY:
            self._open_chart(key, now_ns, publish)
        else:
            publish(service, key, self._book(service, key, line, now_ns))
        return True

    def advance(self, now_ns: int, publish: Publish) -> None:
        """Publish the trades and bars up to a moment."""
        for symbol, line in self._lines.items():
            self._roll(symbol, line, now_ns, publish)
            self._play(symbol, line, now_ns, publish)
        for service, symbol in sorted(self._keys):
            if service == CHART_EQUITY:
                self._chart(symbol, now_ns, publish)

    def _roll(self, symbol: str, line: EquityLine, now_ns: int, publish: Publish) -> None:
        """Let a session's morning begin: prices are reset at 03:30, the volume at 07:28. [S]"""
        day = trading_date(now_ns)
        if day <= line.volume_day or not calendar("XNYS").is_session(day):
            return
        if now_ns < local_moment_ns(day, PRICES_RESET_S, NEW_YORK):
            return
        # What was traded the evening before comes first; nothing trades at night.
        if self._played_ns[symbol] < local_moment_ns(day, 0, NEW_YORK):
            self._play(symbol, line, local_moment_ns(day, 0, NEW_YORK), publish)
        reset = line.reset_prices(day)
        if now_ns >= local_moment_ns(day, VOLUME_RESET_S, NEW_YORK):
            reset = line.reset_volume(day) or reset
        if reset and (LEVELONE_EQUITIES, symbol) in self._keys:
            publish(LEVELONE_EQUITIES, symbol, line.values())

    def _play(self, symbol: str, line: EquityLine, now_ns: int, publish: Publish) -> None:
        played = self._played_ns[symbol]
        recorded = self._market.ticks(symbol)
        if recorded is not None:
            self._play_recorded(symbol, line, recorded.between(played, now_ns), publish)
            self._played_ns[symbol] = now_ns
            return
        minute = played + 1 - (played + 1) % _NS_PER_MINUTE
        is_told = (LEVELONE_EQUITIES, symbol) in self._keys
        book = BOOKS.get(line.listing.exchange_code, "")
        has_book = (book, symbol) in self._keys
        while minute <= now_ns:
            ticks, regular, day = self._ticks(symbol, minute)
            if ticks is not None:
                if day != line.day:
                    line.begin_day(day)
                first = max(0, -(-(played + 1 - minute) // _NS_PER_S))
                last = min(59, (now_ns - minute) // _NS_PER_S)
                for second in range(first, last + 1):
                    moment = minute + second * _NS_PER_S
                    line.trade(
                        float(ticks.prices[second]), int(ticks.volumes[second]), moment, regular
                    )
                    if is_told:
                        publish(LEVELONE_EQUITIES, symbol, line.values())
                    if has_book:
                        publish(book, symbol, self._book(book, symbol, line, moment))
            minute += _NS_PER_MINUTE
        self._played_ns[symbol] = now_ns

    def _play_recorded(
        self, symbol: str, line: EquityLine, ticks: list[Tick], publish: Publish
    ) -> None:
        """Play the file's own trades and quotes instead of invented seconds."""
        book = BOOKS.get(line.listing.exchange_code, "")
        for tick in ticks:
            day = trading_date(tick.ns)
            if day != line.day and len(self._minutes(symbol, day)):
                line.begin_day(day)
            line.quote(tick)
            if tick.size and tick.last is not None:
                session = calendar("XNYS").session(day)
                regular = session.open_ns <= tick.ns < session.close_ns
                line.trade(tick.last, tick.size, tick.ns, regular)
            if (LEVELONE_EQUITIES, symbol) in self._keys:
                publish(LEVELONE_EQUITIES, symbol, line.values())
            if (book, symbol) in self._keys:
                publish(book, symbol, self._book(book, symbol, line, tick.ns))

    def _ticks_of_minute(
        self, symbol: str, minute_ns: int
    ) -> tuple[MinuteTicks | None, bool, date]:
        day = trading_date(minute_ns)
        bars = self._minutes(symbol, day)
        row = int(np.searchsorted(bars.start_ns, minute_ns))
        if row >= len(bars) or int(bars.start_ns[row]) != minute_ns:
            return None, False, day
        session = calendar("XNYS").session(day)
        part = _SECONDS_PART + minute_ns // _NS_PER_MINUTE
        ticks = minute_ticks(bars, row, generator(self._market.seed, symbol, day, part))
        return ticks, session.open_ns <= minute_ns < session.close_ns, day

    def _book(self, service: str, key: str, line: EquityLine, now_ns: int) -> dict[str, Any]:
        midnight = local_moment_ns(trading_date(now_ns), 0, NEW_YORK)
        return book_values(
            service,
            key,
            line.last,
            _CENT,
            now_ns // _NS_PER_MS,
            midnight // _NS_PER_MS,
            self._market.seed,
        )

    def _open_chart(self, symbol: str, now_ns: int, publish: Publish) -> None:
        """Tell the latest completed bar. [O]"""
        day: date = self._market.last_session
        bars = [self._minutes(symbol, each) for each in (day, trading_date(now_ns))]
        for part in reversed(bars):
            ended = part.between(0, now_ns - _NS_PER_MINUTE)
            if len(ended):
                publish(CHART_EQUITY, symbol, bar_values(ended, len(ended) - 1))
                break
        self._charted_ns[symbol] = now_ns - _NS_PER_MINUTE

    def _chart(self, symbol: str, now_ns: int, publish: Publish) -> None:
        since = self._charted_ns[symbol]
        until = now_ns - _NS_PER_MINUTE - self._delay_ns
        if until <= since:
            return
        self._charted_ns[symbol] = until
        day = trading_date(since)
        last_day = trading_date(until)
        for each in (day,) if day == last_day else (day, last_day):
            bars = self._minutes(symbol, each).between(since + 1, until)
            for row in range(len(bars)):
                publish(CHART_EQUITY, symbol, bar_values(bars, row))


def bar_values(bars: Bars, row: int) -> dict[str, Any]:
    """Return one minute by the numbers that the wire has: sequence first. [O]

    The sequence is minutes since 07:00 New York [D], the day is counted from 1970-01-01. [O]
    """
    start = int(bars.start_ns[row])
    day = trading_date(start)
    seven = local_moment_ns(day, SEVEN_S, NEW_YORK)
    return service_forms()[CHART_EQUITY].numbered(
        {
            "sequence": (start - seven) // _NS_PER_MINUTE,
            "openPrice": float(bars.open[row]),
            "highPrice": float(bars.high[row]),
            "lowPrice": float(bars.low[row]),
            "closePrice": float(bars.close[row]),
            "volume": float(bars.volume[row]),
            "chartTime": start // _NS_PER_MS,
            "chartDay": (day - date(1970, 1, 1)).days,
        }
    )
