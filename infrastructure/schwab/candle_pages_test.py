"""A server with a depth, of which the pages must bring exactly what a plain filter brings."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.clock import ns_from_utc
from infrastructure.errors import UsageError
from infrastructure.schwab.candle_pages import Page, Span, asked_span, gather
from infrastructure.schwab.candles import Candle, CandleList
from infrastructure.schwab.enums import CandleTimeframe

DAY_MS = 86_400_000
NOW = datetime(2025, 6, 18, 21, tzinfo=UTC)
NOW_MS = ns_from_utc(NOW) // 10**6


def server(step_ms: int, depth_days: int, asked: list[tuple[int, int]]) -> Page:
    """Return a page that holds a candle each step, back to its depth and no further."""

    def page(start_ms: int, end_ms: int) -> CandleList:
        asked.append((start_ms, end_ms))
        first = max(start_ms, NOW_MS - depth_days * DAY_MS)
        stamps = range(-(-first // step_ms) * step_ms, min(end_ms, NOW_MS) + 1, step_ms)
        candles = tuple(
            Candle(open=1.0, high=1.0, low=1.0, close=1.0, volume=1, datetime=stamp)
            for stamp in stamps
        )
        return CandleList(symbol="AAPL", candles=candles)

    return page


def span(start_days: float, end_days: float = 0) -> Span:
    ends = (NOW_MS - round(days * DAY_MS) for days in (start_days, end_days))
    return Span(*(end * 10**6 for end in ends))


@settings(deadline=None)  # the first to ask for business days builds the calendar
@given(st.floats(0.1, 400), st.floats(0, 1), st.integers(20, 120))
def test_pages_bring_each_candle_of_the_time_once_and_in_order(
    start_days: float, share: float, depth: int
) -> None:
    step, asked = 7_200_000, list[tuple[int, int]]()
    wanted = span(start_days, start_days * share * 0.99)
    found = gather(
        "aapl", CandleTimeframe.MINUTE, wanted, NOW_MS * 10**6, server(step, depth, asked)
    )
    whole = server(step, max(depth, 48), [])(wanted.start_ns // 10**6, wanted.end_ns // 10**6)
    horizon = NOW_MS - depth * DAY_MS
    expected = [
        each.datetime
        for each in whole.candles
        if each.datetime >= horizon and each.datetime * 10**6 >= wanted.start_ns
    ]
    assert [each.datetime for each in found.candles] == expected
    assert found.requests == len(asked) == len(set(asked))
    assert all(start < end <= start + 10 * DAY_MS for start, end in asked)


@pytest.mark.parametrize("depth", [48, 90])
def test_at_the_horizon_asking_ends_with_the_reason(depth: int) -> None:
    asked: list[tuple[int, int]] = []
    page = server(3_600_000, depth, asked)
    found = gather("AAPL", CandleTimeframe.MINUTE, span(2_000), NOW_MS * 10**6, page)
    assert not found.is_complete
    assert found.reason is not None
    assert "1m candles about 48 days back" in found.reason
    assert datetime.fromtimestamp(found.candles[0].datetime / 1000, UTC).isoformat()[:10] in (
        found.reason
    )
    assert len(asked) <= depth // 10 + 3


def test_a_halt_within_the_depth_does_not_end_the_asking() -> None:
    full = server(3_600_000, 48, [])

    def halted(start_ms: int, end_ms: int) -> CandleList:
        answer = full(start_ms, end_ms)
        out = range(NOW_MS - 30 * DAY_MS, NOW_MS - 9 * DAY_MS)
        kept = tuple(each for each in answer.candles if each.datetime not in out)
        return CandleList(symbol="AAPL", candles=kept)

    found = gather("AAPL", CandleTimeframe.MINUTE, span(47), NOW_MS * 10**6, halted)
    assert found.is_complete
    assert found.candles[0].datetime < NOW_MS - 46 * DAY_MS


def test_a_listing_within_the_time_is_said() -> None:
    found = gather("AAPL", CandleTimeframe.DAY, span(900), NOW_MS * 10**6, server(DAY_MS, 400, []))
    assert found.reason is not None
    assert "not listed then" in found.reason
    whole = gather("AAPL", CandleTimeframe.DAY, span(390), NOW_MS * 10**6, server(DAY_MS, 400, []))
    assert whole.is_complete


def test_a_server_that_ignores_the_range_is_filtered() -> None:
    def always_the_same(start_ms: int, end_ms: int) -> CandleList:
        return server(3_600_000, 10, [])(0, NOW_MS)

    found = gather("AAPL", CandleTimeframe.MINUTE, span(5, 2), NOW_MS * 10**6, always_the_same)
    stamps = [each.datetime for each in found.candles]
    assert min(stamps) >= NOW_MS - 5 * DAY_MS
    assert max(stamps) <= NOW_MS - 2 * DAY_MS


def test_days_are_new_yorks_and_an_end_in_the_future_is_now() -> None:
    found = asked_span(date(2025, 6, 17), date(2025, 6, 17), NOW_MS * 10**6)
    assert found.start_ns == ns_from_utc(datetime(2025, 6, 17, 4, tzinfo=UTC))
    assert found.end_ns == ns_from_utc(datetime(2025, 6, 18, 3, 59, 59, 999_000, tzinfo=UTC))
    assert asked_span(date(2025, 6, 17), date(2030, 1, 1), NOW_MS * 10**6).end_ns == NOW_MS * 10**6


@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        (lambda: asked_span(datetime(2025, 1, 1), None, NOW_MS * 10**6), "no zone"),
        (lambda: asked_span(date(2025, 2, 1), date(2025, 1, 1), NOW_MS * 10**6), "not before"),
        (lambda: asked_span("monday", None, NOW_MS * 10**6), "neither"),  # type: ignore[arg-type]
    ],
)
def test_a_time_that_cannot_be_meant_is_refused(ask: Callable[[], Span], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        ask()
