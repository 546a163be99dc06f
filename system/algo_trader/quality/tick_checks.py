"""Check updates of level one as they come: a frame at a time, with a short memory by symbol."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from system.algo_trader.market.ticks import NO_TIME, Ticks
from system.algo_trader.quality.tick_rules import REFUSING, TickRule

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_NS_PER_S: Final = 1_000_000_000
_MAD_TO_SIGMA: Final = 1.4826
"""The standard deviation of normal values is so many times their median absolute deviation."""


@dataclass(frozen=True, slots=True)
class TickLimits:
    """Hold the bounds of the rules.

    Attributes:
        largest_price: Prices beyond it, up or down, are refused.
        largest_size: Sizes beyond it are refused.
        future_s: How far the exchange's clock may be ahead of ours, seconds.
        stale_s: How old a quote may be when it arrives, seconds.
        window: Trades of a symbol that the robust band looks back on.
        least: Trades after which the band is drawn for the first time, and then anew.
        spike_sigmas: Half the band's width, in robust standard deviations.
        spike_floor: Half the band's width at least, as a share of the median.
        confirmations: Trades in a row outside of the band after which the price is believed:
            the market has moved.
        constant: Trades in a row at one price that are counted as constant.
    """

    largest_price: float = 10_000_000.0
    largest_size: int = 1_000_000_000
    future_s: float = 5.0
    stale_s: float = 60.0
    window: int = 31
    least: int = 8
    spike_sigmas: float = 12.0
    spike_floor: float = 0.05
    confirmations: int = 3
    constant: int = 200


@dataclass(frozen=True, slots=True)
class CheckedTicks:
    """What a frame holds after its checks.

    Attributes:
        accepted: Rows that may be stored, in their order.
        rejected: Rows that may not.
        rules: The rule that refused each of them, shape of `rejected`.
    """

    accepted: Ticks
    rejected: Ticks
    rules: tuple[TickRule, ...]


class TickChecks:
    """Check frames of ticks and count by rule.

    Args:
        symbols: How many symbols there are.
        limits: The bounds.
        off: Rules that are switched off.

    Attributes:
        counts: How many rows broke each rule, refusing or not.
    """

    def __init__(
        self, symbols: int, limits: TickLimits | None = None, off: Collection[TickRule] = ()
    ) -> None:
        self._limits = limits if limits is not None else TickLimits()
        self._on = frozenset(TickRule) - frozenset(off)
        window = self._limits.window
        self._recent = np.full((symbols, window), np.nan)
        self._seen = [0] * symbols
        self._band: list[tuple[float, float] | None] = [None] * symbols
        self._newest = [math.nan] * symbols
        self._outside = [0] * symbols
        self._same = [0] * symbols
        self._last_said: dict[int, tuple[object, ...]] = {}
        self.counts: Counter[TickRule] = Counter()

    def check(self, ticks: Ticks) -> CheckedTicks:
        """Sort the rows of one frame into accepted and rejected ones."""
        broken: dict[TickRule, Mask] = {
            **self._values(ticks),
            **self._times(ticks),
            TickRule.DUPLICATE: self._repeats(ticks),
        }
        refused = np.full(len(ticks), -1, dtype=np.int64)
        rules = list(TickRule)
        for number, rule in enumerate(rules):
            mask = broken.get(rule)
            if mask is None or rule not in self._on or not mask.any():
                continue
            self.counts[rule] += int(mask.sum())
            if rule in REFUSING:
                refused[mask & (refused < 0)] = number
        self._against_recent(ticks, refused, rules)
        bad = refused >= 0
        if not bad.any():
            return CheckedTicks(ticks, ticks.take(bad), ())
        return CheckedTicks(
            ticks.take(~bad), ticks.take(bad), tuple(rules[number] for number in refused[bad])
        )

    def _values(self, ticks: Ticks) -> dict[TickRule, Mask]:
        limits = self._limits
        prices = np.stack([ticks.bid, ticks.ask, ticks.last])
        sizes = np.stack([ticks.bid_size, ticks.ask_size, ticks.last_size, ticks.volume])
        with np.errstate(invalid="ignore"):
            return {
                TickRule.NO_PRICE: np.isnan(prices).all(axis=0),
                TickRule.PRICE_RANGE: (np.abs(prices) > limits.largest_price).any(axis=0),
                TickRule.SIZE_RANGE: (sizes > limits.largest_size).any(axis=0),
                TickRule.CROSSED: ticks.is_quote & (ticks.bid > ticks.ask),
                TickRule.LOCKED: ticks.is_quote & (ticks.bid == ticks.ask),
            }

    def _times(self, ticks: Ticks) -> dict[TickRule, Mask]:
        limits = self._limits
        newest = np.maximum(
            np.where(ticks.is_quote, ticks.ts_quote, NO_TIME),
            np.where(ticks.is_trade, ticks.ts_trade, NO_TIME),
        )
        known = newest != NO_TIME
        return {
            TickRule.FUTURE_TIME: known
            & (newest > ticks.ts_recv + int(limits.future_s * _NS_PER_S)),
            TickRule.STALE_TIME: known & (newest < ticks.ts_recv - int(limits.stale_s * _NS_PER_S)),
        }

    def _repeats(self, ticks: Ticks) -> Mask:
        """Mark rows that claim to bring something new and say the same as the row before."""
        repeats = np.zeros(len(ticks), dtype=np.bool_)
        columns = (ticks.bid, ticks.ask, ticks.bid_size, ticks.ask_size, ticks.last)
        times = (ticks.last_size, ticks.total, ticks.ts_quote, ticks.ts_trade)
        rows = zip(*(column.tolist() for column in (*columns, *times)), strict=True)
        for number, (symbol, row) in enumerate(zip(ticks.symbol.tolist(), rows, strict=True)):
            # NaN differs from itself: compared as text of the value.
            said = tuple(None if value != value else value for value in row)
            repeats[number] = self._last_said.get(symbol) == said
            self._last_said[symbol] = said
        return repeats & (ticks.is_quote | ticks.is_trade)

    def _against_recent(self, ticks: Ticks, refused: Int64s, rules: list[TickRule]) -> None:
        """Judge trades by the symbol's recent ones, and remember those that are believed."""
        limits = self._limits
        spike = rules.index(TickRule.SPIKE)
        for row in np.flatnonzero(ticks.is_trade & (refused < 0)).tolist():
            symbol, price = int(ticks.symbol[row]), float(ticks.last[row])
            if TickRule.SPIKE in self._on and self._is_spike(symbol, price):
                self._outside[symbol] += 1
                if self._outside[symbol] < limits.confirmations:
                    self.counts[TickRule.SPIKE] += 1
                    refused[row] = spike
                    continue
                # The market has moved: the old prices say nothing about the new ones.
                self._seen[symbol] = 0
                self._band[symbol] = None
            self._outside[symbol] = 0
            self._remember(symbol, price)

    def _is_spike(self, symbol: int, price: float) -> bool:
        band = self._band[symbol]
        return band is not None and not band[0] <= price <= band[1]

    def _remember(self, symbol: int, price: float) -> None:
        limits = self._limits
        seen = self._seen[symbol]
        self._recent[symbol, seen % limits.window] = price
        self._seen[symbol] = seen + 1
        if (seen + 1) % limits.least == 0:
            self._band[symbol] = self._band_of(self._recent[symbol, : min(seen + 1, limits.window)])
        same = price == self._newest[symbol]
        self._newest[symbol] = price
        self._same[symbol] = self._same[symbol] + 1 if same else 0
        if TickRule.CONSTANT in self._on and self._same[symbol] == limits.constant:
            self.counts[TickRule.CONSTANT] += 1

    def _band_of(self, recent: Floats) -> tuple[float, float]:
        """Return the prices between which a trade is believed, from trades of shape (n,)."""
        median = float(np.median(recent))
        spread = _MAD_TO_SIGMA * float(np.median(np.abs(recent - median)))
        half = max(self._limits.spike_sigmas * spread, self._limits.spike_floor * abs(median))
        return median - half, median + half
