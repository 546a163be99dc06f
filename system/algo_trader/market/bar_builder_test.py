"""Judge bars against polars' grouping of the same trades, and late trades against their rule."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from system.algo_trader.market.bar_builder import DEFAULT_DEPTHS, BarBuilder
from system.algo_trader.market.session_spans import EXT, RTH, SessionSpans
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.market.trade_bars import TradeBars, bars_of
from system.algo_trader.market.trade_columns import TradeColumns

S = 1_000_000_000
M = 60 * S
H = 60 * M
DAY = 24 * H
# 2024-03-11, the first Monday of summer time: regular hours from 13:30Z to 20:00Z.
MIDNIGHT = 1_710_115_200 * S
OPEN = MIDNIGHT + 13 * H + 30 * M
CLOSE = MIDNIGHT + 20 * H
STAMP = MIDNIGHT + 5 * H
EVER = np.iinfo(np.int64).max


def spans(days: int = 1) -> SessionSpans:
    """Early, regular and late hours of some days."""
    shift = np.repeat(np.arange(days, dtype=np.int64) * DAY, 3)
    start = np.array([MIDNIGHT + 11 * H, OPEN, CLOSE] * days) + shift
    end = np.array([OPEN, CLOSE, MIDNIGHT + 24 * H] * days) + shift
    return SessionSpans(
        start=start,
        end=end,
        kind=np.array([EXT, RTH, EXT] * days),
        day_start=np.full(3 * days, STAMP) + shift,
        day_end=np.full(3 * days, CLOSE) + shift,
    )


def seeded(count: int, symbols: int, days: int = 1, seed: int = 7) -> TradeColumns:
    """Trades at random times, some of one instant, some at night, in the order of time."""
    rng = np.random.default_rng(seed)
    ts = np.sort(rng.integers(MIDNIGHT, MIDNIGHT + days * DAY, count) // (S // 4) * (S // 4))
    return TradeColumns.of(
        symbol=rng.integers(0, symbols, count),
        ts_event=ts,
        order=np.arange(count),
        price=rng.integers(5_000, 15_000, count) / 100,
        size=rng.integers(1, 900, count),
    )


def by_polars(trades: TradeColumns, every: str, offset: str) -> pl.DataFrame:
    """Group the trades of regular hours by polars' own windows."""
    frame = pl.DataFrame(
        {
            "symbol": trades.symbol,
            "ts": trades.ts_event,
            "order": trades.order,
            "price": trades.price,
            "size": trades.size,
        }
    )
    clock = pl.col("ts") % DAY
    return (
        frame.filter((clock >= OPEN % DAY) & (clock < CLOSE % DAY))
        .with_columns(time=pl.col("ts").cast(pl.Datetime("ns")))
        .sort("time", "order")
        .group_by_dynamic("time", every=every, offset=offset, group_by="symbol")
        .agg(
            open=pl.col("price").first(),
            high=pl.col("price").max(),
            low=pl.col("price").min(),
            close=pl.col("price").last(),
            volume=pl.col("size").sum(),
            trades=pl.len().cast(pl.Int64),
        )
        .with_columns(start=pl.col("time").cast(pl.Int64))
        .sort("symbol", "start")
    )


def frame_of(bars: TradeBars, kind: int | None = None) -> pl.DataFrame:
    """The bars as a frame, of one kind when one is named."""
    frame = pl.DataFrame({name: getattr(bars, name) for name in TradeBars.__dataclass_fields__})
    return frame if kind is None else frame.filter(pl.col("kind") == kind)


COLUMNS = ["symbol", "start", "open", "high", "low", "close", "volume", "trades"]
WINDOWS = {
    Timeframe.S1: ("1s", "0s"),
    Timeframe.M1: ("1m", "0s"),
    Timeframe.M5: ("5m", "0s"),
    Timeframe.M15: ("15m", "0s"),
    Timeframe.H1: ("1h", "30m"),
    Timeframe.D1: ("1d", "5h"),
}


@pytest.mark.parametrize("timeframe", WINDOWS)
def test_bars_equal_those_of_polars(timeframe: Timeframe) -> None:
    trades = seeded(40_000, symbols=7, days=3)
    expected = by_polars(trades, *WINDOWS[timeframe]).select(COLUMNS)
    found = frame_of(bars_of(trades, timeframe, spans(3)), RTH).select(COLUMNS)
    assert found.equals(expected)
    assert len(found) > 7


@pytest.mark.parametrize("timeframe", WINDOWS)
def test_bars_built_trade_by_trade_equal_those_of_all_trades(timeframe: Timeframe) -> None:
    trades = seeded(40_000, symbols=7, days=3)
    builder = BarBuilder(7, spans(3))
    given: list[pl.DataFrame] = []
    for part in np.array_split(np.arange(len(trades)), 97):
        piece = trades.take(part)
        assert builder.add(piece) == []
        closed = builder.closed(int(piece.ts_event[-1]))
        given += [frame_of(closed[timeframe])] if timeframe in closed else []
    closed = builder.closed(EVER)
    given += [frame_of(closed[timeframe])] if timeframe in closed else []
    found = pl.concat(given)
    # The last trade of a part may share its instant with the first of the next: such a bar got a
    # revision. The newest revision counts.
    newest = found.sort("revision").unique(["symbol", "kind", "start"], keep="last")
    expected = frame_of(bars_of(trades, timeframe, spans(3))).drop("revision")
    assert (
        newest.drop("revision")
        .sort("symbol", "kind", "start")
        .equals(expected.sort("symbol", "kind", "start"))
    )
    assert builder.waiting() == 0


def one(ts_event: int, price: float, order: int = 0, size: int = 1) -> TradeColumns:
    """One trade of symbol 0."""
    return TradeColumns.of(
        symbol=[0], ts_event=[ts_event], order=[order], price=[price], size=[size]
    )


def minutes(builder: BarBuilder, watermark_ns: int) -> pl.DataFrame:
    """The minute bars that are given out now."""
    given = builder.closed(watermark_ns)
    return frame_of(given[Timeframe.M1]) if Timeframe.M1 in given else pl.DataFrame()


def test_a_bar_is_given_out_when_the_watermark_reaches_its_end_and_only_once() -> None:
    builder = BarBuilder(1, spans())
    builder.add(one(OPEN + 5 * S, 10.0))
    assert len(minutes(builder, OPEN + M - 1)) == 0
    assert len(minutes(builder, OPEN + M)) == 1
    assert len(minutes(builder, OPEN + 2 * M)) == 0


def test_a_late_trade_makes_a_revision_of_its_own_bar_and_leaves_the_next_alone() -> None:
    builder = BarBuilder(1, spans())
    builder.add(one(OPEN + 5 * S, 10.0, order=0, size=3))
    builder.add(one(OPEN + M + S, 20.0, order=1, size=5))
    first = minutes(builder, OPEN + M)
    builder.add(one(OPEN + 50 * S, 12.0, order=2, size=4))
    again = minutes(builder, OPEN + M)
    assert first.select("close", "volume", "revision").row(0) == (10.0, 3, 0)
    assert again.select("start", "open", "close", "volume", "revision").rows() == [
        (OPEN, 10.0, 12.0, 7, 1)
    ]
    assert builder.late[Timeframe.M1] == 1
    following = minutes(builder, OPEN + 2 * M)
    assert following.select("start", "open", "volume", "revision").rows() == [
        (OPEN + M, 20.0, 5, 0)
    ]


def test_a_late_trade_before_the_first_one_becomes_the_open() -> None:
    builder = BarBuilder(1, spans())
    builder.add(one(OPEN + 5 * S, 10.0, order=5))
    builder.add(one(OPEN + 5 * S, 11.0, order=4))
    row = minutes(builder, EVER).select("open", "close").row(0)
    assert row == (11.0, 10.0)


def test_a_trade_for_a_bar_that_is_no_longer_held_is_named_and_changes_nothing() -> None:
    builder = BarBuilder(1, spans())
    builder.add(one(OPEN + 5 * S, 10.0))
    builder.add(one(OPEN + 8 * M, 20.0))
    beyond = builder.add(one(OPEN + 6 * S, 30.0))
    assert (Timeframe.M1, 0, OPEN + 6 * S) in beyond
    assert (Timeframe.H1, 0, OPEN + 6 * S) not in beyond
    assert minutes(builder, EVER)["close"].to_list() == [10.0, 20.0]


def test_a_bar_whose_place_is_needed_is_given_out_before_the_watermark() -> None:
    builder = BarBuilder(1, spans())
    builder.add(one(OPEN + 5 * S, 10.0))
    builder.add(one(OPEN + 8 * M, 20.0))
    given = minutes(builder, OPEN)
    assert given.select("start", "close").rows() == [(OPEN, 10.0)]


def test_hours_end_bars_and_early_trades_stay_out_of_regular_ones() -> None:
    builder = BarBuilder(1, spans(), {Timeframe.H1: 4, Timeframe.D1: 2})
    builder.add(one(OPEN - 1, 9.0))
    builder.add(one(OPEN, 10.0))
    builder.add(one(CLOSE - 1, 11.0))
    builder.add(one(CLOSE, 12.0))
    builder.add(one(MIDNIGHT, 99.0))
    given = builder.closed(EVER)
    hours = frame_of(given[Timeframe.H1]).select("kind", "start", "end", "close").rows()
    assert hours == [
        (EXT, OPEN - 30 * M, OPEN, 9.0),
        (RTH, OPEN, OPEN + H, 10.0),
        (RTH, CLOSE - 30 * M, CLOSE, 11.0),
        (EXT, CLOSE, CLOSE + H, 12.0),
    ]
    day = frame_of(given[Timeframe.D1]).select("start", "end", "open", "close").rows()
    assert day == [(STAMP, CLOSE, 10.0, 11.0)]
    assert builder.outside == 1


def test_a_symbol_that_was_not_announced_is_refused() -> None:
    with pytest.raises(ValueError, match="none of the 1"):
        BarBuilder(1, spans()).add(
            TradeColumns.of(symbol=[1], ts_event=[OPEN], order=[0], price=[1.0], size=[1])
        )


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_in_whatever_order_trades_come_the_newest_revisions_are_the_bars(
    data: st.DataObject,
) -> None:
    count = data.draw(st.integers(1, 60))
    numbers = st.lists(st.integers(0, 6 * 60 * 4), min_size=count, max_size=count)
    trades = TradeColumns.of(
        symbol=data.draw(st.lists(st.integers(0, 1), min_size=count, max_size=count)),
        ts_event=np.array(data.draw(numbers), dtype=np.int64) * (S // 4) + OPEN,
        order=np.arange(count),
        price=np.array(data.draw(numbers)) / 4 + 1,
        size=np.ones(count),
    )
    arrival = data.draw(st.permutations(range(count)))
    cuts = data.draw(st.lists(st.integers(0, count), max_size=5))
    # Six minutes fit into the rings of all but the second: with those, nothing is too late.
    depths = {**DEFAULT_DEPTHS, Timeframe.S1: 512}
    builder = BarBuilder(2, spans(), depths)
    newest: dict[tuple[Timeframe, int, int], tuple[float, ...]] = {}
    for part in np.split(np.array(arrival), sorted(cuts)):
        piece = trades.take(part.astype(np.int64))
        assert builder.add(piece) == []
        watermark = int(piece.ts_event.max()) if len(piece) else OPEN
        for timeframe, bars in builder.closed(watermark).items():
            newest |= listed(timeframe, bars)
    for timeframe, bars in builder.closed(EVER).items():
        newest |= listed(timeframe, bars)
    expected = {
        key: row
        for timeframe in depths
        for key, row in listed(timeframe, bars_of(trades, timeframe, spans())).items()
    }
    assert newest == expected


def listed(
    timeframe: Timeframe, bars: TradeBars
) -> dict[tuple[Timeframe, int, int], tuple[float, ...]]:
    """The values of bars by their key."""
    rows = zip(
        bars.symbol.tolist(),
        bars.start.tolist(),
        *(getattr(bars, name).tolist() for name in ("open", "high", "low", "close", "volume")),
        strict=True,
    )
    return {(timeframe, symbol, start): tuple(values) for symbol, start, *values in rows}


def test_spans_that_overlap_are_refused() -> None:
    two = np.array([0, 5]), np.array([6, 9])
    with pytest.raises(ValueError, match="may not overlap"):
        SessionSpans(*two, *(np.zeros(2, np.int64),) * 3)
