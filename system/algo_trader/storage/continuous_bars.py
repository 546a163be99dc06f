"""Bars of a continuous future out of its contracts' own: stitched, and adjusted when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from infrastructure.clock import rfc3339
from infrastructure.errors import NoDataError
from infrastructure.exchange.calendars import calendar, date_of
from infrastructure.exchange.continuous import (
    ContinuousFuture,
    Leg,
    RollRule,
    calendar_legs,
    contracts_between,
    figure_legs,
)
from infrastructure.exchange.contracts import spec
from infrastructure.exchange.symbology import parse_symbol
from infrastructure.exchange.symbols import Future
from infrastructure.exchange.zones import CHICAGO, local_dates, local_to_ns
from system.algo_trader.market.bars import PRICES, Bars
from system.algo_trader.market.timeframe import Session, Timeframe
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.records import ROLL_SCHEMA, ROLLS, bars_dataset

Floats = npt.NDArray[np.float64]
_BEFORE: Final = timedelta(days=10)
"""A roll is decided, and its gap measured, by sessions before it."""
_DERIVED: Final = ("first", "until", "end")
"""What is not kept of a roll: it follows from its start and from the next one's."""


class RollAdjust(StrEnum):
    """Name what is done about the price gaps of rolls; the newest contract's prices stay."""

    NONE = "none"
    DIFFERENCE = "difference"
    RATIO = "ratio"


@dataclass(frozen=True, slots=True)
class Roll:
    """Say which contract counts from when, and what it was worth against the one before it.

    Attributes:
        contract: As it is stored, such as /ESZ26.
        first: The first trading date, as 2026-09-19.
        until: The date before which the last one lies.
        start: The first instant of that date's session, nanoseconds UTC.
        end: That of the first session from `until` on.
        close: The contract's last daily close before it; None where there is none.
        close_before: That of the contract before it, of the same session; None for the first.
    """

    contract: str
    first: str
    until: str
    start: int
    end: int
    close: float | None
    close_before: float | None

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values for JSON output."""
        return {**asdict(self), "start": rfc3339(self.start), "end": rfc3339(self.end)}


@dataclass(frozen=True, slots=True)
class Continuous:
    """Hold the bars of a continuous future.

    Attributes:
        bars: Under its own symbol, by rising start.
        contracts: The contract of each bar, (n,).
        rolls: The contracts that occur, in their order.
    """

    bars: Bars
    contracts: tuple[str, ...]
    rolls: tuple[Roll, ...]


class ContinuousBars:
    """Read continuous futures out of an archive; nothing adjusted is ever stored.

    Args:
        archive: With the contracts' own bars.
        session: The hours that count.
    """

    def __init__(self, archive: Archive, session: Session = Session.RTH) -> None:
        self._archive = archive
        self._session = session

    def rolls(self, future: ContinuousFuture, first: date, last: date) -> list[Roll]:
        """Return the roll table between two trading dates, both included.

        Raises:
            NoDataError: If the rule needs figures that are not stored.
        """
        hours = calendar(spec(future.root).calendar)
        legs = self._legs(future, first, last)
        found = []
        for place, leg in enumerate(legs):
            name = leg.contract.to_schwab()
            before = legs[place - 1].contract.to_schwab() if place else None
            start, end = (hours.sessions(day, day + _BEFORE)[0].all[0][0]
                          for day in (leg.first, leg.until))  # fmt: skip
            closes = self._closes(name, before, _midnight(leg.first))
            found.append(Roll(name, str(leg.first), str(leg.until), start, end, *closes))
        return found

    def contract_on(self, future: ContinuousFuture, day: date) -> str:
        """Return the contract that stands for a continuous future on a trading date.

        Raises:
            NoDataError: If the rule needs figures that are not stored.
        """
        legs = self._legs(future, day, day)
        if not legs:
            raise NoDataError(
                f"which contract {future} means on {day} is not known: no daily volume of the "
                "session before is stored",
                next_step=f"Bring it in with `store import`, or use {future.root}.c.{future.rank}.",
            )
        return legs[0].contract.to_schwab()

    def bars(
        self,
        future: ContinuousFuture,
        timeframe: Timeframe,
        adjust: RollAdjust = RollAdjust.NONE,
        *,
        start_ns: int | None = None,
        end_ns: int | None = None,
    ) -> Continuous:
        """Return the stitched bars of a span.

        Args:
            future: What is asked for.
            timeframe: The span of a bar.
            adjust: What is done about the gaps of rolls.
            start_ns: The first start, nanoseconds UTC; None for the beginning of what is stored.
            end_ns: The instant before which bars start; None for the end of it.

        Raises:
            NoDataError: If there are no bars, or a gap cannot be measured that has to be.
        """
        stored = [span for span in self._archive.spans()
                  if span.dataset == bars_dataset(timeframe)
                  and self._is_of(span.symbol, future.root)]  # fmt: skip
        if not stored:
            raise NoDataError(
                f"no {timeframe} bars of any contract of {future.root} are stored",
                next_step="Bring some in with `store import`, or stream them.",
            )
        low = min(span.first_ns for span in stored) if start_ns is None else start_ns
        high = max(span.last_ns for span in stored) + 1 if end_ns is None else end_ns
        rolls = self.rolls(future, date_of(low), date_of(high) + timedelta(days=1))
        found = [(place, mine) for place, roll in enumerate(rolls)
                 if len(mine := self._of_leg(roll, timeframe, low, high))]  # fmt: skip
        if not found:
            raise NoDataError(f"no {timeframe} bars of {future} are stored in that span")
        # A gap counts too if it is one to a contract of which nothing else is stored.
        used = rolls[found[0][0] : found[-1][0] + 1]
        shifts = _shifts(future, used, adjust)
        parts = [(rolls[place], shifts[place - found[0][0]], mine) for place, mine in found]
        bars = [_moved(mine, adjust, shift, str(future)) for _, shift, mine in parts]
        names = [roll.contract for roll, _, mine in parts for _ in range(len(mine))]
        return Continuous(Bars.concat(bars), tuple(names), tuple(used))

    def record(self, future: ContinuousFuture, rolls: Sequence[Roll], now_ns: int) -> int:
        """Keep a roll table in the archive; return how many of its rows are new."""
        known = {
            tuple(row[name] for name in ("symbol", "contract", "start", "close", "close_before"))
            for row in self._archive.records(ROLLS, str(future)).to_pylist()
        }
        rows = [
            {"symbol": str(future), "recorded_at": now_ns,
             **{k: v for k, v in asdict(roll).items() if k not in _DERIVED}}
            for roll in rolls
            if (str(future), roll.contract, roll.start, roll.close, roll.close_before) not in known
        ]  # fmt: skip
        if rows:
            table = pa.Table.from_pylist(rows, ROLL_SCHEMA)
            self._archive.append_records(ROLLS, table, f"rolls/{future}")
        return len(rows)

    def _legs(self, future: ContinuousFuture, first: date, last: date) -> list[Leg]:
        if future.rule is RollRule.CALENDAR:
            return calendar_legs(future, first, last)
        if future.rule is RollRule.OPEN_INTEREST:
            raise NoDataError(
                f"{future} needs the open interest of each day, and bars carry none: the "
                "exchange's daily settlements or a feed of statistics would provide it",
                next_step=f"Use {future.root}.v.{future.rank} by volume or "
                f"{future.root}.c.{future.rank} by the calendar.",
            )
        hours = calendar(spec(future.root).calendar)
        days = hours.session_dates(first - _BEFORE, last)
        stored = {
            symbol
            for symbol, timeframe in self._archive.bar_series()
            if timeframe is Timeframe.D1 and self._is_of(symbol, future.root)
        }
        if not stored:
            raise NoDataError(
                f"{future} needs the daily volume of each contract of {future.root}, and no daily "
                "bars of any are stored",
                next_step=f"Bring them in with `store import`, or use {future.root}.c.0.",
            )
        # Ranks count contracts of which nothing is stored too.
        unknown = np.full(len(days), np.nan)
        figures = {
            each: self._volumes(name, days) if (name := each.to_schwab()) in stored else unknown
            for each in contracts_between(future.root, first - _BEFORE, last)
        }
        legs = figure_legs(future, days, figures)
        begin = np.datetime64(first)
        return [
            Leg(leg.contract, max(leg.first, first), leg.until)
            for leg in legs
            if np.datetime64(leg.until) > begin
        ]

    def _volumes(self, symbol: str, days: npt.NDArray[np.datetime64]) -> Floats:
        bars = self._archive.winners(symbol, Timeframe.D1, session=self._session)
        row = {str(day): place for place, day in enumerate(days)}
        volumes = np.full(len(days), np.nan)
        stamps = local_dates(bars.start, CHICAGO).astype("datetime64[D]")
        for day, volume in zip(stamps, bars.floats("volume"), strict=True):
            if str(day) in row:
                volumes[row[str(day)]] = volume
        return volumes

    def _of_leg(self, roll: Roll, timeframe: Timeframe, low: int, high: int) -> Bars:
        """Return the bars of a contract while it counts; a day's stands at its date's midnight."""
        begin, end = roll.start, roll.end
        if not timeframe.is_intraday:
            begin, end = (_midnight(date.fromisoformat(each)) for each in (roll.first, roll.until))
        return self._archive.winners(
            roll.contract, timeframe, session=self._session,
            start_ns=max(low, begin), end_ns=min(end, high),
        )  # fmt: skip

    def _closes(
        self, contract: str, before: str | None, start_ns: int
    ) -> tuple[float | None, float | None]:
        """Return the last daily closes before an instant that both contracts have."""
        if before is None:
            return None, None
        since = start_ns - int(_BEFORE.total_seconds()) * 10**9
        new, old = (
            self._archive.winners(
                name, Timeframe.D1, session=self._session, start_ns=since, end_ns=start_ns
            )
            for name in (contract, before)
        )
        both = np.intersect1d(new.start, old.start)
        if not len(both):
            return None, None
        values = [
            float(bars.where(bars.start == both[-1]).floats("close")[0]) for bars in (new, old)
        ]
        return values[0], values[1]

    @staticmethod
    def _is_of(symbol: str, root: str) -> bool:
        if not symbol.startswith(f"/{root}"):
            return False
        parsed = parse_symbol(symbol)
        return isinstance(parsed, Future) and parsed.root == root


def _midnight(day: date) -> int:
    """Return the instant at which a daily bar of a trading date is stamped, nanoseconds UTC."""
    return int(local_to_ns(np.array([day], "datetime64[D]"), 0, CHICAGO)[0])


def _shifts(future: ContinuousFuture, rolls: Sequence[Roll], adjust: RollAdjust) -> list[float]:
    """Return what the prices of each contract are moved by, the last one's by nothing."""
    neutral = 1.0 if adjust is RollAdjust.RATIO else 0.0
    shifts = [neutral]
    for roll in reversed(rolls[1:]):
        if adjust is RollAdjust.NONE:
            shifts.append(neutral)
            continue
        if roll.close is None or roll.close_before is None:
            raise NoDataError(
                f"{future} cannot be adjusted: the contracts on either side of the roll to "
                f"{roll.contract} share no daily close before {roll.first}",
                next_step="Store their daily bars, or ask for --adjust none.",
            )
        if adjust is RollAdjust.RATIO:
            shifts.append(shifts[-1] * roll.close / roll.close_before)
        else:
            shifts.append(shifts[-1] + roll.close - roll.close_before)
    return shifts[::-1]


def _moved(bars: Bars, adjust: RollAdjust, shift: float, symbol: str) -> Bars:
    columns: dict[str, Any] = {"symbol": [symbol] * len(bars)}
    if adjust is not RollAdjust.NONE:
        for name in PRICES:
            prices = bars.floats(name)
            moved = prices * shift if adjust is RollAdjust.RATIO else prices + shift
            columns[name] = pa.array(moved, from_pandas=True)
    return bars.replace(**columns)
