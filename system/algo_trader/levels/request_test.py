from datetime import date

import pytest

from infrastructure.clock import parse_rfc3339
from infrastructure.errors import InputError
from infrastructure.exchange.calendars import calendar
from system.algo_trader.levels.request import LevelSession, LevelsRequest, VwapKind, windows

NYSE = calendar("XNYS")
GLOBEX = calendar("CME_EQUITY")


def request(
    day: date, session: LevelSession = LevelSession.RTH, anchor_ns: int | None = None
) -> LevelsRequest:
    return LevelsRequest("AAPL", "aapl", day, session, anchor_ns=anchor_ns)


def test_a_monday_stands_on_the_friday_before() -> None:
    times = windows(request(date(2013, 3, 4)), NYSE)
    assert times.prior_date == date(2013, 3, 1)
    assert times.prior_start_ns == parse_rfc3339("2013-03-01T14:30:00Z")
    assert times.prior_end_ns == parse_rfc3339("2013-03-01T21:00:00Z")
    assert times.vwap_start_ns == parse_rfc3339("2013-03-04T14:30:00Z")
    assert times.vwap_end_ns == parse_rfc3339("2013-03-04T21:00:00Z")


def test_a_holiday_and_a_half_day_are_the_calendars_business() -> None:
    # The Friday after Thanksgiving closes at 13:00 and stands on the Wednesday.
    times = windows(request(date(2012, 11, 23)), NYSE)
    assert times.prior_date == date(2012, 11, 21)
    assert times.vwap_end_ns == parse_rfc3339("2012-11-23T18:00:00Z")


def test_the_session_before_may_be_a_half_day_or_lie_behind_a_holiday() -> None:
    # The Monday after Thanksgiving stands on Friday's half day, with its early end.
    times = windows(request(date(2012, 11, 26)), NYSE)
    assert times.prior_date == date(2012, 11, 23)
    assert times.prior_end_ns == parse_rfc3339("2012-11-23T18:00:00Z")
    # The Tuesday after Presidents' Day stands on the Friday before it.
    assert windows(request(date(2013, 2, 19)), NYSE).prior_date == date(2013, 2, 15)
    # Good Friday of 2021: Globex closed at 09:15 New York, before any regular hours.
    monday = date(2021, 4, 5)
    assert windows(request(monday), GLOBEX).prior_date == date(2021, 4, 1)
    all_hours = windows(request(monday, LevelSession.ETH), GLOBEX)
    assert all_hours.prior_date == date(2021, 4, 2)
    assert all_hours.prior_end_ns == parse_rfc3339("2021-04-02T13:15:00Z")


def test_all_hours_begin_before_and_end_after_the_regular_ones() -> None:
    times = windows(request(date(2013, 3, 1), LevelSession.ETH), NYSE)
    assert times.prior_start_ns == parse_rfc3339("2013-02-28T12:00:00Z")
    assert times.vwap_end_ns == parse_rfc3339("2013-03-02T01:00:00Z")


def test_all_hours_of_a_future_begin_on_the_evening_before() -> None:
    times = windows(request(date(2024, 3, 5), LevelSession.ETH), GLOBEX)
    assert times.vwap_start_ns == parse_rfc3339("2024-03-04T23:00:00Z")
    assert times.vwap_end_ns == parse_rfc3339("2024-03-05T22:00:00Z")


def test_an_anchor_may_lie_days_back_but_not_after_the_session() -> None:
    anchor = parse_rfc3339("2013-02-25T14:30:00Z")
    anchored = request(date(2013, 3, 1), anchor_ns=anchor)
    assert anchored.vwap_kind is VwapKind.ANCHORED
    assert windows(anchored, NYSE).vwap_start_ns == anchor
    late = request(date(2013, 3, 1), anchor_ns=parse_rfc3339("2013-03-01T21:00:00Z"))
    with pytest.raises(InputError, match="lies after the session"):
        windows(late, NYSE)


def test_a_day_without_a_session_is_refused_with_the_one_before() -> None:
    with pytest.raises(InputError, match="2013-03-02 is not a session of XNYS") as told:
        windows(request(date(2013, 3, 2)), NYSE)
    assert "2013-03-01" in str(told.value)
