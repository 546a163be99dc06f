import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.errors import InputError
from system.algo_trader.tape import reference
from system.algo_trader.tape.classify import Prevailing, classify, no_quotes, prevailing_quotes
from system.algo_trader.tape.columns import Quotes, Trades
from system.algo_trader.tape.sides import MISSING, Confidence, Rule

NONE, CARRIED, TICK, OUTSIDE, INSIDE, TOUCH = Confidence

# Six trades against one quote of 99 to 109 ticks, its midpoint 104; by hand from the papers. The
# spread is 10 ticks: CLNV's outer thirds of 30 % are 99 to 102 and 106 to 109, both ends included.
PRICES = [104, 109, 106, 105, 102, 98]
BY_HAND = {
    Rule.QUOTE: ([0, 1, 1, 1, -1, -1], [NONE, TOUCH, INSIDE, INSIDE, INSIDE, OUTSIDE]),
    Rule.TICK: ([0, 1, -1, -1, -1, -1], [NONE, TICK, TICK, TICK, TICK, TICK]),
    Rule.LEE_READY: ([0, 1, 1, 1, -1, -1], [NONE, TOUCH, INSIDE, INSIDE, INSIDE, OUTSIDE]),
    Rule.EMO: ([0, 1, -1, -1, -1, -1], [NONE, TOUCH, TICK, TICK, TICK, TICK]),
    Rule.CLNV: ([0, 1, 1, -1, -1, -1], [NONE, TOUCH, INSIDE, TICK, INSIDE, TICK]),
}


def trades(prices: list[int], *, sampled: bool = False) -> Trades:
    count = len(prices)
    return Trades.of(np.arange(count), prices, np.ones(count), tick_size=1.0, sampled=sampled)


def quoted(bids: list[int], asks: list[int]) -> Prevailing:
    return Prevailing(np.zeros(len(bids), dtype=np.int64), np.array(bids), np.array(asks))


@pytest.mark.parametrize("rule", Rule)
def test_each_rule_says_what_its_paper_says(rule: Rule) -> None:
    found = classify(trades(PRICES), quoted([99] * 6, [109] * 6), rule)
    assert found.side.tolist() == BY_HAND[rule][0]
    assert found.confidence.tolist() == BY_HAND[rule][1]


def test_the_tick_rule_carries_its_side_over_ties_and_knows_nothing_at_first() -> None:
    found = classify(trades([10, 10, 11, 11, 11, 10, 10]), rule=Rule.TICK)
    assert found.side.tolist() == [0, 0, 1, 1, 1, -1, -1]
    assert found.confidence.tolist() == [NONE, NONE, TICK, CARRIED, CARRIED, TICK, CARRIED]


def test_the_tick_rule_does_not_look_back_over_the_start_of_a_session() -> None:
    starts = np.array([True, False, True, False, False])
    found = classify(trades([10, 11, 12, 12, 11]), rule=Rule.TICK, starts=starts)
    assert found.side.tolist() == [0, 1, 0, 0, -1]


def test_a_midpoint_trade_follows_the_tick_rule_under_lee_ready_only_beside_the_quote() -> None:
    given_trades = trades([9, 10, 10])
    quotes = quoted([9, 8, 8], [11, 12, 12])
    assert classify(given_trades, quotes).side.tolist() == [-1, 1, 1]
    assert classify(given_trades, quotes, Rule.QUOTE).side.tolist() == [-1, 0, 0]


@pytest.mark.parametrize(
    ("bid", "ask"), [(101, 100), (MISSING, 100), (99, MISSING), (MISSING, MISSING)]
)
@pytest.mark.parametrize("rule", [Rule.LEE_READY, Rule.EMO, Rule.CLNV])
def test_crossed_and_one_sided_quotes_leave_the_word_to_the_tick_rule(
    rule: Rule, bid: int, ask: int
) -> None:
    found = classify(trades([99, 100]), quoted([bid] * 2, [ask] * 2), rule)
    assert found.side.tolist() == [0, 1]
    assert found.confidence.tolist() == [NONE, TICK]
    alone = classify(trades([99, 100]), quoted([bid] * 2, [ask] * 2), Rule.QUOTE)
    assert alone.side.tolist() == [0, 0]


def test_a_locked_quote_has_a_midpoint_but_no_touch() -> None:
    quotes = quoted([100] * 3, [100] * 3)
    given_trades = trades([100, 101, 100])
    assert classify(given_trades, quotes, Rule.QUOTE).side.tolist() == [0, 1, 0]
    assert classify(given_trades, quotes, Rule.EMO).side.tolist() == [0, 1, -1]
    assert classify(given_trades, quotes, Rule.CLNV).side.tolist() == [0, 1, -1]


def test_trades_without_a_price_have_no_side_and_do_not_break_the_carry() -> None:
    given_trades = Trades.of(
        np.arange(4), [1.0, 2.0, np.nan, 2.0], np.ones(4), tick_size=1.0, sampled=False
    )
    found = classify(given_trades, rule=Rule.TICK)
    assert found.side.tolist() == [0, 1, 0, 1]
    assert found.confidence.tolist() == [NONE, TICK, NONE, CARRIED]


def test_a_sampled_feed_stays_labelled() -> None:
    assert classify(trades([1, 2], sampled=True)).sampled
    assert not classify(trades([1, 2])).sampled


def test_no_trades_have_no_sides() -> None:
    empty = trades([])
    quotes = Quotes.of(np.array([], dtype=np.int64), [], [], tick_size=1.0)
    found = classify(empty, prevailing_quotes(empty, quotes))
    assert len(found.side) == len(found.confidence) == 0
    lonely = trades([5])
    assert prevailing_quotes(lonely, quotes).row.tolist() == [-1]


def at(times: list[int]) -> Trades:
    return Trades.of(times, np.ones(len(times)), np.ones(len(times)), tick_size=1.0, sampled=False)


def book(times: list[int]) -> Quotes:
    bids = np.arange(len(times), dtype=np.float64)
    return Quotes.of(times, bids, bids + 1, tick_size=1.0)


def test_the_quote_in_force_is_the_last_one_before_the_trade() -> None:
    joined = prevailing_quotes(at([5, 10, 11, 25]), book([10, 10, 20]))
    assert joined.row.tolist() == [-1, -1, 1, 2]
    assert joined.bid.tolist() == [MISSING, MISSING, 1, 2]
    assert joined.ask.tolist() == [MISSING, MISSING, 2, 3]


def test_a_quote_of_the_same_instant_counts_when_that_is_asked_for() -> None:
    joined = prevailing_quotes(at([9, 10, 20]), book([10, 10, 20]), strict=False)
    assert joined.row.tolist() == [-1, 1, 2]


def test_lag_and_window_bound_the_age_of_the_quote() -> None:
    lagged = prevailing_quotes(at([10, 15, 16, 26]), book([10, 20]), lag_ns=5)
    assert lagged.row.tolist() == [-1, -1, 0, 1]
    recent = prevailing_quotes(at([11, 15, 16, 30]), book([10, 20]), window_ns=5)
    assert recent.row.tolist() == [0, 0, -1, -1]


def test_a_join_that_cannot_be_meant_is_refused() -> None:
    with pytest.raises(InputError, match="look ahead"):
        prevailing_quotes(at([1]), book([1]), lag_ns=-1)
    with pytest.raises(InputError, match="at least 5 ns and at most 4 ns"):
        prevailing_quotes(at([1]), book([1]), lag_ns=5, window_ns=4)
    coarse = Quotes.of([1], [1.0], [2.0], tick_size=0.5)
    with pytest.raises(InputError, match=r"ticks of 1\.0, quotes of 0\.5"):
        prevailing_quotes(at([1]), coarse)
    with pytest.raises(InputError, match="bid has the shape"):
        classify(at([1, 2]), no_quotes(at([1])))
    with pytest.raises(InputError, match="starts has the shape"):
        classify(at([1, 2]), starts=np.array([True]))


TICKS = st.one_of(st.integers(95, 105), st.just(MISSING))


@settings(max_examples=300, deadline=None)
@given(
    rule=st.sampled_from(list(Rule)),
    rows=st.lists(st.tuples(TICKS, TICKS, TICKS, st.booleans()), max_size=40),
)
def test_the_kernel_is_the_numpy_reference(
    rule: Rule, rows: list[tuple[int, int, int, bool]]
) -> None:
    table = np.array([row[:3] for row in rows], dtype=np.int64).reshape(-1, 3)
    price, bid, ask = (np.ascontiguousarray(table[:, i]) for i in range(3))
    starts = np.array([row[3] for row in rows], dtype=np.bool_)
    ones = np.ones(len(rows))
    given_trades = Trades(np.arange(len(rows)), price, ones, 1.0, False)
    found = classify(given_trades, Prevailing(price, bid, ask), rule, starts=starts)
    side, kinds = reference.classify(rule, price, bid, ask, starts)
    assert found.side.tolist() == side.tolist()
    assert found.confidence.tolist() == kinds.tolist()


@settings(max_examples=300, deadline=None)
@given(
    trade_times=st.lists(st.integers(0, 30), max_size=20),
    quote_times=st.lists(st.integers(0, 30), max_size=20),
    lag=st.integers(0, 5),
    window=st.one_of(st.none(), st.integers(5, 12)),
    strict=st.booleans(),
)
def test_the_join_is_the_numpy_reference_and_never_looks_ahead(
    trade_times: list[int], quote_times: list[int], lag: int, window: int | None, strict: bool
) -> None:
    given_trades, quotes = at(sorted(trade_times)), book(sorted(quote_times))
    joined = prevailing_quotes(given_trades, quotes, lag_ns=lag, window_ns=window, strict=strict)
    expected = reference.join(
        given_trades.time_ns, quotes.time_ns, lag_ns=lag, window_ns=window, strict=strict
    )
    assert joined.row.tolist() == expected.tolist()
    for time, row in zip(given_trades.time_ns.tolist(), joined.row.tolist(), strict=True):
        if row >= 0:
            age = time - int(quotes.time_ns[row])
            assert age > lag if strict else age >= lag
            assert window is None or age <= window


@settings(max_examples=100, deadline=None)
@given(rows=st.lists(st.tuples(st.integers(95, 105), TICKS, TICKS), max_size=40))
def test_mirrored_prices_mirror_the_sides(rows: list[tuple[int, int, int]]) -> None:
    price = [row[0] for row in rows]
    bid, ask = [row[1] for row in rows], [row[2] for row in rows]

    def mirrored(ticks: list[int]) -> list[int]:
        return [MISSING if each == MISSING else 200 - each for each in ticks]

    for rule in Rule:
        one = classify(trades(price), quoted(bid, ask), rule)
        other = classify(trades(mirrored(price)), quoted(mirrored(ask), mirrored(bid)), rule)
        assert (one.side == -other.side).all()
        assert (one.confidence == other.confidence).all()
