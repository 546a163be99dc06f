from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.clock import parse_rfc3339
from infrastructure.errors import NoDataError
from infrastructure.exchange.calendars import calendar
from system.algo_trader.levels.build import bar_vwap, build_levels
from system.algo_trader.levels.document import LevelsDocument, VwapMethod
from system.algo_trader.levels.pivots import PivotKind
from system.algo_trader.levels.request import LevelSession, LevelsRequest, windows
from system.algo_trader.market.bars import Bars, Series
from system.algo_trader.market.source import Source
from system.algo_trader.market.timeframe import Session, Timeframe

NYSE = calendar("XNYS")
OPEN = parse_rfc3339("2013-03-01T14:30:00Z")
CLOSE = parse_rfc3339("2013-03-01T21:00:00Z")
MINUTE = 60_000_000_000
YEARS_LATER = parse_rfc3339("2020-01-01T00:00:00Z")
REQUEST = LevelsRequest("AAPL", "aapl", date(2013, 3, 1), precision=4)


def bars(
    rows: list[tuple[int, float, float, float, int | None]],
    timeframe: Timeframe = Timeframe.M1,
    *,
    session: Session = Session.RTH,
    fetched_at: int = YEARS_LATER,
    is_synthetic: bool = False,
) -> Bars:
    series = Series("AAPL", timeframe, session, source=Source.SCHWAB)
    return Bars.of(
        series,
        start=[row[0] for row in rows],
        open=[row[3] for row in rows],
        high=[row[1] for row in rows],
        low=[row[2] for row in rows],
        close=[row[3] for row in rows],
        volume=[row[4] for row in rows],
        fetched_at=fetched_at,
        is_synthetic=is_synthetic,
    )


PRIOR = bars([(parse_rfc3339("2013-02-28T06:00:00Z"), 110.0, 100.0, 108.0, 5)], Timeframe.D1)


def built(
    intraday: Bars,
    *,
    request: LevelsRequest = REQUEST,
    prior: Bars = PRIOR,
    now_ns: int = YEARS_LATER,
) -> LevelsDocument:
    times = windows(request, NYSE)
    return build_levels(request, NYSE, times, prior, intraday, now_ns=now_ns)


def test_vwap_weighs_typical_prices_by_volume() -> None:
    # Typical 101 with 100 shares and 107 with 300: (10100 + 32100) / 400 = 105.5.
    found = built(bars([(OPEN, 102, 100, 101, 100), (OPEN + MINUTE, 109, 104, 108, 300)]))
    assert found.vwap == pytest.approx(105.5)
    assert found.quality.vwap_method is VwapMethod.INTRADAY_TRUE
    assert found.quality.intraday_bar_count == 2
    assert found.quality.bars_expected == 390
    assert found.quality.coverage_pct == 0.51
    assert found.pivots.resistances[0] == 112.0
    assert found.prior_date == date(2013, 2, 28)
    assert (found.prior_bar_count, found.prior_bars_expected) == (1, 1)


def test_lag_counts_from_the_last_bar_to_now_and_stops_at_the_close() -> None:
    one = bars([(OPEN, 2, 1, 1, 1)])
    assert built(one, now_ns=OPEN + 3 * MINUTE).quality.data_lag_ms == 120_000
    assert built(one, now_ns=OPEN + MINUTE // 2).quality.data_lag_ms == 0
    last = bars([(CLOSE - MINUTE, 2, 1, 1, 1)])
    assert built(last).quality.data_lag_ms == 0
    assert built(one).quality.data_lag_ms == 389 * 60_000


def test_without_bars_the_vwap_is_null_and_no_level_stands_in_for_it() -> None:
    found = built(Bars.empty())
    assert found.vwap is None
    assert found.as_dict()["levels"]["VWAP"] is None
    assert found.quality.vwap_method is VwapMethod.UNAVAILABLE
    assert (found.quality.intraday_bar_count, found.quality.data_lag_ms) == (0, None)
    assert found.no_vwap_because is not None
    assert "no 1m bar of AAPL" in found.no_vwap_because


def test_bars_without_volume_give_no_vwap() -> None:
    found = built(bars([(OPEN, 2, 1, 1, 0)]))
    assert found.vwap is None
    assert found.no_vwap_because is not None
    assert "have no volume" in found.no_vwap_because
    assert built(bars([(OPEN, 2, 1, 1, None)])).quality.intraday_bar_count == 0


def test_bars_outside_of_the_session_count_nothing() -> None:
    outside = [(OPEN - MINUTE, 999.0, 999.0, 999.0, 9), (CLOSE, 999.0, 999.0, 999.0, 9)]
    found = built(bars([*outside, (OPEN, 5, 5, 5, 1)]))
    assert (found.vwap, found.quality.intraday_bar_count) == (5.0, 1)


def test_a_half_day_expects_its_210_minutes() -> None:
    request = LevelsRequest("AAPL", "AAPL", date(2012, 11, 23))
    prior = bars([(parse_rfc3339("2012-11-21T06:00:00Z"), 3, 1, 2, 1)], Timeframe.D1)
    assert built(Bars.empty(), request=request, prior=prior).quality.bars_expected == 210


def test_five_minute_bars_are_78() -> None:
    request = LevelsRequest("AAPL", "AAPL", date(2013, 3, 1), interval=Timeframe.M5)
    assert built(Bars.empty(), request=request).quality.bars_expected == 78


def test_an_anchored_vwap_spans_the_sessions_since_its_anchor() -> None:
    anchor = parse_rfc3339("2013-02-28T20:59:00Z")
    request = LevelsRequest("AAPL", "AAPL", date(2013, 3, 1), anchor_ns=anchor)
    found = built(bars([(anchor, 4, 4, 4, 1), (OPEN, 8, 8, 8, 3)]), request=request)
    assert found.vwap == 7.0
    assert found.quality.bars_expected == 391
    assert found.as_dict()["input"]["anchor"] == "2013-02-28T20:59:00Z"
    assert found.as_dict()["vwap_kind"] == "anchored"


def test_the_session_before_may_be_made_of_intraday_bars_of_all_hours() -> None:
    request = LevelsRequest("AAPL", "AAPL", date(2013, 3, 1), LevelSession.ETH)
    start = windows(request, NYSE).prior_start_ns
    prior = bars(
        [(start, 110, 105, 106, 1), (start + MINUTE, 107, 100, 108, 1)], session=Session.ALL
    )
    found = built(Bars.empty(), request=request, prior=prior)
    assert found.pivots.pivot == 106.0
    # 07:00 to 20:00 New York
    assert (found.prior_bar_count, found.prior_bars_expected) == (2, 780)


def test_intraday_bars_of_the_session_before_count_when_they_had_ended() -> None:
    request = LevelsRequest("AAPL", "AAPL", date(2013, 3, 1), LevelSession.ETH)
    start = windows(request, NYSE).prior_start_ns
    row = (start, 110.0, 100.0, 108.0, 1)
    ended = bars([row], session=Session.ALL, fetched_at=start + MINUTE)
    assert built(Bars.empty(), request=request, prior=ended).pivots.pivot == 106.0
    running = bars([row], session=Session.ALL, fetched_at=start + MINUTE - 1)
    with pytest.raises(NoDataError, match="before that session closed"):
        built(Bars.empty(), request=request, prior=running)


def test_without_the_session_before_there_are_no_levels() -> None:
    with pytest.raises(NoDataError, match="nothing is stored of AAPL on 2013-02-28"):
        built(Bars.empty(), prior=Bars.empty())
    all_hours = LevelsRequest("AAPL", "AAPL", date(2013, 3, 1), LevelSession.ETH)
    with pytest.raises(NoDataError, match="--session rth"):
        built(Bars.empty(), request=all_hours, prior=Bars.empty())


def test_a_daily_bar_from_before_its_close_is_not_a_completed_session() -> None:
    early = bars(
        [(parse_rfc3339("2013-02-28T06:00:00Z"), 110, 100, 108, 5)],
        Timeframe.D1,
        fetched_at=parse_rfc3339("2013-02-28T20:59:59Z"),
    )
    with pytest.raises(NoDataError, match="before that session closed"):
        built(Bars.empty(), prior=early)


def test_a_bar_that_lacks_a_price_describes_no_session() -> None:
    torn = bars([(parse_rfc3339("2013-02-28T06:00:00Z"), np.nan, 100, 108, 5)], Timeframe.D1)
    with pytest.raises(NoDataError, match="lacks a price"):
        built(Bars.empty(), prior=torn.replace(high=[None]))


def test_made_up_bars_mark_the_document() -> None:
    real = bars([(OPEN, 2, 1, 1, 1)])
    made_up = bars([(OPEN, 2, 1, 1, 1)], is_synthetic=True)
    assert not built(real).provenance.is_synthetic
    assert built(made_up).provenance.is_synthetic
    assert built(real).provenance.provider == "schwab"


@given(
    st.lists(st.tuples(st.integers(1, 1000), st.integers(0, 50), st.integers(0, 1000)), min_size=1)
)
def test_vwap_lies_between_the_lowest_and_the_highest_price(
    rows: list[tuple[int, int, int]],
) -> None:
    low = np.array([row[0] for row in rows], dtype=np.float64)
    high = low + np.array([row[1] for row in rows])
    volume = np.array([row[2] for row in rows], dtype=np.float64)
    found = bar_vwap(high, low, (high + low) / 2, volume)
    if volume.sum() == 0:
        assert found is None
    else:
        assert found is not None
        traded = volume > 0
        assert low[traded].min() - 1e-9 <= found <= high[traded].max() + 1e-9


def test_the_pivot_kind_is_the_one_asked_for() -> None:
    request = LevelsRequest("AAPL", "AAPL", date(2013, 3, 1), pivot_kind=PivotKind.CAMARILLA)
    found = built(Bars.empty(), request=request).as_dict()
    assert found["levels"]["R1"] == 108.92
    assert found["pivot_kind"] == "camarilla"
