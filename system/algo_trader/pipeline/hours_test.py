"""Judge the columns of hours by the exchanges' published hours."""

from datetime import UTC, date, datetime

import numpy as np
import pytest

from infrastructure.exchange.calendars import calendar
from system.algo_trader.market.session_spans import EXT, RTH
from system.algo_trader.pipeline.hours import is_any_open, market_words, session_spans


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


def test_a_stock_day_has_early_regular_and_late_hours() -> None:
    spans = session_spans(calendar("XNYS"), date(2024, 3, 11), date(2024, 3, 11))
    regular = spans.kind == RTH
    assert spans.start[regular].tolist() == [ns("2024-03-11T13:30")]
    assert spans.end[regular].tolist() == [ns("2024-03-11T20:00")]
    assert spans.kind.tolist() == [EXT, RTH, EXT]
    assert set(spans.day_start.tolist()) == {ns("2024-03-11T05:00")}
    assert set(spans.day_end.tolist()) == {ns("2024-03-11T20:00")}


def test_a_half_day_is_over_at_one() -> None:
    spans = session_spans(calendar("XNYS"), date(2024, 11, 29), date(2024, 11, 29))
    assert set(spans.day_end.tolist()) == {ns("2024-11-29T18:00")}


def test_the_evening_before_belongs_to_a_future_s_day() -> None:
    spans = session_spans(calendar("CME_Equity"), date(2024, 3, 12), date(2024, 3, 12))
    assert spans.kind.tolist() == [RTH] * len(spans.kind)
    evening = np.array([ns("2024-03-11T22:30")])
    assert spans.row_of(evening).tolist() == [0]
    assert spans.day_start[0] == ns("2024-03-12T05:00")


def test_no_session_gives_no_span() -> None:
    spans = session_spans(calendar("XNYS"), date(2024, 3, 9), date(2024, 3, 10))
    assert spans.row_of(np.array([ns("2024-03-09T15:00")])).tolist() == [-1]


NS = 1_000_000_000
NEW_YORK_HOURS = {"XNYS": session_spans(calendar("XNYS"), date(2024, 7, 1), date(2024, 7, 5))}


@pytest.mark.parametrize(
    ("instant", "words"),
    [
        # A half day before the holiday: regular hours end at 13:00; the extended begin at 7:00.
        ("2024-07-03T16:00:00Z", "XNYS open until Wed 2024-07-03 13:00"),
        ("2024-07-03T12:00:00Z", "XNYS open outside of regular hours until Wed 2024-07-03 09:30"),
        ("2024-07-04T15:00:00Z", "XNYS closed until Fri 2024-07-05 07:00"),
        ("2024-07-06T15:00:00Z", "XNYS closed"),
    ],
)
def test_words_say_when_a_market_opens_and_closes(instant: str, words: str) -> None:
    now = round(datetime.fromisoformat(instant).timestamp()) * NS
    assert market_words(NEW_YORK_HOURS, now) == words
    assert is_any_open(NEW_YORK_HOURS, now) == ("open" in words)
