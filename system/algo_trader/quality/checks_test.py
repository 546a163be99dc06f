from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest

from infrastructure.clock import parse_rfc3339
from infrastructure.exchange.calendars import calendar
from infrastructure.exchange.timeframes import schwab_bar_start, schwab_bar_starts
from system.algo_trader.market.bars import Bars, Series
from system.algo_trader.market.timeframe import Session, Timeframe
from system.algo_trader.quality.checks import Checked, check
from system.algo_trader.quality.closing import bar_ends
from system.algo_trader.quality.gaps import find_gaps

NYSE = calendar("XNYS")
MINUTE = 60_000_000_000
DAILY = Series("AAPL", Timeframe.D1)
MINUTES = Series("AAPL", Timeframe.M1)
OPEN = parse_rfc3339("2013-02-28T14:30:00Z")
CLOSE = parse_rfc3339("2013-02-28T21:00:00Z")
LATER = parse_rfc3339("2013-03-15T00:00:00Z")
WEEK = [date(2013, 2, day) for day in (25, 26, 27, 28)]


def stamps(days: list[date]) -> list[int]:
    return [schwab_bar_start(day, "1d") for day in days]


def bars(starts: list[int], series: Series = DAILY, **changes: Any) -> Bars:
    count = len(starts)
    columns: dict[str, Any] = {
        "open": [10.0] * count,
        "high": [12.0] * count,
        "low": [9.0] * count,
        "close": [11.0] * count,
        "volume": [100] * count,
    }
    for name, by_row in changes.items():
        for row, value in by_row.items():
            columns[name][row] = value
    return Bars.of(series, start=starts, fetched_at=0, is_synthetic=False, **columns)


def checked(given: Bars, now_ns: int = LATER) -> Checked:
    return check(given, calendar=NYSE, now_ns=now_ns)


def test_good_bars_pass_untouched() -> None:
    given = bars(stamps(WEEK))
    result = checked(given)
    assert result.accepted.table.equals(given.table)
    assert len(result.rejected) == result.still_open == result.reordered == 0


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"open": {1: None}}, "missing_price"),
        ({"close": {1: 0.0}}, "non_positive_price"),
        ({"low": {1: -3.0}}, "non_positive_price"),
        ({"high": {1: float("inf")}}, "non_positive_price"),
        ({"close": {1: float("nan")}}, "non_positive_price"),
        ({"high": {1: 10.5}}, "ohlc_inconsistent"),
        ({"low": {1: 10.5}}, "ohlc_inconsistent"),
        ({"open": {1: 12.01}}, "ohlc_inconsistent"),
        ({"volume": {1: -1}}, "negative_volume"),
    ],
)
def test_a_bar_with_a_bad_value_is_refused_by_name(changes: dict[str, Any], rule: str) -> None:
    result = checked(bars(stamps(WEEK), **changes))
    assert result.rejected.by_rule() == {rule: 1}
    assert result.rejected.table.column("start").to_pylist() == [stamps(WEEK)[1]]
    assert result.accepted.start.tolist() == [stamps(WEEK)[row] for row in (0, 2, 3)]
    assert all(result.rejected.reasons())


def test_a_bar_without_volume_passes() -> None:
    assert len(checked(bars(stamps(WEEK), volume={1: None})).accepted) == 4


def test_bars_out_of_order_are_put_in_order_and_counted() -> None:
    starts = stamps(WEEK)
    result = checked(bars([starts[0], starts[2], starts[1], starts[3]], close={1: 11.5}))
    assert result.accepted.start.tolist() == starts
    assert result.accepted.floats("close").tolist() == [11.0, 11.0, 11.5, 11.0]
    assert result.reordered == 1


def test_a_bar_that_came_twice_is_stored_once() -> None:
    result = checked(bars([*stamps(WEEK), stamps(WEEK)[1]]))
    assert result.accepted.start.tolist() == stamps(WEEK)
    assert result.rejected.by_rule() == {"duplicate": 1}


def test_two_different_bars_for_one_start_are_both_refused() -> None:
    result = checked(bars([*stamps(WEEK), stamps(WEEK)[1]], close={4: 11.7}))
    assert result.accepted.start.tolist() == [stamps(WEEK)[row] for row in (0, 2, 3)]
    assert result.rejected.by_rule() == {"conflicting_duplicate": 2}


def test_both_kinds_of_duplicates_are_told_apart_in_one_batch() -> None:
    starts = stamps(WEEK)
    given = bars([starts[0], starts[0], starts[1], starts[1], starts[2]], close={3: 11.2})
    result = checked(given)
    assert result.accepted.start.tolist() == [starts[0], starts[2]]
    assert result.rejected.by_rule() == {"duplicate": 1, "conflicting_duplicate": 2}


def test_a_bar_of_a_day_without_trading_is_refused() -> None:
    saturday, presidents_day = date(2013, 2, 23), date(2013, 2, 18)
    result = checked(bars(stamps([presidents_day, saturday, *WEEK])))
    assert result.rejected.by_rule() == {"outside_session": 2}


def test_a_daily_bar_with_a_stamp_of_no_period_is_misaligned() -> None:
    starts = stamps(WEEK)
    result = checked(bars([starts[0], starts[1] + 1000, *starts[2:]]))
    assert result.rejected.by_rule() == {"misaligned_start": 1}


def test_a_minute_off_the_grid_is_misaligned_and_one_before_the_open_is_outside() -> None:
    starts = [OPEN - MINUTE, OPEN, OPEN + MINUTE + 1, OPEN + 2 * MINUTE]
    result = checked(bars(starts, MINUTES))
    assert result.rejected.by_rule() == {"misaligned_start": 1, "outside_session": 1}
    assert result.accepted.start.tolist() == [OPEN, OPEN + 2 * MINUTE]


def test_a_bar_of_the_future_is_refused_and_an_open_one_left_out() -> None:
    now = OPEN + 5 * MINUTE
    starts = [OPEN + row * MINUTE for row in range(8)]
    result = checked(bars(starts, MINUTES), now)
    assert result.accepted.start.tolist() == starts[:5]
    assert result.still_open == 1
    assert result.rejected.by_rule() == {"in_the_future": 2}


@pytest.mark.parametrize(("now_ns", "stored"), [(CLOSE - 1, 3), (CLOSE, 4)])
def test_a_day_is_over_at_the_close(now_ns: int, stored: int) -> None:
    result = checked(bars(stamps(WEEK)), now_ns)
    assert len(result.accepted) == stored
    assert result.still_open == 4 - stored


def test_a_half_day_is_over_at_its_early_close() -> None:
    starts = np.array(stamps([date(2012, 11, 23)]))
    [end] = bar_ends(starts, Timeframe.D1, Session.RTH, NYSE)
    assert end == parse_rfc3339("2012-11-23T18:00:00Z")


@pytest.mark.parametrize(
    ("timeframe", "day", "end"),
    [
        ("1w", date(2013, 3, 28), "2013-03-28T20:00:00Z"),  # Good Friday follows
        ("1mo", date(2013, 3, 5), "2013-03-28T20:00:00Z"),
        ("1mo", date(2013, 2, 1), "2013-02-28T21:00:00Z"),
    ],
)
def test_weeks_and_months_end_with_their_last_session(timeframe: str, day: date, end: str) -> None:
    starts = np.array([schwab_bar_start(day, timeframe)])
    [found] = bar_ends(starts, Timeframe(timeframe), Session.RTH, NYSE)
    assert found == parse_rfc3339(end)


def test_the_last_hour_of_a_day_ends_with_the_day() -> None:
    starts = np.array([OPEN, OPEN + 6 * 60 * MINUTE])
    ends = bar_ends(starts, Timeframe.H1, Session.RTH, NYSE)
    assert ends.tolist() == [OPEN + 60 * MINUTE, CLOSE]


def test_bars_of_two_series_are_not_checked_together() -> None:
    mixed = Bars.concat([bars(stamps(WEEK)), bars([OPEN], MINUTES)])
    with pytest.raises(ValueError, match="one series"):
        checked(mixed)


def test_no_bars_pass() -> None:
    assert len(checked(Bars.empty()).accepted) == 0


def test_a_batch_of_nothing_but_bad_bars_leaves_none() -> None:
    result = checked(bars(stamps(WEEK), close=dict.fromkeys(range(4), 0.0)))
    assert len(result.accepted) == 0
    assert len(result.rejected) == 4


def test_the_real_crash_of_apple_passes() -> None:
    from bokeh_sampledata import stocks

    apple = stocks.AAPL
    days = [date.fromisoformat(day) for day in apple["date"]]
    row = days.index(date(2000, 9, 29))
    assert apple["close"][row] / apple["close"][row - 1] == pytest.approx(1 - 0.519, abs=5e-4)
    given = Bars.of(
        DAILY,
        start=schwab_bar_starts(np.array(days, "datetime64[D]"), "1d"),
        open=apple["open"],
        high=apple["high"],
        low=apple["low"],
        close=apple["close"],
        volume=apple["volume"],
        fetched_at=0,
        is_synthetic=False,
    )
    result = checked(given, LATER)
    assert len(result.rejected) == 0
    assert schwab_bar_start(days[row], "1d") in result.accepted.start
    assert find_gaps(result.accepted.start, Timeframe.D1, Session.RTH, NYSE) == ()
