"""The gamma profile as NumPy users write it: a matrix of levels by contracts."""

from __future__ import annotations

import numpy as np

from system.algo_trader.options.black import Floats
from system.algo_trader.options.profile import Bells
from system.algo_trader.options.surface import Surface


def one_bell_a_contract(surface: Surface, contracts: Floats) -> Bells:
    """Describe the positions as NumPy users do: every contract for itself."""
    at = surface.expiry_index
    t, pays, rate = (
        x[at] for x in (surface.terms.years, surface.terms.carry_yield, surface.terms.rate)
    )
    sigma, strike = surface.volatility, surface.chain.strike
    steepness = 1.0 / (sigma * np.sqrt(t))
    return Bells(
        np.log(strike) - (rate - pays + 0.5 * sigma * sigma) * t,
        steepness,
        contracts * np.exp(-pays * t) * steepness * (surface.chain.multiplier * 0.01 / 2.50662827),
    )


def broadcast_gamma(bells: Bells, levels: Floats) -> Floats:
    """Return net gamma by one matrix of all levels and contracts."""
    d1 = (np.log(levels)[:, None] - bells.centre[None, :]) * bells.steepness[None, :]
    found: Floats = levels * (np.exp(-0.5 * d1 * d1) * bells.height[None, :]).sum(axis=1)
    return found
