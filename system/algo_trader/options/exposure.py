"""What dealers hold: gamma, delta, vanna and charm in dollars, by strike and by expiry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from infrastructure.errors import InputError
from system.algo_trader.options.black import Flags, Floats
from system.algo_trader.options.chain import Chain, Instants, new_york_dates
from system.algo_trader.options.surface import Surface

Weighting = Literal["open_interest", "volume"]
Measure = Literal["gex", "dex", "vanna", "charm"]

MEASURES: Final[tuple[Measure, ...]] = ("gex", "dex", "vanna", "charm")
UNITS: Final[dict[Measure, str]] = {
    "gex": "dollars of delta per 1 % move of the underlying",
    "dex": "dollars of value per 1 % move of the underlying",
    "vanna": "dollars of delta per point of volatility",
    "charm": "dollars of delta per calendar day",
}
BUCKETS: Final[tuple[tuple[str, int], ...]] = (
    ("0dte", 0),
    ("1-7d", 7),
    ("8-30d", 30),
    ("31-90d", 90),
    ("over 90d", 10**6),
)
"""Names and the most calendar days to settlement, counted in New York."""


@dataclass(frozen=True, slots=True)
class SignConvention:
    """Say which side dealers are assumed to hold.

    Attributes:
        name: How the convention is asked for.
        call: +1 where dealers own the calls, -1 where they are short of them.
        put: The same for puts.
    """

    name: str
    call: float
    put: float


CALLS_PLUS_PUTS_MINUS: Final = SignConvention("calls-plus-puts-minus", 1.0, -1.0)
"""Customers sell calls and buy puts: the usual assumption for indices."""
DEALER_SHORT_BOTH: Final = SignConvention("dealer-short-both", -1.0, -1.0)
"""Customers buy both, as SpotGamma's Equity Hub assumes for stocks."""
CONVENTIONS: Final = {c.name: c for c in (CALLS_PLUS_PUTS_MINUS, DEALER_SHORT_BOTH)}


def sign_convention(name: str) -> SignConvention:
    """Return a convention by name, or a custom one written as `CALL,PUT` such as `0.5,-1`.

    Raises:
        InputError: If it is neither.
    """
    if name in CONVENTIONS:
        return CONVENTIONS[name]
    try:
        call, put = (float(part) for part in name.split(","))
    except ValueError:
        call = put = float("nan")
    if not (np.isfinite(call) and np.isfinite(put)):
        raise InputError(
            f"{name!r} is no sign convention",
            next_step=f"Expected {', '.join(CONVENTIONS)}, or two numbers such as 0.5,-1.",
        )
    return SignConvention(f"custom:{call:g},{put:g}", call, put)


@dataclass(frozen=True, eq=False, slots=True)
class Ladder:
    """Hold one measure's sums by key.

    Attributes:
        call: Sums over calls [k].
        put: Sums over puts [k].
    """

    call: Floats
    put: Floats

    @property
    def net(self) -> Floats:
        """Calls and puts together."""
        found: Floats = self.call + self.put
        return found


@dataclass(frozen=True, eq=False, slots=True)
class Exposures:
    """Hold all measures by strike and by expiry; units in `UNITS`.

    Attributes:
        convention: The signs that are in the numbers.
        weighting: What counted as contracts held.
        contracts: Signed contracts [n].
        used: True where a contract counted: held, with Greeks [n].
        strikes: Ascending [k].
        settles_ns: Ascending [m].
        by_strike: A ladder [k] each measure.
        by_expiry: A ladder [m] each measure.
    """

    convention: SignConvention
    weighting: Weighting
    contracts: Floats
    used: Flags
    strikes: Floats
    settles_ns: Instants
    by_strike: dict[Measure, Ladder]
    by_expiry: dict[Measure, Ladder]

    def total(self, measure: Measure) -> tuple[float, float, float]:
        """Return net, calls and puts of the whole chain."""
        ladder = self.by_expiry[measure]
        call, put = float(ladder.call.sum()), float(ladder.put.sum())
        return call + put, call, put


def exposures_of(
    surface: Surface,
    *,
    convention: SignConvention = CALLS_PLUS_PUTS_MINUS,
    weighting: Weighting = "open_interest",
) -> Exposures:
    """Return exposures in dollars.

    With contracts N, multiplier M and spot S: GEX = gamma N M S^2 / 100; DEX = delta N M S / 100;
    vanna = vanna N M S / 100; charm = charm N M S / 365.

    Args:
        surface: Greeks of the chain.
        convention: Which side dealers hold.
        weighting: Contracts open, or traded in the session.
    """
    chain = surface.chain
    held = chain.open_interest if weighting == "open_interest" else chain.volume
    contracts = held * np.where(chain.is_call, convention.call, convention.put)
    amounts = amounts_of(surface, contracts)
    used = (contracts != 0) & np.isfinite(amounts["gex"])
    strikes, strike_index = np.unique(chain.strike, return_inverse=True)
    return Exposures(
        convention=convention,
        weighting=weighting,
        contracts=contracts,
        used=used,
        strikes=strikes,
        settles_ns=surface.terms.settles_ns,
        by_strike={
            m: _ladder(amounts[m], chain.is_call, strike_index, strikes.size) for m in MEASURES
        },
        by_expiry={
            m: _ladder(
                amounts[m], chain.is_call, surface.expiry_index, surface.terms.settles_ns.size
            )
            for m in MEASURES
        },
    )


def amounts_of(surface: Surface, contracts: Floats) -> dict[Measure, Floats]:
    """Return each contract's exposures by the formulas of `exposures_of`, NaN without Greeks.

    Args:
        surface: Greeks of the chain.
        contracts: Signed contracts [n].
    """
    chain = surface.chain
    scale = contracts * chain.multiplier * chain.spot
    return {
        "gex": scale * surface.gamma * chain.spot * 0.01,
        "dex": scale * surface.delta * 0.01,
        "vanna": scale * surface.greeks.vanna * 0.01,
        "charm": scale * surface.greeks.charm / 365.0,
    }


def buckets_of(exposures: Exposures, chain: Chain) -> dict[str, dict[Measure, float]]:
    """Return net exposures by days to settlement, 0DTE first; empty buckets are 0.

    Args:
        exposures: By expiry.
        chain: Tells the moment that days are counted from.
    """
    today = new_york_dates([chain.as_of_ns])[0]
    days = np.array([(d - today).days for d in new_york_dates(exposures.settles_ns)], dtype=float)
    found: dict[str, dict[Measure, float]] = {}
    least = -1
    for name, most in BUCKETS:
        inside = (days > least) & (days <= most)
        found[name] = {m: float(exposures.by_expiry[m].net[inside].sum()) for m in MEASURES}
        least = most
    return found


def _ladder(amounts: Floats, is_call: Flags, index: npt.NDArray[np.int64], size: int) -> Ladder:
    known = np.where(np.isfinite(amounts), amounts, 0.0)
    slots: Floats = np.bincount(2 * index + is_call, weights=known, minlength=2 * size).astype(
        np.float64
    )
    return Ladder(call=slots[1::2], put=slots[::2])
