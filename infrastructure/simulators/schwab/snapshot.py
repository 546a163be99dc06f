"""One symbol's standing at the virtual moment: what quotes and fundamentals are made of."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from infrastructure.exchange.calendars import calendar
from infrastructure.exchange.timeframes import trading_date
from infrastructure.exchange.zones import local_moment_ns
from infrastructure.simulators.schwab.bars import Bars
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.replay_rows import NEW_YORK
from infrastructure.simulators.schwab.synthesis import NS_PER_MINUTE
from infrastructure.simulators.schwab.ticks import Tick, Ticks

YEAR: Final = timedelta(days=365)
# Seconds after midnight New York at which a new day's prices and volume begin. [S]
PRICES_RESET_S: Final = 3 * 3_600 + 30 * 60
VOLUME_RESET_S: Final = 7 * 3_600 + 28 * 60
_NS_PER_DAY: Final = 86_400 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Prices of one symbol, in today's shares.

    Attributes:
        open: The last session's (or the running one's) first price; so are `high`, `low`.
        last: The last price of that session, or of extended hours after it.
        last_ns: When that was, nanoseconds UTC.
        regular_last: The last price of the session itself.
        regular_last_ns: When that was.
        previous_close: The close of the session before, None on the first day.
        year_high: Highest price of 52 weeks; so is `year_low` the lowest.
        volumes: Daily volumes of up to a year, oldest first.
        extended: Minutes of extended hours since the session's close, without a row when none.
        tick: The recorded bid, offer and trade behind it, None without a record of them.
    """

    open: float
    high: float
    low: float
    last: float
    last_ns: int
    regular_last: float
    regular_last_ns: int
    previous_close: float | None
    year_high: float
    year_low: float
    volume: int
    volumes: tuple[int, ...]
    extended: Bars
    tick: Tick | None = None

    def average_volume(self, sessions: int) -> float:
        """Return the mean daily volume of the last sessions."""
        part = self.volumes[-sessions:]
        return sum(part) / len(part)


def snapshot(market: ReplayMarket, symbol: str) -> Snapshot | None:
    """Return where a symbol stands, None before its first session.

    Args:
        market: The replay.
        symbol: One of its symbols.
    """
    daily = market.daily(symbol)
    if len(daily) == 0:
        return None
    now = market.now_ns
    day = trading_date(int(daily.start_ns[-1]))
    close_ns = market.close_ns(day)
    regular_last_ns = min(now, close_ns)
    after = market.minutes(symbol, day, market.market_date, True).between(close_ns, now)
    year_ns = YEAR // timedelta(days=1) * _NS_PER_DAY
    year = daily.between(int(daily.start_ns[-1]) - year_ns, now)
    regular_last = float(daily.close[-1])
    has_after = len(after) > 0
    found = Snapshot(
        open=float(daily.open[-1]),
        high=float(daily.high[-1]),
        low=float(daily.low[-1]),
        last=float(after.close[-1]) if has_after else regular_last,
        last_ns=int(after.start_ns[-1]) + NS_PER_MINUTE if has_after else regular_last_ns,
        regular_last=regular_last,
        regular_last_ns=regular_last_ns,
        previous_close=float(daily.close[-2]) if len(daily) > 1 else None,
        year_high=float(year.high.max()),
        year_low=float(year.low.min()),
        volume=int(daily.volume[-1]),
        volumes=tuple(year.volume.tolist()),
        extended=after,
    )
    found = _in_the_morning(found, day, market.market_date, now)
    ticks = market.ticks(symbol)
    return found if ticks is None else _with_ticks(found, ticks, now, close_ns)


def _in_the_morning(found: Snapshot, day: date, today: date, now: int) -> Snapshot:
    """Forget yesterday before today's open: its prices at 03:30, its volume at 07:28. [S]"""
    if today <= day or not calendar("XNYS").is_session(today):
        return found
    if now >= local_moment_ns(today, PRICES_RESET_S, NEW_YORK):
        base = found.regular_last
        found = replace(found, open=0.0, high=0.0, low=0.0, previous_close=base)
    if now >= local_moment_ns(today, VOLUME_RESET_S, NEW_YORK):
        found = replace(found, volume=0)
    return found


def _with_ticks(found: Snapshot, ticks: Ticks, now: int, close_ns: int) -> Snapshot:
    """Add the trades of the running minute, which no bar has yet, and the newest quote."""
    tick = ticks.at(now)
    minute = now - now % NS_PER_MINUTE
    trades = [each for each in ticks.between(minute - 1, now) if each.size and each.last]
    if not trades or now >= close_ns:
        return replace(found, tick=tick)
    prices = [each.last for each in trades if each.last is not None]
    return replace(
        found,
        high=max(found.high, *prices),
        low=min(found.low, *prices),
        last=prices[-1],
        last_ns=trades[-1].ns,
        regular_last=prices[-1],
        regular_last_ns=trades[-1].ns,
        year_high=max(found.year_high, *prices),
        year_low=min(found.year_low, *prices),
        volume=found.volume + sum(each.size for each in trades),
        tick=tick,
    )
