import numpy as np
import pytest

from infrastructure.errors import InputError
from system.algo_trader.tape.classify import Classified, classify
from system.algo_trader.tape.columns import Trades
from system.algo_trader.tape.marks import block_marks, find_sweeps
from system.algo_trader.tape.sides import Rule, Side


def tape(times: list[int], prices: list[float], *, sampled: bool = False) -> Classified:
    sizes = np.arange(1, len(times) + 1)
    trades = Trades.of(times, prices, sizes, tick_size=0.25, sampled=sampled)
    return classify(trades, rule=Rule.TICK)


def test_blocks_are_large_by_size_or_by_value() -> None:
    trades = Trades.of(
        [1, 2, 3, 4],
        [1.0, 1.0, 250.0, np.nan],
        [9_999, 10_000, 800, 10_000],
        tick_size=1.0,
        sampled=False,
    )
    assert block_marks(trades).tolist() == [False, True, True, True]
    assert block_marks(trades, min_value=None).tolist() == [False, True, False, True]


def test_a_buyer_through_three_prices_is_a_sweep() -> None:
    # The first trade only gives the tick rule its start; the last one turns back.
    found = find_sweeps(tape([0, 10, 11, 12, 13, 14], [1.0, 1.25, 1.25, 1.5, 1.75, 1.5]), gap_ns=5)
    assert found.first.tolist() == [1]
    assert found.last.tolist() == [4]
    assert found.side.tolist() == [Side.BUY]
    assert found.levels.tolist() == [3]
    assert found.size.tolist() == [2 + 3 + 4 + 5]
    assert found.member.tolist() == [False, True, True, True, True, False]


def test_a_seller_through_three_prices_is_a_sweep_too() -> None:
    found = find_sweeps(tape([0, 1, 2, 3], [2.0, 1.75, 1.5, 1.25]), gap_ns=5)
    assert (found.side.tolist(), found.levels.tolist()) == ([Side.SELL], [3])


def test_a_pause_ends_a_sweep() -> None:
    prices = [1.0, 1.25, 1.5, 1.75, 2.0]
    assert len(find_sweeps(tape([0, 1, 2, 8, 9], prices), gap_ns=5)) == 0
    assert len(find_sweeps(tape([0, 1, 2, 7, 8], prices), gap_ns=5)) == 1


def test_a_price_that_comes_back_ends_a_sweep_of_one_side() -> None:
    trades = tape([1, 2, 3, 4], [1.0, 1.25, 1.5, 1.75]).trades
    back = Trades(trades.time_ns, np.array([4, 6, 5, 6]), trades.size, 0.25, False)
    buys = classify(back, rule=Rule.TICK)
    all_buys = Classified(back, buys.quotes, Rule.TICK, np.ones(4, dtype=np.int8), buys.confidence)
    assert len(find_sweeps(all_buys, min_levels=3)) == 0
    assert len(find_sweeps(all_buys, min_levels=2)) == 2


def test_a_trade_without_a_price_ends_a_sweep() -> None:
    assert len(find_sweeps(tape([1, 2, 3, 4, 5], [1.0, 1.25, np.nan, 1.5, 1.75]))) == 0


def test_sweeps_of_a_sampled_feed_say_so() -> None:
    assert find_sweeps(tape([1], [1.0], sampled=True)).sampled
    empty = find_sweeps(tape([], [], sampled=True))
    assert (len(empty), empty.sampled, len(empty.member)) == (0, True, 0)


@pytest.mark.parametrize(("gap_ns", "min_levels"), [(-1, 3), (5, 1)])
def test_limits_without_meaning_are_refused(gap_ns: int, min_levels: int) -> None:
    with pytest.raises(InputError, match="at least 2 levels"):
        find_sweeps(tape([1], [1.0]), gap_ns=gap_ns, min_levels=min_levels)
