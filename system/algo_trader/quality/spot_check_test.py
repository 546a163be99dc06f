"""Judge the check by corruptions that are planted one by one and all together."""

import numpy as np
import pytest

from system.algo_trader.market.bars import Bars, Series
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.quality.spot_check import spot_check

M = 60_000_000_000
COUNT = 2_000


def good() -> Bars:
    rng = np.random.default_rng(2)
    close = (100 + rng.normal(0, 1, COUNT).cumsum() / 10).round(2)
    return Bars.of(
        Series("AAPL", Timeframe.M1),
        start=np.arange(COUNT) * M,
        open=close,
        high=close + 0.05,
        low=close - 0.05,
        close=close,
        volume=rng.integers(1, 10_000, COUNT),
        fetched_at=0,
        is_synthetic=True,
    )


def changed(bars: Bars, column: str, row: int, by: float) -> Bars:
    values = bars.table.column(column).to_pylist()
    values[row] += by
    return bars.replace(**{column: values})


def test_equal_bars_agree_wholly() -> None:
    found = spot_check(good(), good())
    assert (found.compared, found.mismatches, found.share, found.is_good) == (COUNT, (), 1.0, True)


@pytest.mark.parametrize(
    ("column", "by"),
    [("open", 0.01), ("high", -0.01), ("low", 1.0), ("close", 50.0), ("volume", 1)],
)
def test_one_planted_corruption_is_found_and_named(column: str, by: float) -> None:
    (found,) = spot_check(changed(good(), column, 77, by), good()).mismatches
    assert (found.symbol, found.start, found.column) == ("AAPL", 77 * M, column)
    assert found.stored == pytest.approx((found.fresh or 0) + by)


def test_rounding_below_half_a_cent_is_no_corruption() -> None:
    assert spot_check(changed(good(), "close", 5, 0.004), good()).mismatches == ()


def test_bars_that_one_side_lacks_count() -> None:
    rows = np.arange(COUNT)
    found = spot_check(good().take(np.delete(rows, 5)), good().take(np.delete(rows, 9)))
    assert {(each.start // M, each.column) for each in found.mismatches} == {
        (5, "missing"),
        (9, "unknown"),
    }
    assert found.compared == COUNT


def test_every_one_of_many_corruptions_is_found_and_the_target_missed() -> None:
    rng = np.random.default_rng(9)
    rows = rng.choice(COUNT, 40, replace=False)
    bad = good()
    for row in rows.tolist():
        bad = changed(bad, "close", row, 0.5)
    found = spot_check(bad, good())
    assert {each.start // M for each in found.mismatches} == set(rows.tolist())
    assert found.share == pytest.approx(1 - 40 / COUNT)
    assert not found.is_good


def test_nothing_compared_is_not_good() -> None:
    found = spot_check(Bars.empty(), Bars.empty())
    assert (found.share, found.is_good) == (None, False)


def test_parts_add_up() -> None:
    one = spot_check(changed(good(), "close", 1, 1.0), good())
    both = one + spot_check(good(), good())
    assert (both.compared, len(both.mismatches)) == (2 * COUNT, 1)
