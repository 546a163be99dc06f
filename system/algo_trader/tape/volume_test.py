import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.errors import InputError
from system.algo_trader.tape.classify import Classified, Prevailing, classify
from system.algo_trader.tape.columns import Trades
from system.algo_trader.tape.sides import MISSING, Basis
from system.algo_trader.tape.volume import basis, cumulative_delta, quote_shares, vwap_bands


def tape(
    prices: list[float],
    sizes: list[float],
    bids: list[int] | None = None,
    asks: list[int] | None = None,
    *,
    sampled: bool = False,
) -> Classified:
    trades = Trades.of(np.arange(len(prices)), prices, sizes, tick_size=1.0, sampled=sampled)
    if bids is None or asks is None:
        return classify(trades)
    rows = np.zeros(len(prices), dtype=np.int64)
    return classify(trades, Prevailing(rows, np.array(bids), np.array(asks)))


def test_shares_are_weighted_by_size() -> None:
    found = quote_shares(tape([99, 100, 101, 102], [10, 20, 30, 40], [99] * 4, [101] * 4))
    assert (found.at_bid, found.at_mid, found.at_ask) == pytest.approx((0.1, 0.2, 0.7))
    assert found.unquoted == 0.0
    assert found.reason is None


def test_trades_near_the_touch_belong_to_it_only_within_the_tolerance() -> None:
    given_tape = tape([100, 101, 103, 104], [1, 1, 1, 1], [100] * 4, [104] * 4)
    assert quote_shares(given_tape).at_mid == 0.5
    near = quote_shares(given_tape, tolerance_ticks=1)
    assert (near.at_bid, near.at_mid, near.at_ask) == (0.5, 0.0, 0.5)


def test_the_exact_middle_is_in_the_middle_whatever_the_tolerance() -> None:
    assert quote_shares(tape([101], [5], [100], [102]), tolerance_ticks=3).at_mid == 1.0


def test_shares_without_a_quote_are_none_with_a_reason() -> None:
    unquoted = quote_shares(tape([1, 2], [1, 1], sampled=True))
    assert (unquoted.at_bid, unquoted.at_mid, unquoted.at_ask) == (None, None, None)
    assert (unquoted.unquoted, unquoted.reason) == (1.0, "no usable quote")
    assert unquoted.sampled
    empty = quote_shares(tape([], []))
    assert (empty.unquoted, empty.reason) == (None, "no volume")


def test_volume_without_a_usable_quote_is_told_apart() -> None:
    found = quote_shares(
        tape([100, 101, 101, 101], [25] * 4, [100, MISSING, 102, 101], [101, 101, 101, 101])
    )
    assert (found.at_bid, found.unquoted) == (1.0, 0.75)


def test_four_fifths_of_the_volume_decide_what_the_sides_rest_on() -> None:
    bids, asks = [MISSING, MISSING, 100], [MISSING, MISSING, 102]

    def of(tick_size: float, quote_size: float) -> Basis:
        return basis(tape([100, 101, 102], [0, tick_size, quote_size], bids, asks))

    assert of(20, 80) is Basis.NBBO
    assert of(21, 79) is Basis.MIXED
    assert of(79, 21) is Basis.MIXED
    assert of(80, 20) is Basis.TICK
    assert basis(tape([100], [5])) is Basis.UNKNOWN


def test_delta_adds_buys_and_takes_sells_away() -> None:
    given_tape = tape([100, 101, 101, 100], [5, 3, 2, 4])
    assert cumulative_delta(given_tape).values.tolist() == [0, 3, 5, 1]
    starts = np.array([True, False, True, False])
    assert cumulative_delta(given_tape, starts=starts).values.tolist() == [0, 3, 2, -2]


def test_vwap_and_its_deviation_are_those_of_the_arithmetic() -> None:
    # 10 at 100 and 30 at 104: average 103, variance (10 * 9 + 30 * 1) / 40 = 3.
    bands = vwap_bands(tape([100, 104], [10, 30]).trades, deviations=2.0)
    assert bands.vwap.tolist() == [100, 103]
    assert bands.deviation.tolist() == pytest.approx([0, 3**0.5])
    assert bands.upper[1] == pytest.approx(103 + 2 * 3**0.5)
    assert bands.lower[1] == pytest.approx(103 - 2 * 3**0.5)


@pytest.mark.filterwarnings("error")
def test_vwap_is_missing_until_there_is_volume() -> None:
    bands = vwap_bands(tape([np.nan, 100, 101], [5, 0, 2]).trades)
    assert np.isnan(bands.vwap[:2]).all()
    assert np.isnan(bands.upper[:2]).all()
    assert bands.vwap[2] == 101
    assert np.isnan(vwap_bands(tape([np.nan], [5]).trades).vwap).all()
    assert len(vwap_bands(tape([], []).trades).vwap) == 0


def test_vwap_begins_anew_at_each_start() -> None:
    starts = np.array([True, False, True])
    assert vwap_bands(tape([100, 102, 50], [1, 1, 9]).trades, starts=starts).vwap.tolist() == [
        100,
        101,
        50,
    ]


def test_bands_of_negative_width_are_refused() -> None:
    with pytest.raises(InputError, match="not negative"):
        vwap_bands(tape([1], [1]).trades, deviations=-1.0)


@given(
    rows=st.lists(
        st.tuples(st.integers(90, 110), st.integers(0, 9), st.booleans()), min_size=1, max_size=30
    )
)
def test_running_columns_equal_what_is_computed_from_the_start_each_time(
    rows: list[tuple[int, int, bool]],
) -> None:
    prices, sizes = [float(row[0]) for row in rows], [float(row[1]) for row in rows]
    starts = np.array([row[2] for row in rows])
    given_tape = tape(prices, sizes)
    bands = vwap_bands(given_tape.trades, starts=starts)
    delta = cumulative_delta(given_tape, starts=starts).values
    for end in range(1, len(rows) + 1):
        begin = max((i for i in range(end) if starts[i]), default=0)
        price, size = np.array(prices[begin:end]), np.array(sizes[begin:end])
        assert delta[end - 1] == (given_tape.side[begin:end] * size).sum()
        if size.sum() == 0:
            assert np.isnan(bands.vwap[end - 1])
            continue
        mean = np.average(price, weights=size)
        spread = np.average((price - mean) ** 2, weights=size) ** 0.5
        assert bands.vwap[end - 1] == pytest.approx(mean)
        assert bands.deviation[end - 1] == pytest.approx(spread, abs=1e-6)


@pytest.mark.parametrize("sampled", [True, False])
def test_every_result_says_whether_its_feed_left_trades_out(sampled: bool) -> None:
    for prices in ([100.0, 101.0], [np.nan, np.nan]):
        given_tape = tape(prices, [1, 1], [99, 99], [101, 101], sampled=sampled)
        assert given_tape.sampled is sampled
        assert quote_shares(given_tape).sampled is sampled
        assert cumulative_delta(given_tape).sampled is sampled
        assert vwap_bands(given_tape.trades).sampled is sampled
