import numpy as np
import pytest

from infrastructure.errors import InputError
from system.algo_trader.tape.classify import Classified, classify, prevailing_quotes
from system.algo_trader.tape.columns import Quotes, Trades
from system.algo_trader.tape.sides import Basis
from system.algo_trader.tape.statistics import (
    SizeClass,
    size_classes,
    statistics_by_interval,
    tape_statistics,
)


def tape(*, sampled: bool = False) -> Classified:
    trades = Trades.of(
        [10, 20, 30, 110],
        [101.0, 99.0, 101.0, 100.0],
        [50, 12_000, 100, 40],
        tick_size=1.0,
        sampled=sampled,
    )
    quotes = Quotes.of([0], [99.0], [101.0], tick_size=1.0)
    return classify(trades, prevailing_quotes(trades, quotes))


def test_a_stretch_is_described_by_hand_arithmetic() -> None:
    found = tape_statistics(tape(), 0, 100, block_value=None)
    assert (found.trades, found.volume) == (3, 12_150)
    assert found.vwap == pytest.approx((101 * 150 + 99 * 12_000) / 12_150)
    assert (found.bought, found.sold, found.unknown) == (150, 12_000, 0)
    assert found.buy_sell_ratio == pytest.approx(150 / 12_000)
    assert (found.delta, found.delta_high, found.delta_low) == (-11_850, 50, -11_950)
    assert found.at_quote.at_ask == pytest.approx(150 / 12_150)
    assert found.basis is Basis.NBBO
    assert (found.blocks, found.largest) == (1, 12_000)
    assert found.block_share == pytest.approx(12_000 / 12_150)
    assert (found.sweeps, found.sweep_share) == (0, 0.0)
    assert found.by_size[SizeClass.ODD_LOT] == 1
    assert found.by_size[SizeClass.ROUND_LOT] == 1
    assert found.by_size[SizeClass.BLOCK] == 1
    assert found.version == "tape.v1"


def test_a_stretch_without_trades_has_no_ratios() -> None:
    found = tape_statistics(tape(), 40, 100)
    assert (found.trades, found.volume) == (0, 0.0)
    assert (found.vwap, found.buy_sell_ratio, found.largest) == (None, None, None)
    assert (found.block_share, found.sweep_share) == (None, None)
    assert found.at_quote.reason == "no volume"
    assert found.basis is Basis.UNKNOWN


def test_intervals_without_trades_are_left_out() -> None:
    found = statistics_by_interval(tape(sampled=True), 50)
    assert [(each.start_ns, each.end_ns, each.trades) for each in found] == [
        (0, 50, 3),
        (100, 150, 1),
    ]
    assert all(each.sampled for each in found)
    assert sum(each.volume for each in found) == 12_190


def test_size_classes_begin_at_their_limits() -> None:
    sizes = np.array([99, 100, 999, 1000, 9999, 10_000, 49_999, 50_000, 99_999, 100_000.0])
    names = [list(SizeClass)[index] for index in size_classes(sizes)]
    assert [name.value for name in names] == [
        "odd_lot",
        "round_lot",
        "round_lot",
        "large",
        "large",
        "block",
        "block",
        "large_block",
        "large_block",
        "institutional",
    ]


def test_spans_without_length_are_refused() -> None:
    with pytest.raises(InputError, match="does not lie after"):
        tape_statistics(tape(), 5, 5)
    with pytest.raises(InputError, match="above 0 ns"):
        statistics_by_interval(tape(), 0)


def test_a_stretch_holds_its_beginning_and_not_its_end() -> None:
    found = tape_statistics(tape(), 20, 30)
    assert (found.trades, found.volume) == (1, 12_000)


def test_the_extremes_of_delta_start_from_zero() -> None:
    only_sold = tape_statistics(tape(), 20, 30)
    assert (only_sold.delta_high, only_sold.delta_low) == (0, -12_000)
    only_bought = tape_statistics(tape(), 30, 40)
    assert (only_bought.delta_high, only_bought.delta_low) == (100, 0)
