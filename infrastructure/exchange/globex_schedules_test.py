"""Judge the futures calendars of 2024 to 2027 by what CME Group published for each holiday.

The tables are CME Group's Globex schedules (cmegroup.com/trading-hours.html, a page a holiday), as
the open project exchange-hours wrote them down with a source a row. Of the same dates, DTN's
"July 4th 2024 Holiday Exchange Schedule" and the 2026 tables of Edge Clear and trade.xyz agree.
The day of mourning 2025-01-09 is from CME Group's release of 2024-12-30.
"""

from __future__ import annotations

import warnings
from datetime import date
from itertools import chain
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from infrastructure.clock import utc_from_ns
from infrastructure.exchange.calendars import Calendar, calendar

CHICAGO = ZoneInfo("America/Chicago")
YEARS = (2024, 2025, 2026, 2027)

# Closed for all groups. CME's pages list no session on these weekdays.
CLOSED = {2024: "01-01 03-29 12-25", 2025: "01-01 04-18 12-25", 2026: "01-01 12-25",
          2027: "01-01 03-26 12-24"}  # fmt: skip
# Good Friday of 2026 is a day of the jobs report: only financial futures trade.
COMMODITIES_CLOSED = {**CLOSED, 2026: "01-01 04-03 12-25"}
FARM_CLOSED = {
    2024: "01-01 01-15 02-19 03-29 05-27 06-19 07-04 09-02 11-28 12-25",
    2025: "01-01 01-20 02-17 04-18 05-26 06-19 07-04 09-01 11-27 12-25",
    2026: "01-01 01-19 02-16 04-03 05-25 06-19 07-03 09-07 11-26 12-25",
    2027: "01-01 01-18 02-15 03-26 05-31 06-18 07-05 09-06 11-25 12-24",
}
ENERGY = {
    2024: "01-15/13:30 02-19/13:30 05-27/13:30 06-19/13:30 07-04/13:30 09-02/13:30 11-28/13:30 "
    "11-29/13:45 12-24/12:45",
    2025: "01-20/13:30 02-17/13:30 05-26/13:30 06-19/13:30 07-04/12:00 09-01/13:30 11-27/13:30 "
    "11-28/13:45 12-24/12:45",
    2026: "01-19/13:30 02-16/13:30 05-25/13:30 06-19/12:00 07-03/12:00 09-07/13:30 11-26/13:30 "
    "11-27/13:45 12-24/12:45",
    2027: "01-18/13:30 02-15/13:30 05-31/13:30 06-18/12:00 07-05/13:30 09-06/13:30 11-25/13:30 "
    "11-26/13:45",
}
SCHEDULES: dict[str, tuple[dict[int, str], dict[int, str]]] = {
    "CME_EQUITY": (
        CLOSED,
        {
            2024: "01-15/12:00 02-19/12:00 05-27/12:00 06-19/12:00 07-03/12:15 07-04/12:00 "
            "09-02/12:00 11-28/12:00 11-29/12:15 12-24/12:15",
            2025: "01-09/08:30 01-20/12:00 02-17/12:00 05-26/12:00 06-19/12:00 07-03/12:15 "
            "07-04/12:00 09-01/12:00 11-27/12:00 11-28/12:15 12-24/12:15",
            2026: "01-19/12:00 02-16/12:00 04-03/08:15 05-25/12:00 06-19/12:00 07-03/12:00 "
            "09-07/12:00 11-26/12:00 11-27/12:15 12-24/12:15",
            2027: "01-18/12:00 02-15/12:00 05-31/12:00 06-18/12:00 07-05/12:00 09-06/12:00 "
            "11-25/12:00 11-26/12:15",
        },
    ),
    "CME_RATES": (
        CLOSED,
        {
            2024: "01-15/12:00 02-19/12:00 05-27/12:00 06-19/12:00 07-04/12:00 09-02/12:00 "
            "11-28/12:00 11-29/12:15 12-24/12:15",
            2025: "01-09/12:15 01-20/12:00 02-17/12:00 05-26/12:00 06-19/12:00 07-04/12:00 "
            "09-01/12:00 11-27/12:00 11-28/12:15 12-24/12:15",
            2026: "01-19/12:00 02-16/12:00 04-03/10:15 05-25/12:00 06-19/12:00 07-03/12:00 "
            "09-07/12:00 11-26/12:00 11-27/12:15 12-24/12:15",
            # CME's page of 2027-07-05 says 13:30 as yet, on which rates never stopped; the time of
            # all other years is expected.
            2027: "01-18/12:00 02-15/12:00 05-31/12:00 06-18/12:00 07-05/12:00 09-06/12:00 "
            "11-25/12:00 11-26/12:15",
        },
    ),
    "CME_FX": (
        CLOSED,
        {
            2024: "11-29/12:15 12-24/12:45",
            2025: "07-04/12:00 11-28/13:45 12-24/12:45",
            2026: "04-03/10:15 06-19/12:00 07-03/12:00 11-27/13:45 12-24/12:45",
            2027: "06-18/12:00 11-26/13:45",
        },
    ),
    "CME_ENERGY": (COMMODITIES_CLOSED, ENERGY),
    "CME_METALS": (COMMODITIES_CLOSED, ENERGY),
    "CME_GRAINS": (
        FARM_CLOSED,
        {2024: "11-29/12:05 12-24/12:05", 2025: "01-09/12:15 11-28/12:05 12-24/12:05",
         2026: "11-27/12:05 12-24/12:05", 2027: "11-26/12:05"},
    ),
    "CME_LIVESTOCK": (
        FARM_CLOSED,
        {2024: "11-29/12:05 12-24/12:15", 2025: "01-09/12:15 11-28/12:05 12-24/12:15",
         2026: "11-27/12:05 12-24/12:05", 2027: "11-26/12:05"},
    ),
}  # fmt: skip
GRAINS_WITHOUT_EVENING = (
    "2024-01-02 2024-07-05 2024-11-29 2024-12-26 2025-01-02 2025-11-28 2025-12-26 2026-01-02 "
    "2026-11-27 2027-07-06 2027-11-26"
)


def closed_weekdays(book: Calendar, year: int) -> set[date]:
    weekdays = np.arange(f"{year}-01-01", f"{year + 1}-01-01", dtype="datetime64[D]")
    weekdays = weekdays[np.is_busday(weekdays)]
    opened = book.session_dates(date(year, 1, 1), date(year, 12, 31))
    return set(np.setdiff1d(weekdays, opened).tolist())


@pytest.mark.parametrize("year", YEARS)
@pytest.mark.parametrize("name", SCHEDULES)
def test_a_group_is_closed_on_exactly_the_published_weekdays(name: str, year: int) -> None:
    listed = SCHEDULES[name][0][year].split()
    assert closed_weekdays(calendar(name), year) == {
        date.fromisoformat(f"{year}-{day}") for day in listed
    }


@pytest.mark.parametrize("year", YEARS)
@pytest.mark.parametrize("name", SCHEDULES)
def test_a_group_stops_early_on_exactly_the_published_days_and_times(name: str, year: int) -> None:
    book = calendar(name)
    found = " ".join(
        f"{day:%m-%d}/{utc_from_ns(book.close_ns(day)).astimezone(CHICAGO):%H:%M}"
        for day in book.early_close_dates(date(year, 1, 1), date(year, 12, 31)).tolist()
    )
    assert found == SCHEDULES[name][1][year]


def test_grains_open_in_the_morning_after_exactly_the_published_holidays() -> None:
    sessions = calendar("CME_GRAINS").sessions(date(2024, 1, 1), date(2027, 12, 31))
    late = [
        session.date.isoformat()
        for session in sessions
        if utc_from_ns(session.open_ns).astimezone(CHICAGO).date() == session.date
    ]
    assert late == GRAINS_WITHOUT_EVENING.split()


def test_the_other_library_agrees_on_the_days_on_which_no_group_trades_but_for_two() -> None:
    import exchange_calendars

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        judge = exchange_calendars.get_calendar("CMES", start="2024-01-01", end="2027-12-31")
    sessions = set(judge.sessions.date)
    ours = set(
        chain.from_iterable(
            calendar(name).session_dates(date(2024, 1, 1), date(2027, 12, 31)).tolist()
            for name in SCHEDULES
        )
    )
    # exchange_calendars closes CME on every Good Friday and on the day of mourning; CME Group
    # traded on the Good Friday of 2026, and its release of 2024-12-30 says until when that day.
    assert ours - sessions == {date(2025, 1, 9), date(2026, 4, 3)}
    assert sessions - ours == set()


@pytest.mark.parametrize("name", ["CBOE_Equity_Options", "CBOE_Index_Options"])
def test_both_libraries_agree_on_the_days_of_cboe_from_2024_to_2027(name: str) -> None:
    import pandas_market_calendars

    judge = pandas_market_calendars.get_calendar(name).valid_days("2024-01-01", "2027-12-31")
    ours = calendar(name.upper()).session_dates(date(2024, 1, 1), date(2027, 12, 31)).tolist()
    assert ours == [stamp.date() for stamp in judge]


def test_cboe_futures_close_on_the_published_half_days_of_2026() -> None:
    # Cboe, "2026 Futures Holiday Schedule": half days on 11-27 and 12-24, until 12:15 in Chicago.
    cfe = calendar("CFE")
    early = cfe.early_close_dates(date(2026, 1, 1), date(2026, 12, 31)).tolist()
    assert early == [date(2026, 11, 27), date(2026, 12, 24)]
    for day in early:
        assert utc_from_ns(cfe.close_ns(day)).astimezone(CHICAGO).strftime("%H:%M") == "12:15"
