import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.errors import InputError
from system.algo_trader.tape.columns import Quotes, Trades, ticks_of
from system.algo_trader.tape.sides import MISSING


def test_prices_become_whole_ticks_in_spite_of_binary_fractions() -> None:
    assert ticks_of([10.01, 10.02, 0.07, np.nan], 0.01).tolist() == [1001, 1002, 7, MISSING]
    assert ticks_of([4805.25], 0.25).tolist() == [19221]


@given(st.integers(0, 10_000_000), st.sampled_from([0.0001, 0.01, 0.25, 0.03125]))
def test_every_multiple_of_the_tick_comes_back(ticks: int, tick_size: float) -> None:
    assert ticks_of([ticks * tick_size], tick_size).tolist() == [ticks]


@pytest.mark.parametrize("price", [10.005, np.inf])
def test_a_price_off_the_grid_is_named(price: float) -> None:
    with pytest.raises(InputError, match=r"row 1 is no multiple of the tick size 0\.01"):
        ticks_of([10.0, price], 0.01)


@pytest.mark.parametrize("tick_size", [0.0, -0.01, np.nan])
def test_a_tick_size_that_is_none_is_refused(tick_size: float) -> None:
    with pytest.raises(InputError, match="tick size is above 0"):
        ticks_of([1.0], tick_size)


@pytest.mark.parametrize("size", [-1.0, np.nan, np.inf])
def test_a_size_that_is_none_is_named(size: float) -> None:
    with pytest.raises(InputError, match="in row 1 is no number of shares"):
        Trades.of([1, 2], [1.0, 1.0], [1.0, size], tick_size=1.0, sampled=False)


def test_times_that_fall_are_named() -> None:
    with pytest.raises(InputError, match="times of quotes fall in row 2"):
        Quotes.of([1, 3, 2], [1.0] * 3, [2.0] * 3, tick_size=1.0)


def test_times_are_whole_nanoseconds() -> None:
    with pytest.raises(InputError, match="whole nanoseconds"):
        Trades.of([1.5], [1.0], [1.0], tick_size=1.0, sampled=False)


def test_columns_of_other_length_are_named() -> None:
    with pytest.raises(InputError, match="column size"):
        Trades.of([1, 2], [1.0, 1.0], [1.0], tick_size=1.0, sampled=False)
    with pytest.raises(InputError, match="column ask"):
        Quotes.of([1, 2], [1.0, 1.0], [1.0], tick_size=1.0)


def test_prices_come_back_in_money() -> None:
    trades = Trades.of([1, 2], [10.25, np.nan], [1.0, 1.0], tick_size=0.25, sampled=True)
    assert trades.prices().tolist()[0] == 10.25
    assert np.isnan(trades.prices()[1])
    assert trades.sampled
