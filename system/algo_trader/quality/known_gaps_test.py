"""Judge by the exchange's calendar which days a recorded gap touches, and what the page says."""

from dataclasses import replace
from datetime import date

import numpy as np

from infrastructure.exchange.calendars import calendar
from system.algo_trader.market.stream_gap import GapState, StreamGap
from system.algo_trader.market.timeframe import Session, Timeframe
from system.algo_trader.quality.coverage import coverage
from system.algo_trader.quality.coverage_page import coverage_page
from system.algo_trader.quality.known_gaps import gaps_by_day

HOURS = calendar("XNYS")
DAYS = HOURS.sessions(date(2024, 7, 2), date(2024, 7, 5))
MINUTE = 60_000_000_000
GAP = StreamGap(
    service="LEVELONE_EQUITIES", source="schwab", run_id="r", reason="disconnected",
    start_ns=DAYS[0].close_ns - MINUTE, end_ns=DAYS[1].open_ns + MINUTE, missing=None,
    instruments=2, symbols=("AAPL", "MSFT"), state=GapState.BACKFILLED, filled=2, absent=0,
    recorded_at=1,
)  # fmt: skip


def test_a_gap_over_night_touches_both_days_and_its_symbols_only() -> None:
    assert [day.date for day in DAYS] == [date(2024, 7, 2), date(2024, 7, 3), date(2024, 7, 5)]
    found = gaps_by_day("AAPL", DAYS, [GAP])
    assert found == {date(2024, 7, 2): [GAP], date(2024, 7, 3): [GAP]}
    assert gaps_by_day("IBM", DAYS, [GAP]) == {}
    everybody = replace(GAP, symbols=())
    assert list(gaps_by_day("IBM", DAYS, [everybody])) == [date(2024, 7, 2), date(2024, 7, 3)]


def test_a_gap_on_the_holiday_touches_no_day() -> None:
    noon = DAYS[1].close_ns + 24 * 60 * MINUTE
    assert gaps_by_day("AAPL", DAYS, [replace(GAP, start_ns=noon, end_ns=noon + MINUTE)]) == {}


def test_the_page_marks_the_day_and_names_the_gap() -> None:
    row = coverage(
        "AAPL", np.empty(0, dtype=np.int64), Timeframe.M1, Session.RTH, HOURS, days=DAYS,
        now_ns=DAYS[-1].close_ns,
    )  # fmt: skip
    page = coverage_page("t", "s", [row], {"AAPL": gaps_by_day("AAPL", DAYS, [GAP])})
    assert page.count('class="gap"') == 2
    assert page.count("LEVELONE_EQUITIES disconnected, 2024-07-02T19:59:00Z") == 3
    assert "2024-07-03T13:31:00Z, backfilled" in page
    assert coverage_page("t", "s", [row]).count('class="gap"') == 0
