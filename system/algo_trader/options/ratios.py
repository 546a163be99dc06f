"""What a chain says about demand and expected movement: put/call, straddles, skew, terms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from system.algo_trader.options.black import Floats
from system.algo_trader.options.chain import Chain
from system.algo_trader.options.surface import Surface

WING_DELTA: Final = 0.25
"""Skew compares the volatilities of options with this delta."""


class Ratio(NamedTuple):
    """A ratio, or the reason why there is none."""

    value: float | None
    reason: str | None


def put_call_ratio(chain: Chain, by: Floats, counted: str) -> Ratio:
    """Return puts over calls.

    Args:
        chain: Tells calls from puts [n].
        by: What is counted, such as volume or open interest [n].
        counted: Its name for the reason.
    """
    known = np.where(np.isfinite(by), by, 0.0)
    calls = float(known[chain.is_call].sum())
    puts = float(known[~chain.is_call].sum())
    if calls == 0:
        return Ratio(None, f"the {counted} of calls is 0")
    return Ratio(puts / calls, None)


@dataclass(frozen=True, slots=True)
class TermPoint:
    """Say what one expiry expects; None where its quotes do not tell.

    Attributes:
        settles_ns: The expiry, nanoseconds UTC.
        years: Years to settlement.
        forward: Dollars.
        atm_volatility: Volatility at the forward, between its neighbouring strikes.
        expected_move: One standard deviation in dollars: forward * volatility * sqrt(years).
        straddle: Middle of call and put at the strike nearest the forward, in dollars.
        put_wing: Volatility of the put with a delta of -0.25.
        call_wing: Volatility of the call with a delta of 0.25.
    """

    settles_ns: int
    years: float
    forward: float
    atm_volatility: float | None
    expected_move: float | None
    straddle: float | None
    put_wing: float | None
    call_wing: float | None

    @property
    def skew(self) -> float | None:
        """Put wing less call wing: above 0 where protection costs more than upside."""
        if self.put_wing is None or self.call_wing is None:
            return None
        return self.put_wing - self.call_wing


def term_structure(surface: Surface) -> tuple[TermPoint, ...]:
    """Return one point an expiry, the next one first."""
    settles = surface.chain.settles_ns
    moments = surface.terms.settles_ns
    starts = np.searchsorted(settles, moments, side="left")
    ends = np.searchsorted(settles, moments, side="right")
    mid = surface.chain.mid
    return tuple(
        _point(surface, mid, at, slice(int(start), int(end)))
        for at, (start, end) in enumerate(zip(starts, ends, strict=True))
    )


def _point(surface: Surface, mid: Floats, at: int, here: slice) -> TermPoint:
    terms = surface.terms
    forward, years = float(terms.forward[at]), float(terms.years[at])
    strike = surface.chain.strike[here]
    call = surface.chain.is_call[here]
    sigma = surface.volatility[here]
    delta = surface.greeks.delta[here]
    known = np.isfinite(sigma)
    strikes, first = np.unique(strike[known], return_index=True)
    atm = _between(strikes, sigma[known][first], forward)
    otm_call = known & call & (strike >= forward)
    otm_put = known & ~call & (strike <= forward)
    # Call deltas fall with the strike and put deltas grow in size: both turned to ascend.
    call_wing = _between(delta[otm_call][::-1], sigma[otm_call][::-1], WING_DELTA)
    put_wing = _between(-delta[otm_put], sigma[otm_put], WING_DELTA)
    return TermPoint(
        settles_ns=int(terms.settles_ns[at]),
        years=years,
        forward=forward,
        atm_volatility=atm,
        expected_move=None if atm is None else forward * atm * years**0.5,
        straddle=_straddle(strike, mid[here], forward),
        put_wing=put_wing,
        call_wing=call_wing,
    )


def _between(x: Floats, y: Floats, at: float) -> float | None:
    """Read y at one x between known points; None outside of them."""
    order = np.argsort(x, kind="stable")
    if order.size == 0 or not x[order[0]] <= at <= x[order[-1]]:
        return None
    return float(np.interp(at, x[order], y[order]))


def _straddle(strike: Floats, mid: Floats, forward: float) -> float | None:
    pairs = np.flatnonzero(
        (strike[1:] == strike[:-1]) & np.isfinite(mid[1:]) & np.isfinite(mid[:-1])
    )
    if pairs.size == 0:
        return None
    nearest = pairs[np.argmin(np.abs(strike[pairs] - forward))]
    return float(mid[nearest] + mid[nearest + 1])
