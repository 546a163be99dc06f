"""The value and the Greeks of one European option: Black, Scholes and Merton, scalar."""

from __future__ import annotations

from dataclasses import dataclass
from math import erf, exp, log, pi, sqrt
from typing import Final

DAYS_A_YEAR: Final = 365.0


@dataclass(frozen=True, slots=True)
class Value:
    """One option's value and sensitivities.

    Attributes:
        price: Dollars for one share.
        delta: Per dollar of the underlying; so is `gamma` of delta.
        theta: Dollars a calendar day.
        vega: Dollars per point of volatility (0.01); so is `rho` per point of interest.
    """

    price: float
    delta: float
    gamma: float
    theta: float
    vega: float
    rho: float


def value(
    is_call: bool, spot: float, strike: float, years: float, rate: float, carry: float, vol: float
) -> Value:
    """Value one option.

    Args:
        is_call: Call or put.
        spot: The underlying's price in dollars; so is `strike`.
        years: Time to expiry, above 0.
        rate: Continuous interest; `carry` is the continuous dividend yield.
        vol: Yearly volatility, 0.2 for 20 %, above 0.
    """
    sign = 1.0 if is_call else -1.0
    spread = vol * sqrt(years)
    d1 = (log(spot / strike) + (rate - carry + vol * vol / 2) * years) / spread
    d2 = d1 - spread
    grown, paid = spot * exp(-carry * years), strike * exp(-rate * years)
    density = exp(-d1 * d1 / 2) / sqrt(2 * pi)
    n1, n2 = _normal(sign * d1), _normal(sign * d2)
    decay = -grown * density * vol / (2 * sqrt(years))
    return Value(
        price=sign * (grown * n1 - paid * n2),
        delta=sign * exp(-carry * years) * n1,
        gamma=exp(-carry * years) * density / (spot * spread),
        theta=(decay + sign * (carry * grown * n1 - rate * paid * n2)) / DAYS_A_YEAR,
        vega=grown * density * sqrt(years) / 100,
        rho=sign * paid * years * n2 / 100,
    )


def _normal(x: float) -> float:
    return (1 + erf(x / sqrt(2))) / 2
