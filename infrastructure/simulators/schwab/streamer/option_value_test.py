"""Option values against a textbook's example and against their own derivatives."""

from __future__ import annotations

import pytest

from infrastructure.simulators.schwab.streamer.option_value import option_value


def test_hulls_example_has_its_published_values() -> None:
    # J. Hull, Options, Futures and Other Derivatives, example of the Black-Scholes-Merton model:
    # 42, 40, six months, 20 %, 10 % give 4.76 for the call and 0.81 for the put.
    call = option_value(42, 40, 0.5, 0.2, 0.1, is_call=True)
    put = option_value(42, 40, 0.5, 0.2, 0.1, is_call=False)
    assert (round(call.value, 2), round(put.value, 2)) == (4.76, 0.81)


@pytest.mark.parametrize("is_call", [True, False])
def test_greeks_are_the_slopes_of_the_value(is_call: bool) -> None:
    def value(
        spot: float = 101, years: float = 0.3, sigma: float = 0.25, rate: float = 0.02
    ) -> float:
        return option_value(spot, 100, years, sigma, rate, is_call=is_call).value

    greeks = option_value(101, 100, 0.3, 0.25, 0.02, is_call=is_call)
    step = 1e-4
    slope = (value(101 + step) - value(101 - step)) / (2 * step)
    assert greeks.delta == pytest.approx(slope, rel=1e-5)
    bend = (value(101 + 0.01) - 2 * value(101) + value(101 - 0.01)) / 0.01**2
    assert greeks.gamma == pytest.approx(bend, rel=1e-4)
    slope = (value(sigma=0.25 + step) - value(sigma=0.25 - step)) / (2 * step)
    assert greeks.vega == pytest.approx(slope / 100, rel=1e-5)
    slope = (value(years=0.3 + step) - value(years=0.3 - step)) / (2 * step)
    assert greeks.theta == pytest.approx(-slope / 365, rel=1e-5)
    slope = (value(rate=0.02 + step) - value(rate=0.02 - step)) / (2 * step)
    assert greeks.rho == pytest.approx(slope / 100, rel=1e-5)


def test_an_option_at_expiry_is_worth_what_it_is_in_the_money() -> None:
    assert option_value(42, 40, 0, 0.2, 0.1, is_call=True)[:2] == (2, 1)
    assert option_value(42, 40, 0, 0.2, 0.1, is_call=False)[:2] == (0, 0)
