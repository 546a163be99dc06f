from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from system.algo_trader.market.bars import Floats
from system.algo_trader.market.splits import ratio_text, simplest_fraction, split_factor

KNOWN = [
    Fraction(2, 1),
    Fraction(3, 2),
    Fraction(4, 1),
    Fraction(7, 1),
    Fraction(20, 1),
    Fraction(5, 4),
    Fraction(1, 8),
    Fraction(1, 25),
]
"""Ratios that US stocks really had: AAPL 2, 4 and 7, GOOG 20, GE 1:8, and smaller ones."""


def walk(count: int, first: float) -> Floats:
    steps = np.linspace(0.97, 1.05, count)
    close = first * steps
    prices: Floats = np.column_stack([close * 1.01, close * 1.02, close * 0.98, close])
    return prices.round(2)


@pytest.mark.parametrize("factor", KNOWN)
@pytest.mark.parametrize("decimals", [2, 4])
def test_a_known_split_is_found_through_rounding(factor: Fraction, decimals: int) -> None:
    before = walk(20, 431.17)
    after = np.round(before / float(factor), decimals)
    assert split_factor(before, after) == factor


def test_equal_prices_are_no_split() -> None:
    assert split_factor(walk(20, 80.0), walk(20, 80.0)) is None


def test_one_corrected_price_is_no_split() -> None:
    after = walk(20, 80.0)
    after[7, 3] *= 1.1
    assert split_factor(walk(20, 80.0), after) is None


def test_a_split_with_one_bar_that_contradicts_it_is_none() -> None:
    after = walk(20, 80.0) / 4
    after[3] *= 1.5
    assert split_factor(walk(20, 80.0), after) is None


def test_a_crash_between_two_fetches_is_no_split() -> None:
    before = walk(20, 53.5)
    assert split_factor(before, before.copy()) is None


def test_one_bar_is_not_evidence_enough() -> None:
    assert split_factor(walk(1, 80.0), walk(1, 80.0) / 2) is None
    assert split_factor(walk(1, 80.0), walk(1, 80.0) / 2, fewest_bars=1) == 2


def test_a_dividend_adjustment_of_under_two_percent_is_no_split() -> None:
    assert split_factor(walk(20, 800.0), walk(20, 800.0) / 1.01) is None


def test_a_constant_ratio_of_no_small_numbers_is_no_split() -> None:
    assert split_factor(walk(20, 80_000.0), walk(20, 80_000.0) / 3.14159265) is None


def test_prices_as_small_as_a_tick_say_nothing() -> None:
    low = np.full((5, 4), 0.004)
    assert split_factor(low, low / 2) is None
    missing = walk(5, 80.0)
    missing[0, 0] = np.nan
    assert split_factor(missing, walk(5, 80.0)) is None


@given(st.fractions(min_value=Fraction(1, 40), max_value=40, max_denominator=40))
def test_the_simplest_fraction_of_a_narrow_interval_is_the_one_inside(wanted: Fraction) -> None:
    width = Fraction(1, 10_000)
    assert simplest_fraction(float(wanted - width), float(wanted + width)) == wanted


@given(
    st.floats(min_value=0.01, max_value=50),
    st.floats(min_value=0.0001, max_value=1),
)
def test_the_simplest_fraction_has_the_smallest_denominator(low: float, width: float) -> None:
    high = low + width
    found = simplest_fraction(low, high)
    assert Fraction(low) <= found <= Fraction(high)
    for denominator in range(1, min(found.denominator, 500)):
        first = -(-Fraction(low) * denominator // 1)
        assert not Fraction(low) <= Fraction(first, denominator) <= Fraction(high)


def test_an_empty_interval_is_refused() -> None:
    with pytest.raises(ValueError, match="low"):
        simplest_fraction(2.0, 1.0)


def test_a_factor_is_written_as_a_ratio() -> None:
    assert ratio_text(Fraction(4)) == "4:1"
    assert ratio_text(Fraction(1, 10)) == "1:10"
