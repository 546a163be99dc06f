from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from infrastructure.clock import parse_rfc3339, rfc3339
from infrastructure.exchange.calendars import calendar
from system.algo_trader.jobs.plan import MAIN_PLAN, Lookback, extension, first_start, plan
from system.algo_trader.market.bars import Bars, Series
from system.algo_trader.market.timeframe import Timeframe

NYSE = calendar("XNYS")
NOW = parse_rfc3339("2013-03-01T21:00:01Z")


@dataclass
class Stored:
    starts: dict[Series, list[int]] = field(default_factory=dict)

    def last(self, count: int, series: Series) -> Bars:
        starts = self.starts.get(series, [])[-count:]
        one = [1.0] * len(starts)
        return Bars.of(
            series, start=starts, open=one, high=one, low=one, close=one,
            volume=[1] * len(starts), fetched_at=0, is_synthetic=False,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("lookback", "now", "start"),
    [
        (Lookback(Timeframe.D1, years=1), "2013-03-01T21:00:01Z", "2012-03-01T06:00:00Z"),
        # 1 March 2008 was a Saturday: its week began on Monday, 25 February.
        (Lookback(Timeframe.W1, years=5), "2013-03-01T21:00:01Z", "2008-02-25T06:00:00Z"),
        (Lookback(Timeframe.MO1, years=20), "2013-03-15T21:00:01Z", "1993-03-01T06:00:00Z"),
        (Lookback(Timeframe.D1, years=1), "2012-02-29T21:00:00Z", "2011-02-28T06:00:00Z"),
        (Lookback(Timeframe.M1, sessions=5), "2013-03-01T21:00:01Z", "2013-02-25T14:30:00Z"),
        # Before the open the running day has not begun; Monday the 18th was a holiday.
        (Lookback(Timeframe.M1, sessions=5), "2013-02-22T14:00:00Z", "2013-02-14T14:30:00Z"),
        (Lookback(Timeframe.M5, years=1), "2013-03-01T21:00:01Z", "2012-03-01T06:00:00Z"),
    ],
)
def test_a_lookback_begins_with_a_whole_period(lookback: Lookback, now: str, start: str) -> None:
    assert rfc3339(first_start(lookback, parse_rfc3339(now), NYSE)) == start


def test_a_plan_asks_for_every_series_up_to_now() -> None:
    wanted = [(Series("AAPL", each.timeframe), each) for each in MAIN_PLAN]
    requests = plan(wanted, now_ns=NOW, calendar=NYSE, stored=Stored())
    assert [str(request.timeframe) for request in requests] == ["1d", "1w", "1mo", "1m"]
    assert {request.end_ns for request in requests} == {NOW}


def test_a_plan_reaches_back_to_the_twentieth_last_stored_bar() -> None:
    series = Series("AAPL", Timeframe.M1)
    old = parse_rfc3339("2013-01-07T14:30:00Z")
    stored = Stored({series: [old + row * 60_000_000_000 for row in range(390)]})
    [request] = plan(
        [(series, Lookback(Timeframe.M1, sessions=5))], now_ns=NOW, calendar=NYSE, stored=stored
    )
    assert rfc3339(request.start_ns) == "2013-01-07T20:40:00Z"


def test_an_extension_reads_twenty_stored_bars_again_and_skips_what_is_not_stored() -> None:
    series, other = Series("AAPL", Timeframe.D1), Series("MSFT", Timeframe.D1)
    stored = Stored({series: list(range(100, 130))})
    [request] = extension([series, other], now_ns=NOW, stored=stored)
    assert (request.symbol, request.start_ns, request.end_ns) == ("AAPL", 110, NOW)


def test_a_lookback_reads_as_the_issue_writes_it() -> None:
    assert [str(each) for each in MAIN_PLAN] == [
        "1d x 1 year",
        "1w x 5 years",
        "1mo x 20 years",
        "1m x 5 days",
    ]
