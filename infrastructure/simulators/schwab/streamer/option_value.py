"""Black and Scholes' value and Greeks of one European option, for invented quotes.

F. Black and M. Scholes, The Pricing of Options and Corporate Liabilities, Journal of Political
Economy 81 (1973).
"""

from __future__ import annotations

import math
from typing import NamedTuple

DAYS_OF_YEAR = 365.0


class OptionValue(NamedTuple):
    """Value in dollars; theta per day, vega and rho per percent point."""

    value: float
    delta: float
    gamma: float
    theta: float
    vega: float
    rho: float


def option_value(
    spot: float, strike: float, years: float, volatility: float, rate: float, *, is_call: bool
) -> OptionValue:
    """Price one option without dividends.

    Args:
        spot: The underlying's price, above 0.
        strike: Above 0.
        years: Until expiry; at 0 or less the intrinsic value remains.
        volatility: Per year, 0.3 is 30 %.
        rate: Continuous per year.
        is_call: Call, else put.
    """
    sign = 1.0 if is_call else -1.0
    if years <= 0:
        value = max(0.0, sign * (spot - strike))
        return OptionValue(value, sign if value > 0 else 0.0, 0.0, 0.0, 0.0, 0.0)
    root = math.sqrt(years)
    d1 = (math.log(spot / strike) + (rate + volatility**2 / 2) * years) / (volatility * root)
    d2 = d1 - volatility * root
    density = math.exp(-(d1**2) / 2) / math.sqrt(2 * math.pi)
    discounted = strike * math.exp(-rate * years)
    value = sign * (spot * _normal(sign * d1) - discounted * _normal(sign * d2))
    decay = -spot * density * volatility / (2 * root)
    theta = decay - sign * rate * discounted * _normal(sign * d2)
    return OptionValue(
        value,
        sign * _normal(sign * d1),
        density / (spot * volatility * root),
        theta / DAYS_OF_YEAR,
        spot * density * root / 100,
        sign * discounted * years * _normal(sign * d2) / 100,
    )


def _normal(x: float) -> float:
    return math.erfc(-x / math.sqrt(2)) / 2
