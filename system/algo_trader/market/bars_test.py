from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from system.algo_trader.market.bars import BAR_SCHEMA, Bars, Series
from system.algo_trader.market.source import Source
from system.algo_trader.market.timeframe import Timeframe

SERIES = Series("AAPL", Timeframe.D1)


def bars(starts: list[int], symbol: str = "AAPL") -> Bars:
    close = [float(start) + 1 for start in starts]
    return Bars.of(
        Series(symbol, Timeframe.D1),
        start=starts,
        open=close,
        high=close,
        low=close,
        close=close,
        volume=[None] * len(starts),
        fetched_at=5,
        is_synthetic=False,
    )


def test_bars_sort_by_start_and_keep_their_rows_together() -> None:
    ordered = bars([3, 1, 2]).sorted()
    assert ordered.start.tolist() == [1, 2, 3]
    assert ordered.floats("close").tolist() == [2.0, 3.0, 4.0]


def test_a_missing_volume_is_null_and_reads_as_nan() -> None:
    given = bars([1])
    assert given.table.column("volume").to_pylist() == [None]
    assert np.isnan(given.floats("volume")).all()


def test_a_range_is_half_open_and_may_lack_sides() -> None:
    given = bars([1, 2, 3, 4])
    assert given.between(2, 4).start.tolist() == [2, 3]
    assert given.between(None, 2).start.tolist() == [1]
    assert given.between(3, None).start.tolist() == [3, 4]
    assert len(given.between(None, None)) == 4


def test_series_are_told_apart() -> None:
    mixed = Bars.concat([bars([1], "AAPL"), bars([1, 2], "MSFT")])
    assert [series.symbol for series in mixed.series()] == ["AAPL", "MSFT"]
    assert len(mixed.of_series(Series("MSFT", Timeframe.D1))) == 2
    with pytest.raises(ValueError, match="got 2"):
        mixed.only_series()
    assert bars([1]).only_series() == SERIES
    assert str(SERIES) == "AAPL 1d"


def test_no_bars_are_bars_too() -> None:
    empty = Bars.empty()
    assert len(empty) == len(Bars.concat([])) == 0
    words, index = empty.words("symbol")
    assert (words, index.tolist()) == ([], [])
    assert empty.series() == []


def test_other_columns_are_refused() -> None:
    with pytest.raises(ValueError, match="bars have the columns symbol"):
        Bars(pa.table({"symbol": ["AAPL"]}))


def test_a_null_in_the_key_is_refused() -> None:
    table = bars([1]).table.set_column(
        BAR_SCHEMA.get_field_index("start"), "start", pa.array([None], pa.int64())
    )
    with pytest.raises(ValueError, match="start"):
        Bars(table)


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="2 starts"):
        Bars.of(
            SERIES,
            start=[1, 2],
            open=[1.0],
            high=[1.0, 1.0],
            low=[1.0, 1.0],
            close=[1.0, 1.0],
            volume=[1, 1],
            fetched_at=0,
            is_synthetic=False,
        )


def test_every_source_has_a_rank_and_a_simulator_is_believed_least() -> None:
    ranks = {source: source.rank for source in Source}
    assert len(set(ranks.values())) == len(ranks)
    simulated = {source for source in Source if source.is_simulated}
    assert simulated == {
        *(Source.SCHWAB_SIM, Source.SCHWAB_SIM_CHART, Source.SCHWAB_SIM_LIVE),
        *(Source.REPLAY_SIM, Source.REPLAY_SIM_LIVE),
    }
    assert max(ranks[each] for each in simulated) < min(
        rank for source, rank in ranks.items() if source not in simulated
    )


def test_what_is_built_from_level_one_is_believed_less_than_what_the_provider_made() -> None:
    for made in (Source.SCHWAB, Source.SCHWAB_SIM):
        assert made.rank > made.of_chart.rank > made.of_live.rank
        assert made.of_live.is_sampled
        assert not made.is_sampled
        assert not made.of_chart.is_sampled


def test_timeframes_know_whether_the_calendar_decides_their_length() -> None:
    lengths = {str(timeframe): timeframe.duration_ns for timeframe in Timeframe}
    assert lengths["1s"] == 1_000_000_000
    assert lengths["4h"] == 4 * 3_600_000_000_000
    assert [name for name, length in lengths.items() if length is None] == ["1d", "1w", "1mo"]
    assert Timeframe.M1.is_intraday
    assert not Timeframe.MO1.is_intraday
