"""Judge the NYSE and Cboe calendars by published lists and by a second library."""

import warnings
from datetime import date, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from infrastructure.clock import ns_from_utc, parse_rfc3339
from infrastructure.errors import InputError, NoDataError
from infrastructure.exchange.calendars import Calendar, calendar, calendar_names

NEW_YORK = ZoneInfo("America/New_York")

# NYSE Group's press lists of holidays and early closings, written off by hand.
NYSE_HOLIDAYS = {
    2024: "01-01 01-15 02-19 03-29 05-27 06-19 07-04 09-02 11-28 12-25",
    # 01-09 is the day of mourning for President Carter, announced on 2024-12-30.
    2025: "01-01 01-09 01-20 02-17 04-18 05-26 06-19 07-04 09-01 11-27 12-25",
    2026: "01-01 01-19 02-16 04-03 05-25 06-19 07-03 09-07 11-26 12-25",
    2027: "01-01 01-18 02-15 03-26 05-31 06-18 07-05 09-06 11-25 12-24",
    2028: "01-17 02-21 04-14 05-29 06-19 07-04 09-04 11-23 12-25",
}
NYSE_EARLY_CLOSES = {
    2024: "07-03 11-29 12-24",
    2025: "07-03 11-28 12-24",
    2026: "11-27 12-24",
    2027: "11-26",
    2028: "07-03 11-24",
}
# Late openings and one early stop that pandas_market_calendars records and exchange_calendars does
# not: moments of silence, the first anniversary of the attacks, a system failure.
IRREGULAR = "2001-09-17 2001-10-08 2002-09-11 2003-03-20 2004-06-07 2005-06-01 2006-12-27"


def dates(year: int, listed: str) -> list[date]:
    return [date.fromisoformat(f"{year}-{day}") for day in listed.split()]


def ny(text: str) -> int:
    return ns_from_utc(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK))


@pytest.fixture(scope="module")
def nyse() -> Calendar:
    return calendar("NYSE")


@pytest.mark.parametrize("year", NYSE_HOLIDAYS)
def test_nyse_is_closed_on_weekends_and_exactly_the_published_holidays(
    nyse: Calendar, year: int
) -> None:
    weekdays = np.arange(f"{year}-01-01", f"{year + 1}-01-01", dtype="datetime64[D]")
    weekdays = weekdays[np.is_busday(weekdays)]
    open_days = nyse.session_dates(date(year, 1, 1), date(year, 12, 31))
    assert np.setdiff1d(weekdays, open_days).tolist() == dates(year, NYSE_HOLIDAYS[year])
    assert np.setdiff1d(open_days, weekdays).size == 0


@pytest.mark.parametrize("year", NYSE_EARLY_CLOSES)
def test_nyse_closes_at_one_on_exactly_the_published_days(nyse: Calendar, year: int) -> None:
    early = dates(year, NYSE_EARLY_CLOSES[year])
    assert nyse.early_close_dates(date(year, 1, 1), date(year, 12, 31)).tolist() == early
    for day in early:
        assert nyse.close_ns(day) == ny(f"{day}T13:00")
        assert nyse.session_minutes(day) == 210
        assert nyse.session(day).is_early_close


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2001-09-11", "2001-09-14"),  # the attacks
        ("2012-10-29", "2012-10-30"),  # hurricane Sandy
        ("2025-01-09", "2025-01-09"),  # mourning for President Carter
        ("1985-09-27", "1985-09-27"),  # hurricane Gloria
    ],
)
def test_one_off_closures_are_known(nyse: Calendar, first: str, last: str) -> None:
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    assert nyse.session_dates(start, end).size == 0
    assert nyse.is_session(nyse.previous_session(start).date)


@pytest.mark.parametrize(
    ("day", "open_utc"),
    [
        ("2025-03-07", "2025-03-07T14:30:00Z"),  # Friday before clocks go forward
        ("2025-03-10", "2025-03-10T13:30:00Z"),
        ("2025-10-31", "2025-10-31T13:30:00Z"),  # Friday before clocks go back
        ("2025-11-03", "2025-11-03T14:30:00Z"),
        ("2006-04-03", "2006-04-03T13:30:00Z"),  # the first Sunday of April until 2006
    ],
)
def test_opening_follows_the_clock_changes(nyse: Calendar, day: str, open_utc: str) -> None:
    assert nyse.open_ns(date.fromisoformat(day)) == parse_rfc3339(open_utc)
    assert nyse.session_minutes(date.fromisoformat(day)) == 390


def test_both_libraries_agree_on_the_nyse_from_2000_to_2027(nyse: Calendar) -> None:
    import pandas_market_calendars

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        judge = pandas_market_calendars.get_calendar("NYSE").schedule("2000-01-01", "2027-12-31")
    sessions = nyse.sessions(date(2000, 1, 1), date(2027, 12, 31))
    assert [session.date for session in sessions] == [stamp.date() for stamp in judge.index]
    hours = zip(judge["market_open"], judge["market_close"], strict=True)
    differing = {
        session.date.isoformat()
        for session, (opened, closed) in zip(sessions, hours, strict=True)
        if (session.open_ns, session.close_ns)
        != (ns_from_utc(opened.to_pydatetime()), ns_from_utc(closed.to_pydatetime()))
    }
    assert differing == set(IRREGULAR.split())


def test_nyse_opened_at_ten_until_september_1985(nyse: Calendar) -> None:
    assert nyse.open_ns(date(1985, 9, 26)) == ny("1985-09-26T10:00")
    assert nyse.open_ns(date(1985, 9, 30)) == ny("1985-09-30T09:30")


def test_extended_hours_run_from_seven_to_eight_and_to_five_on_half_days(nyse: Calendar) -> None:
    usual, half = nyse.session(date(2024, 11, 27)), nyse.session(date(2024, 11, 29))
    assert usual.all == ((ny("2024-11-27T07:00"), ny("2024-11-27T20:00")),)
    assert usual.ext == (
        (ny("2024-11-27T07:00"), ny("2024-11-27T09:30")),
        (ny("2024-11-27T16:00"), ny("2024-11-27T20:00")),
    )
    assert half.all == ((ny("2024-11-29T07:00"), ny("2024-11-29T17:00")),)
    assert half.ext[1] == (ny("2024-11-29T13:00"), ny("2024-11-29T17:00"))


def test_open_and_closed_instants_are_told_apart_to_the_nanosecond(nyse: Calendar) -> None:
    opened, closed = ny("2025-07-02T09:30"), ny("2025-07-02T16:00")
    assert not nyse.is_open(opened - 1)
    assert nyse.is_open(opened)
    assert nyse.is_open(closed - 1)
    assert not nyse.is_open(closed)
    assert nyse.is_open(closed, "ext")
    assert nyse.is_open(closed, "all")
    assert not nyse.is_open(ny("2025-07-04T12:00"), "all")
    assert not nyse.is_open(ny("2025-07-05T12:00"), "all")


def test_session_of_finds_the_trading_date_of_an_instant(nyse: Calendar) -> None:
    evening = nyse.session_of(ny("2025-07-02T19:59"), "all")
    assert evening is not None
    assert evening.date == date(2025, 7, 2)
    assert nyse.session_of(ny("2025-07-02T19:59")) is None
    assert nyse.session_of(ny("2025-07-04T12:00"), "all") is None


def test_next_open_and_close_skip_holidays_and_weekends(nyse: Calendar) -> None:
    after_half_day = ny("2025-07-03T13:00") + 1
    assert nyse.next_open(after_half_day) == ny("2025-07-07T09:30")
    assert nyse.next_open(ny("2025-07-07T09:30")) == ny("2025-07-07T09:30")
    assert nyse.next_close(ny("2025-07-03T10:00")) == ny("2025-07-03T13:00")
    assert nyse.next_open(after_half_day, "ext") == ny("2025-07-07T07:00")


def test_neighbouring_sessions_are_found_from_any_date(nyse: Calendar) -> None:
    assert nyse.previous_session(date(2025, 7, 5)).date == date(2025, 7, 3)
    assert nyse.previous_session(date(2025, 7, 3)).date == date(2025, 7, 2)
    assert nyse.next_session(date(2025, 7, 3)).date == date(2025, 7, 7)
    assert nyse.last_closed_session(ny("2025-07-03T13:00")).date == date(2025, 7, 3)
    assert nyse.last_closed_session(ny("2025-07-03T12:59")).date == date(2025, 7, 2)


def test_calendar_grows_to_four_years_beyond_a_date_asked_for() -> None:
    book = Calendar("XNYS")
    assert book.is_session(date(2013, 2, 28))
    assert book.next_session(date(2041, 12, 24)).date == date(2041, 12, 26)
    assert book.is_session(date(2044, 3, 1))


def test_dates_out_of_range_are_refused_with_the_range(nyse: Calendar) -> None:
    with pytest.raises(InputError, match="expected a date from 1985-01-01 to 2100-12-31"):
        nyse.is_session(date(1984, 12, 31))
    with pytest.raises(InputError, match="outside the calendar XNYS"):
        nyse.sessions(date(2025, 1, 1), date(2101, 1, 1))
    with pytest.raises(InputError, match="has no session before 1985-01-02"):
        nyse.previous_session(date(1985, 1, 2))


def test_a_closed_day_has_no_session_and_the_error_names_the_one_before(nyse: Calendar) -> None:
    with pytest.raises(NoDataError, match=r"2025-07-04 is not a session of XNYS.*2025-07-03"):
        nyse.session(date(2025, 7, 4))


def test_hours_that_a_market_does_not_have_are_refused() -> None:
    with pytest.raises(NoDataError, match="CBOE_EQUITY_OPTIONS has no 'ext' hours"):
        calendar("CBOE_EQUITY_OPTIONS").next_open(ny("2025-07-02T12:00"), "ext")


def test_nothing_had_closed_before_the_calendar_begins(nyse: Calendar) -> None:
    with pytest.raises(InputError, match="no session that ended by 1985-01-02"):
        nyse.last_closed_session(ny("1985-01-02T12:00"))


def test_a_calendar_is_shown_as_the_call_that_makes_it(nyse: Calendar) -> None:
    assert repr(nyse) == "calendar('XNYS')"


def test_an_unknown_calendar_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match="Did you mean CME_RATES"):
        calendar("CME_RATE")
    assert calendar("nasdaq") is calendar("XNYS")


@pytest.mark.parametrize("name", calendar_names())
def test_every_calendar_has_ordered_spans_and_disjoint_kinds(name: str) -> None:
    for session in calendar(name).sessions(date(2012, 6, 1), date(2013, 3, 31)):
        pieces = sorted(session.rth + session.ext)
        assert all(start < end for start, end in pieces)
        assert all(a[1] <= b[0] for a, b in pairwise(pieces))
        covered = sum(end - start for start, end in pieces)
        assert covered == sum(end - start for start, end in session.all)
        assert session.open_ns < session.close_ns


def test_index_options_close_a_quarter_hour_after_stocks() -> None:
    index, single = calendar("CBOE_INDEX_OPTIONS"), calendar("CBOE_EQUITY_OPTIONS")
    assert index.close_ns(date(2025, 7, 2)) == ny("2025-07-02T16:15")
    assert single.close_ns(date(2025, 7, 2)) == ny("2025-07-02T16:00")
    # Cboe's holiday schedule: half days end at 13:15 for index options, 13:00 for the others.
    assert index.close_ns(date(2025, 12, 24)) == ny("2025-12-24T13:15")
    assert single.close_ns(date(2025, 12, 24)) == ny("2025-12-24T13:00")


def test_cboe_trades_on_the_days_of_the_nyse(nyse: Calendar) -> None:
    start, end = date(2000, 1, 1), date(2027, 12, 31)
    for name in ("CBOE_EQUITY_OPTIONS", "CBOE_INDEX_OPTIONS"):
        assert np.array_equal(
            calendar(name).session_dates(start, end), nyse.session_dates(start, end)
        )


def test_global_and_curb_hours_of_index_options_lie_around_regular_ones() -> None:
    monday = calendar("CBOE_INDEX_OPTIONS").session(date(2025, 7, 7))
    assert monday.ext == (
        (ny("2025-07-06T20:15"), ny("2025-07-07T09:15")),
        (ny("2025-07-07T16:15"), ny("2025-07-07T17:00")),
    )
    assert calendar("CBOE_INDEX_OPTIONS").session(date(2014, 7, 7)).ext == ()
