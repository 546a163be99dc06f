"""Check updates of level one as they come: a frame at a time, with a short memory by symbol."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from system.algo_trader.market.ticks import Ticks
from system.algo_trader.quality.tick_kernels import NO_RULE, recent_kernel, row_kernel
from system.algo_trader.quality.tick_rules import REFUSING, TickRule

Int64s = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_NS_PER_S: Final = 1_000_000_000
_NONE: Final = Ticks.of_rows([])
_PRICES: Final = 3
_COUNTS: Final = 6
"""How much an update says, beside the moment of its arrival."""


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
        self._seen = np.zeros(symbols, dtype=np.int64)
        self._band = np.full((symbols, 2), np.nan)
        self._outside = np.zeros(symbols, dtype=np.int64)
        self._same = np.zeros(symbols, dtype=np.int64)
        self._said_prices = np.zeros((symbols, _PRICES))
        self._said_counts = np.zeros((symbols, _COUNTS), dtype=np.int64)
        self._has_said = np.zeros(symbols, dtype=np.bool_)
        self.counts: Counter[TickRule] = Counter()

    def check(self, ticks: Ticks) -> CheckedTicks:
        """Sort the rows of one frame into accepted and rejected ones."""
        limits = self._limits
        rules = list(TickRule)
        broken = np.empty(len(ticks), dtype=np.int64)
        every = row_kernel(
            ticks.symbol,
            (ticks.bid, ticks.ask, ticks.last),
            (ticks.bid_size, ticks.ask_size, ticks.last_size, ticks.volume),
            ticks.total,
            (ticks.ts_quote, ticks.ts_trade, ticks.ts_recv),
            ticks.is_quote,
            ticks.is_trade,
            limits.largest_price,
            limits.largest_size,
            int(limits.future_s * _NS_PER_S),
            int(limits.stale_s * _NS_PER_S),
            self._said_prices,
            self._said_counts,
            self._has_said,
            broken,
        )
        refused = np.full(len(ticks), NO_RULE, dtype=np.int64)
        for number, rule in enumerate(rules):
            if not every >> number & 1 or rule not in self._on:
                continue
            mask = (broken >> number & 1).astype(np.bool_)
            self.counts[rule] += int(mask.sum())
            if rule in REFUSING:
                refused[mask & (refused == NO_RULE)] = number
        self._against_recent(ticks, refused, rules)
        bad = refused != NO_RULE
        if not bad.any():
            return CheckedTicks(ticks, _NONE, ())
        return CheckedTicks(
            ticks.take(~bad), ticks.take(bad), tuple(rules[number] for number in refused[bad])
        )

    def _against_recent(self, ticks: Ticks, refused: Int64s, rules: list[TickRule]) -> None:
        """Judge trades by the symbol's recent ones, and remember those that are believed."""
        limits = self._limits
        spikes, constants = recent_kernel(
            ticks.symbol,
            ticks.last,
            ticks.is_trade,
            refused,
            rules.index(TickRule.SPIKE),
            TickRule.SPIKE in self._on,
            limits.least,
            limits.spike_sigmas,
            limits.spike_floor,
            limits.confirmations,
            limits.constant,
            self._recent,
            self._seen,
            self._band,
            self._outside,
            self._same,
        )
        if spikes:
            self.counts[TickRule.SPIKE] += spikes
        if constants and TickRule.CONSTANT in self._on:
            self.counts[TickRule.CONSTANT] += constants
