"""Judge the bars that should exist by counting them by hand."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.clock import ns_from_utc, parse_rfc3339, rfc3339
from infrastructure.errors import InputError
from infrastructure.exchange.bar_starts import bar_starts_in_spans
from infrastructure.exchange.calendars import calendar
from infrastructure.exchange.session import SessionKind

NEW_YORK = ZoneInfo("America/New_York")
NYSE = calendar("XNYS")


def ny(text: str) -> int:
    return ns_from_utc(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK))


def starts(timeframe: str, first: str, last: str, session: SessionKind = "rth") -> list[str]:
    found = NYSE.expected_bar_starts(timeframe, ny(f"{first}T00:00"), ny(f"{last}T00:00"), session)
    local = [
        datetime.fromisoformat(rfc3339(ns).replace("Z", "+00:00")).astimezone(NEW_YORK)
        for ns in found.tolist()
    ]
    return [f"{moment:%m-%d %H:%M}" for moment in local]


@pytest.mark.parametrize(
    ("timeframe", "usual", "half"),
    [
        ("1s", 23_400, 12_600),
        ("1m", 390, 210),
        ("5m", 78, 42),
        ("10m", 39, 21),
        ("15m", 26, 14),
        ("30m", 13, 7),
        ("1h", 7, 4),
        ("4h", 2, 1),
        ("1d", 1, 1),
    ],
)
def test_a_session_holds_as_many_bars_as_its_length_allows(
    timeframe: str, usual: int, half: int
) -> None:
    counts = [
        NYSE.expected_bar_starts(timeframe, ny(f"2024-11-{day}T00:00"), ny(f"{following}T00:00"))
        for day, following in ((27, "2024-11-28"), (28, "2024-11-29"), (29, "2024-11-30"))
    ]
    assert [found.size for found in counts] == [usual, 0, half]


def test_intraday_bars_are_counted_from_the_opening() -> None:
    assert starts("1h", "2024-11-29", "2024-11-30") == [
        "11-29 09:30",
        "11-29 10:30",
        "11-29 11:30",
        "11-29 12:30",
    ]
    assert starts("1h", "2024-11-27", "2024-11-28")[-1] == "11-27 15:30"
    assert starts("4h", "2024-11-27", "2024-11-28", "all") == [
        "11-27 07:00",
        "11-27 11:00",
        "11-27 15:00",
        "11-27 19:00",
    ]


def test_extended_bars_are_those_outside_regular_hours() -> None:
    assert starts("1h", "2024-11-29", "2024-11-30", "ext") == [
        "11-29 07:00",
        "11-29 08:00",
        "11-29 09:00",
        "11-29 13:00",
        "11-29 14:00",
        "11-29 15:00",
        "11-29 16:00",
    ]
    minutes = {kind: starts("1m", "2024-11-25", "2024-12-02", kind) for kind in ("rth", "ext")}
    assert sorted(minutes["rth"] + minutes["ext"]) == starts(
        "1m", "2024-11-25", "2024-12-02", "all"
    )


def test_a_stretch_inside_a_session_cuts_bars_by_their_start() -> None:
    found = NYSE.expected_bar_starts("5m", ny("2024-11-27T09:31"), ny("2024-11-27T09:45"))
    assert found.tolist() == [ny("2024-11-27T09:35"), ny("2024-11-27T09:40")]


def test_daily_bars_carry_midnight_in_chicago() -> None:
    found = NYSE.expected_bar_starts("1d", ny("2025-03-07T00:00"), ny("2025-03-11T00:00"))
    assert [rfc3339(ns) for ns in found.tolist()] == [
        "2025-03-07T06:00:00Z",
        "2025-03-10T05:00:00Z",
    ]


def test_weekly_bars_carry_their_monday_even_when_it_is_a_holiday() -> None:
    found = NYSE.expected_bar_starts("1w", ny("2025-01-13T00:00"), ny("2025-02-03T00:00"))
    # 2025-01-20 is Martin Luther King's day.
    assert [rfc3339(ns)[:10] for ns in found.tolist()] == ["2025-01-13", "2025-01-20", "2025-01-27"]


def test_monthly_bars_carry_the_first_of_the_month_even_on_a_weekend() -> None:
    found = NYSE.expected_bar_starts("1mo", ny("2025-01-01T00:00"), ny("2025-04-02T00:00"))
    assert [rfc3339(ns) for ns in found.tolist()] == [
        "2025-01-01T06:00:00Z",
        "2025-02-01T06:00:00Z",
        "2025-03-01T06:00:00Z",
        "2025-04-01T05:00:00Z",
    ]


def test_a_year_of_daily_bars_has_a_bar_a_session() -> None:
    # NYSE: 252 trading days in 2024, 250 in 2025.
    for year, count in ((2024, 252), (2025, 250)):
        begin, end = ny(f"{year}-01-01T00:00"), ny(f"{year + 1}-01-01T00:00")
        assert NYSE.expected_bar_starts("1d", begin, end).size == count


def test_twenty_years_of_minutes_come_at_once_and_in_order() -> None:
    found = NYSE.expected_bar_starts("1m", ny("2005-01-03T00:00"), ny("2025-01-01T00:00"))
    sessions = NYSE.sessions(date(2005, 1, 3), date(2024, 12, 31))
    assert found.size == sum(NYSE.session_minutes(session.date) for session in sessions)
    assert bool(np.all(np.diff(found) > 0))


def test_an_empty_stretch_has_no_bars() -> None:
    moment = ny("2024-11-27T10:00")
    for timeframe in ("1m", "1d"):
        assert NYSE.expected_bar_starts(timeframe, moment, moment).size == 0


def test_grain_bars_start_anew_after_the_morning_pause() -> None:
    begin = parse_rfc3339("2025-07-15T00:00:00Z")
    found = calendar("CME_GRAINS").expected_bar_starts("4h", begin, begin + 86_400 * 10**9, "all")
    # 19:00 to 07:45 and 08:30 to 13:20 in Chicago, five hours behind UTC.
    assert [rfc3339(ns)[11:16] for ns in found.tolist()] == [
        "00:00",
        "04:00",
        "08:00",
        "12:00",
        "13:30",
        "17:30",
    ]


def test_unknown_timeframes_and_sessions_are_refused() -> None:
    with pytest.raises(InputError, match="unknown timeframe '2h', expected one of 1s, 1m"):
        NYSE.expected_bar_starts("2h", 0, 1)
    with pytest.raises(InputError, match="unknown session 'night'"):
        NYSE.expected_bar_starts("1m", 0, 1, "night")  # type: ignore[arg-type]


@settings(deadline=None)
@given(
    lengths=st.lists(st.tuples(st.integers(1, 50), st.integers(0, 20)), min_size=1, max_size=5),
    step=st.integers(1, 17),
    window=st.tuples(st.integers(-20, 250), st.integers(-20, 250)),
)
def test_bar_starts_equal_a_plain_count_over_the_spans(
    lengths: list[tuple[int, int]], step: int, window: tuple[int, int]
) -> None:
    spans, clock = [], 0
    for length, pause in lengths:
        spans.append((clock, clock + length))
        clock += length + pause
    expected = [
        start
        for opened, closed in spans
        for start in range(opened, closed, step)
        if window[0] <= start < window[1]
    ]
    found = bar_starts_in_spans(np.array(spans, dtype=np.int64), step, *window)
    assert found.tolist() == expected


@pytest.mark.parametrize("timeframe", ["1m", "30m", "1d", "1w", "1mo"])
def test_neighbouring_stretches_add_up_to_the_whole(timeframe: str) -> None:
    begin, middle = ny("2024-11-01T00:00"), ny("2024-12-03T11:11")
    end = middle + int(timedelta(days=45).total_seconds()) * 10**9
    parts = [
        NYSE.expected_bar_starts(timeframe, begin, middle),
        NYSE.expected_bar_starts(timeframe, middle, end),
    ]
    whole = NYSE.expected_bar_starts(timeframe, begin, end)
    assert np.concatenate(parts).tolist() == whole.tolist()
