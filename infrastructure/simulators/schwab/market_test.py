from datetime import date

import numpy as np
import pytest
from bokeh_sampledata import stocks

from infrastructure.clock import VirtualClock, parse_rfc3339
from infrastructure.errors import InputError
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.splits import KNOWN_SPLITS, Split

LAST = date(2013, 3, 1)


def test_clock_starts_just_after_the_last_close_and_moves_with_its_own() -> None:
    clock = VirtualClock(5)
    market = ReplayMarket.from_bokeh(clock=clock)
    assert market.now_ns == parse_rfc3339("2013-03-01T21:00:01Z")
    clock.advance(seconds=4 * 3600)
    assert market.now_ns == parse_rfc3339("2013-03-02T01:00:01Z")
    assert market.market_date == LAST
    clock.advance(seconds=4 * 3600)
    assert market.market_date == date(2013, 3, 2)
    assert market.last_session == LAST
    assert len(market.daily("AAPL")) == 3270


def test_post_market_minutes_appear_as_they_end() -> None:
    clock = VirtualClock(0)
    market = ReplayMarket.from_bokeh(clock=clock)
    at_close = market.minutes("IBM", LAST, LAST, True)
    assert at_close.start_ns[-1] == parse_rfc3339("2013-03-01T20:59:00Z")
    clock.advance(seconds=3600)
    hour_later = market.minutes("IBM", LAST, LAST, True)
    assert len(hour_later) > len(at_close)
    assert hour_later.start_ns[-1] <= parse_rfc3339("2013-03-01T21:59:00Z")
    assert np.array_equal(hour_later.close[: len(at_close)], at_close.close)


def test_rows_after_the_virtual_moment_are_not_shown() -> None:
    market = ReplayMarket.from_bokeh(as_of=date(2008, 9, 14), clock=VirtualClock(0))
    assert market.market_date == date(2008, 9, 12)
    assert len(market.daily("FB")) == 0
    assert (
        market.daily("IBM").close[-1] == stocks.IBM["close"][stocks.IBM["date"].index("2008-09-12")]
    )
    assert len(market.minutes("IBM", date(2008, 9, 15), LAST, True)) == 0
    assert market.session_dates()[-1] == np.datetime64("2008-09-12")


def test_market_before_its_first_row_is_refused() -> None:
    with pytest.raises(InputError, match="2000-03-01"):
        ReplayMarket.from_bokeh(as_of=date(1999, 12, 31))


def test_known_splits_are_the_only_halvings_in_the_recorded_rows() -> None:
    # Judged by the source's own adjusted closes: a split moves them against the raw closes.
    found = []
    for symbol in ("AAPL", "FB", "GOOG", "IBM", "MSFT"):
        columns = getattr(stocks, symbol)
        ratio = np.array(columns["close"]) / np.array(columns["adj_close"])
        jumps = np.flatnonzero(np.abs(ratio[1:] / ratio[:-1] - 0.5) < 0.01) + 1
        found += [(symbol, columns["date"][row]) for row in jumps]
    assert found == [(s.symbol, s.ex_date.isoformat()) for s in KNOWN_SPLITS]


def test_planted_split_restates_everything_by_one_factor() -> None:
    split = Split("IBM", date(2013, 2, 28), 4.0)
    before = ReplayMarket.from_bokeh(
        as_of=date(2013, 2, 27), planted=[split], clock=VirtualClock(0)
    )
    after = ReplayMarket.from_bokeh(as_of=date(2013, 2, 28), planted=[split], clock=VirtualClock(0))
    old, new = before.daily("IBM"), after.daily("IBM")
    assert old.close[-1] == stocks.IBM["close"][-3]
    assert np.array_equal(old.close, new.close[:-1] * 4)
    assert np.array_equal(old.volume * 4, new.volume[:-1])
    assert new.close[-1] == stocks.IBM["close"][-2] / 4
    assert before.daily("AAPL").close[-1] == stocks.AAPL["close"][-3]


def test_minutes_before_a_split_add_up_to_the_adjusted_day() -> None:
    split = Split("IBM", date(2013, 2, 28), 1.5)
    market = ReplayMarket.from_bokeh(planted=[split], clock=VirtualClock(0))
    minutes = market.minutes("IBM", date(2013, 2, 27), date(2013, 2, 27), False)
    daily = market.daily("IBM").take(slice(-3, -2))
    assert minutes.volume.sum() == daily.volume[0]
    assert minutes.high.max() == daily.high[0]
    assert minutes.low.min() == daily.low[0]


def test_seed_changes_minutes_and_nothing_else() -> None:
    one, same, other = (
        ReplayMarket.from_bokeh(seed=seed, clock=VirtualClock(0)) for seed in (1, 1, 2)
    )
    minutes = [market.minutes("FB", LAST, LAST, True).close for market in (one, same, other)]
    assert np.array_equal(minutes[0], minutes[1])
    assert not np.array_equal(minutes[0], minutes[2])
    assert np.array_equal(one.daily("FB").close, other.daily("FB").close)


def test_timeframes_say_whether_they_are_invented() -> None:
    market = ReplayMarket.from_bokeh(clock=VirtualClock(0))
    flags = {name: market.is_synthetic(name) for name in ("1m", "30m", "1d", "1w", "1mo")}
    assert flags == {"1m": True, "30m": True, "1d": False, "1w": False, "1mo": False}
    assert market.is_synthetic("5m", "AAPL")
