"""Judge the columns of hours by the exchanges' published hours."""

from datetime import UTC, date, datetime

import numpy as np

from infrastructure.exchange.calendars import calendar
from system.algo_trader.market.session_spans import EXT, RTH
from system.algo_trader.pipeline.hours import session_spans


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
