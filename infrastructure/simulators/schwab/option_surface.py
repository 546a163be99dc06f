"""Invent option chains: expirations, strikes and prices out of a seeded volatility surface."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil, floor, log, sqrt, tanh
from typing import Final, Literal

from infrastructure.exchange.business_days import add_months
from infrastructure.exchange.calendars import calendar
from infrastructure.exchange.option_expiry import monthly_expiry
from infrastructure.exchange.symbols import Option
from infrastructure.simulators.schwab.black_scholes import Value, value
from infrastructure.simulators.schwab.synthesis import generator

NS_PER_YEAR: Final = 365 * 86_400 * 1_000_000_000
RATE: Final = 0.02
WEEKS, MONTHS = 5, 8

_SHORTEST_YEARS: Final = 1 / (365 * 24 * 60)
_PART: Final = 7
_REACH: Final = 0.35
_WIDEST: Final = 4.0


@dataclass(frozen=True, slots=True)
class Contract:
    """One option as the market shows it; None is what is not known.

    Attributes:
        option: Which.
        bid: Dollars for one share; so is `ask`, and so is `last`.
        vol: Implied volatility, 0.2 for 20 %.
        value: Its model's price and Greeks.
        volume: Contracts of the day.
        open_interest: Open contracts.
    """

    option: Option
    bid: float
    ask: float
    last: float | None
    bid_size: int
    ask_size: int
    vol: float | None
    value: Value | None
    volume: int
    open_interest: int


class Surface:
    """The volatility of one underlying over strikes and expirations.

    A level out of the seed, a skew to low strikes and a smile, both flattening with the square
    root of time. Options are valued as European ones, also where they are American. [?]

    Args:
        symbol: Whose.
        seed: The market's.
    """

    def __init__(self, symbol: str, seed: int) -> None:
        draws = generator(seed, symbol, date(2000, 1, 1), _PART).random(3)
        self._level = 0.18 + 0.17 * float(draws[0])
        self._skew = 0.05 + 0.05 * float(draws[1])
        self._smile = 0.01 + 0.02 * float(draws[2])

    def vol(self, spot: float, strike: float, years: float) -> float:
        """Return the yearly volatility of a strike."""
        distance = log(strike / spot) / (self._level * sqrt(max(years, 7 / 365)))
        # Bounded without a kink: a kink in the smile would be an arbitrage between strikes.
        distance = _WIDEST * tanh(distance / _WIDEST)
        return self._level * (1 - self._skew * distance + self._smile * distance * distance)


@functools.lru_cache(maxsize=64)
def expirations(today: date) -> tuple[tuple[date, Literal["W", "M", "Q"]], ...]:
    """Return the dates on which options listed on a date expire, with Schwab's letter.

    Args:
        today: Weeklies for five Fridays, monthlies for eight months.
    """
    book = calendar("XNYS")
    found: dict[date, Literal["W", "M", "Q"]] = {}
    friday = today + timedelta(days=(4 - today.weekday()) % 7)
    for week in range(WEEKS):
        day = friday + timedelta(weeks=week)
        found[day if book.is_session(day) else book.previous_session(day).date] = "W"
    for ahead in range(MONTHS):
        day = monthly_expiry(*add_months(today.year, today.month, ahead))
        found[day] = "M"
    return tuple(sorted((day, kind) for day, kind in found.items() if day >= today))


def strikes(spot: float) -> list[float]:
    """Return the listed strikes around a price: about a third of it to both sides."""
    step = next((s for top, s in ((25, 0.5), (100, 1.0), (250, 2.5), (500, 5.0)) if spot < top), 10)
    first, last = ceil(spot * (1 - _REACH) / step), floor(spot * (1 + _REACH) / step)
    return [number * step for number in range(max(first, 1), last + 1)]


def quoted(
    option: Option, surface: Surface, spot: float, now_ns: int, end_ns: int, seed: int
) -> Contract:
    """Quote one option around its model value: bid below it, ask above it, in whole ticks."""
    years = max((end_ns - now_ns) / NS_PER_YEAR, _SHORTEST_YEARS)
    strike = float(option.strike)
    vol = surface.vol(spot, strike, years)
    worth = value(option.right == "C", spot, strike, years, RATE, 0.0, vol)
    tick = 0.01 if worth.price < 3 else 0.05
    half = max(tick, worth.price * 0.01) / 2
    bid = max(floor((worth.price - half) / tick + 1e-9), 0) * tick
    ask = ceil((worth.price + half) / tick - 1e-9) * tick
    draws = generator(seed, option.to_osi(), date(2000, 1, 1), _PART).random(4)
    near = max(0.02, 1 - abs(log(strike / spot)) * 6)
    return Contract(
        option,
        round(bid, 2),
        round(ask, 2),
        round((bid + ask) / 2, 2) if worth.price >= tick else None,
        10 + int(90 * draws[0]),
        10 + int(90 * draws[1]),
        vol,
        worth,
        int(2_000 * draws[2] * near),
        int(20_000 * draws[3] * near),
    )
