"""Judge option expiries by Cboe's and the OCC's published calendars."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.clock import ns_from_utc
from infrastructure.errors import UnknownSymbol
from infrastructure.exchange.calendars import calendar
from infrastructure.exchange.option_expiry import (
    days_to_expiry,
    expiration_date,
    is_monthly_expiry,
    is_weekend_dated,
    last_trade_ns,
    last_trading_date,
    monthly_expiry,
    settlement_ns,
    settlement_of,
)


def ny(text: str) -> int:
    return ns_from_utc(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("America/New_York")))


@pytest.mark.parametrize(
    "day",
    [
        "2024-12-20",
        "2025-01-17",
        "2019-04-18",  # Good Friday
        "2022-04-14",  # Good Friday
        "2025-04-17",  # Good Friday
        "2026-06-18",  # Juneteenth
        "2008-03-20",  # Good Friday
    ],
)
def test_monthly_options_expire_on_the_third_friday_or_the_session_before(day: str) -> None:
    expected = date.fromisoformat(day)
    assert monthly_expiry(expected.year, expected.month) == expected
    assert is_monthly_expiry(expected)


def test_a_third_friday_that_is_a_holiday_is_no_expiry() -> None:
    assert not is_monthly_expiry(date(2025, 4, 18))
    assert not is_monthly_expiry(date(2025, 4, 11))


@pytest.mark.parametrize(
    ("symbol", "settlement", "last_day", "settles"),
    [
        ("SPX   251219C06000000", "AM", "2025-12-18", "2025-12-19T09:30"),
        ("SPXW  251219C06000000", "PM", "2025-12-19", "2025-12-19T16:00"),
        ("AAPL  251219C00200000", "PM", "2025-12-19", "2025-12-19T16:00"),
        ("AAPL1 251219C00200000", "PM", "2025-12-19", "2025-12-19T16:00"),
        ("NDX   251219C20000000", "AM", "2025-12-18", "2025-12-19T09:30"),
        ("NDXP  251219C20000000", "PM", "2025-12-19", "2025-12-19T16:00"),
        ("RUT   251219C02000000", "AM", "2025-12-18", "2025-12-19T09:30"),
        ("RUTW  251219C02000000", "PM", "2025-12-19", "2025-12-19T16:00"),
        ("XSP   251219C00600000", "PM", "2025-12-19", "2025-12-19T16:00"),
        # VIX settles on Wednesday's opening and trades to Tuesday.
        ("VIX   250122C00020000", "AM", "2025-01-21", "2025-01-22T09:30"),
        # Good Friday: expires on Thursday, the AM class stops on Wednesday.
        ("SPX   250417C05000000", "AM", "2025-04-16", "2025-04-17T09:30"),
        # The day after Thanksgiving closes at one.
        ("SPXW  251128C06000000", "PM", "2025-11-28", "2025-11-28T13:00"),
        ("AAPL  251128C00200000", "PM", "2025-11-28", "2025-11-28T13:00"),
        # Summer time.
        ("SPY   250718C00600000", "PM", "2025-07-18", "2025-07-18T16:00"),
    ],
)
def test_options_settle_at_the_opening_or_the_close(
    symbol: str, settlement: str, last_day: str, settles: str
) -> None:
    assert settlement_of(symbol) == settlement
    assert last_trading_date(symbol) == date.fromisoformat(last_day)
    assert settlement_ns(symbol) == ny(settles)


def test_am_settled_options_trade_to_a_quarter_past_four_on_the_day_before() -> None:
    assert last_trade_ns("SPX   251219C06000000") == ny("2025-12-18T16:15")
    assert last_trade_ns("SPXW  251219C06000000") == ny("2025-12-19T16:00")
    assert last_trade_ns("SPXW  251128C06000000") == ny("2025-11-28T13:00")


def test_symbols_dated_on_saturday_settle_on_friday() -> None:
    # Until February 2015 monthly symbols carried the day after the third Friday.
    symbol = "AAPL  130316C00450000"
    assert is_weekend_dated(symbol)
    assert expiration_date(symbol) == date(2013, 3, 15)
    assert settlement_ns(symbol) == ny("2013-03-15T16:00")
    assert not is_weekend_dated("AAPL  251219C00200000")


def test_days_to_expiry_are_calendar_days() -> None:
    assert days_to_expiry("AAPL  251219C00200000", date(2025, 12, 12)) == 7
    assert days_to_expiry("AAPL  251219C00200000", date(2025, 12, 19)) == 0
    assert days_to_expiry("AAPL  251219C00200000", date(2025, 12, 20)) == -1


def test_what_is_no_option_has_no_expiry() -> None:
    with pytest.raises(UnknownSymbol, match="'AAPL' is not an option symbol"):
        settlement_ns("AAPL")


@settings(deadline=None)
@given(st.integers(2000, 2060), st.integers(1, 12))
def test_every_monthly_expiry_is_a_session_in_the_third_week(year: int, month: int) -> None:
    day = monthly_expiry(year, month)
    assert calendar("XNYS").is_session(day)
    assert 14 <= day.day <= 21
    assert day.weekday() in (3, 4)
