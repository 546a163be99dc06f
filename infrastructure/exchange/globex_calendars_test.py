"""Judge the futures calendars by the exchanges' notices and published holiday schedules."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from infrastructure.clock import ns_from_utc
from infrastructure.exchange.calendar_corrections import easter
from infrastructure.exchange.calendars import calendar

CHICAGO = ZoneInfo("America/Chicago")


def ct(text: str) -> int:
    return ns_from_utc(datetime.fromisoformat(text).replace(tzinfo=CHICAGO))


def test_a_globex_week_runs_from_sunday_evening_to_friday_afternoon_with_a_daily_break() -> None:
    equity = calendar("CME_EQUITY")
    week = equity.sessions(date(2025, 7, 14), date(2025, 7, 18))
    assert week[0].open_ns == ct("2025-07-13T17:00")
    assert week[-1].close_ns == ct("2025-07-18T16:00")
    assert not equity.is_open(ct("2025-07-15T16:30"))
    assert equity.is_open(ct("2025-07-15T17:00"))
    sunday_evening = equity.session_of(ct("2025-07-13T18:00"))
    assert sunday_evening is not None
    assert sunday_evening.date == date(2025, 7, 14)
    assert equity.next_open(ct("2025-07-18T16:00")) == ct("2025-07-20T17:00")


@pytest.mark.parametrize(
    ("name", "day", "close"),
    [
        # DTN, "July 4th 2024 Holiday Exchange Schedule".
        ("CME_EQUITY", "2024-07-03", "12:15"),
        ("CME_RATES", "2024-07-03", "16:00"),
        ("CME_EQUITY", "2024-07-04", "12:00"),
        ("CME_RATES", "2024-07-04", "12:00"),
        ("CME_ENERGY", "2024-07-04", "13:30"),
        ("CME_METALS", "2024-07-04", "13:30"),
        ("CME_FX", "2024-07-04", "16:00"),
        ("CME_GRAINS", "2024-07-03", "13:20"),
        # CME Group, 2024-12-30: day of mourning for President Carter.
        ("CME_EQUITY", "2025-01-09", "08:30"),
        ("CME_RATES", "2025-01-09", "12:15"),
        ("CME_GRAINS", "2025-01-09", "12:15"),
        ("CME_LIVESTOCK", "2025-01-09", "12:15"),
        ("CME_FX", "2025-01-09", "16:00"),
        ("CME_ENERGY", "2025-01-09", "16:00"),
        # CME Group, 2018-12-02: day of mourning for President Bush.
        ("CME_EQUITY", "2018-12-05", "08:30"),
        ("CME_FX", "2018-12-05", "16:00"),
        # CME Group and Reuters, 2012-10-29: hurricane Sandy.
        ("CME_EQUITY", "2012-10-29", "08:15"),
        ("CME_EQUITY", "2012-10-30", "08:15"),
        ("CME_RATES", "2012-10-29", "11:00"),
        ("CME_RATES", "2012-10-30", "16:00"),
    ],
)
def test_futures_close_when_the_exchange_said(name: str, day: str, close: str) -> None:
    assert calendar(name).close_ns(date.fromisoformat(day)) == ct(f"{day}T{close}")


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("CME_RATES", "2018-12-05"),
        ("CME_EQUITY", "2001-09-12"),
        ("CME_GRAINS", "2024-07-04"),
        ("CME_LIVESTOCK", "2024-07-04"),
        ("CME_ENERGY", "2024-12-25"),
        # Good Fridays without a jobs report.
        ("CME_EQUITY", "2024-03-29"),
        ("CME_EQUITY", "2025-04-18"),
        ("CME_RATES", "2025-04-18"),
        ("CME_FX", "2025-04-18"),
        ("CME_ENERGY", "2026-04-03"),
    ],
)
def test_futures_do_not_trade_on_these_days(name: str, day: str) -> None:
    assert not calendar(name).is_session(date.fromisoformat(day))


def test_equity_futures_trade_until_a_quarter_past_eight_on_good_friday_with_jobs_report() -> None:
    # Good Friday 2015: "CME equities closes at 9:15 a.m. EDT".
    for day in ("2015-04-03", "2021-04-02", "2023-04-07"):
        assert calendar("CME_EQUITY").close_ns(date.fromisoformat(day)) == ct(f"{day}T08:15")


def test_equity_futures_hours_changed_with_the_exchange() -> None:
    equity = calendar("CME_EQUITY")
    # Elite Trader's copy of CME's notice: from 2012-11-19 a halt 15:15-15:30 and a close at 16:15.
    assert equity.close_ns(date(2012, 11, 16)) == ct("2012-11-16T15:15")
    assert equity.session(date(2012, 11, 30)).all == (
        (ct("2012-11-29T17:00"), ct("2012-11-30T15:15")),
        (ct("2012-11-30T15:30"), ct("2012-11-30T16:15")),
    )
    # ATAS on the change of 2015-09-21: close at 16:00, the halt stays.
    assert equity.close_ns(date(2015, 9, 18)) == ct("2015-09-18T16:15")
    assert equity.close_ns(date(2015, 9, 21)) == ct("2015-09-21T16:00")
    assert not equity.is_open(ct("2016-12-21T15:20"))
    assert equity.is_open(ct("2025-07-15T15:20"))
    assert not equity.session(date(2012, 11, 30)).is_early_close


def test_grains_pause_in_the_morning_and_skip_the_evening_of_a_holiday() -> None:
    grains = calendar("CME_GRAINS")
    assert grains.session(date(2025, 7, 15)).all == (
        (ct("2025-07-14T19:00"), ct("2025-07-15T07:45")),
        (ct("2025-07-15T08:30"), ct("2025-07-15T13:20")),
    )
    assert not grains.is_open(ct("2025-07-15T08:00"))
    assert grains.open_ns(date(2024, 7, 5)) == ct("2024-07-05T08:30")
    assert grains.open_ns(date(2024, 11, 29)) == ct("2024-11-29T08:30")
    # After a Monday holiday they open on Monday evening.
    assert grains.open_ns(date(2025, 5, 27)) == ct("2025-05-26T19:00")


def test_regular_hours_of_futures_lie_inside_the_globex_session() -> None:
    crude = calendar("CME_ENERGY").session(date(2025, 7, 15))
    assert crude.rth == ((ct("2025-07-15T08:00"), ct("2025-07-15T13:30")),)
    assert crude.ext == (
        (ct("2025-07-14T17:00"), ct("2025-07-15T08:00")),
        (ct("2025-07-15T13:30"), ct("2025-07-15T16:00")),
    )
    # The session ended before regular hours began, so there are none.
    assert calendar("CME_EQUITY").session(date(2018, 12, 5)).rth == ()


def test_a_globex_session_is_an_hour_off_in_utc_between_summer_and_winter() -> None:
    equity = calendar("CME_EQUITY")
    # The clocks go forward at 02:00 on Sunday 2025-03-09; the session opens that evening.
    monday = equity.session(date(2025, 3, 10))
    assert monday.open_ns == ns_from_utc(datetime.fromisoformat("2025-03-09T22:00+00:00"))
    friday = equity.session(date(2025, 3, 7))
    assert friday.open_ns == ns_from_utc(datetime.fromisoformat("2025-03-06T23:00+00:00"))
    assert monday.close_ns - monday.open_ns == friday.close_ns - friday.open_ns


@pytest.mark.parametrize(
    "sunday",
    # Dates of Easter from the United States Naval Observatory's tables.
    ["2000-04-23", "2008-03-23", "2011-04-24", "2024-03-31", "2025-04-20", "2026-04-05"],
)
def test_easter_falls_on_the_tabulated_sunday(sunday: str) -> None:
    day = date.fromisoformat(sunday)
    assert easter(day.year) == day
