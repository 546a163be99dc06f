"""Play seeded files back through a whole live run, and let polars judge the bars."""

import asyncio
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from infrastructure.clock import SystemClock
from infrastructure.errors import InputError, UsageError
from infrastructure.exchange.calendars import calendar
from system.algo_trader.feeds.live import Channel
from system.algo_trader.feeds.replay import ReplayClock, ReplayFeed, replay_instruments
from system.algo_trader.feeds.replay_tape import (
    TAPE_SCHEMA,
    tape_of_file,
    tape_of_records,
    ticks_of,
)
from system.algo_trader.market.bars import Bars
from system.algo_trader.market.source import Source
from system.algo_trader.pipeline.hours import session_spans
from system.algo_trader.pipeline.live import LivePolicy, LiveRun, Sinks
from system.algo_trader.pipeline.sinks import HotFrame, Portion
from system.algo_trader.quality.tick_checks import TickChecks

S = 1_000_000_000
OPEN = 1_710_163_800 * S
"""2024-03-11T13:30Z, a Monday, half past nine in New York."""
STEPS = {"1s": S, "1m": 60 * S, "5m": 300 * S}


class Kept:
    """Remember what a run hands out."""

    write_errors = 0

    def __init__(self) -> None:
        self.rows = 0
        self.portions: list[Portion] = []

    def publish(self, frames: list[HotFrame]) -> None:
        self.rows += sum(frame.rows.num_rows for frame in frames)

    def commit(self, portions: list[Portion]) -> None:
        self.portions += portions

    def project(self, bars: Bars, metrics: Sequence[dict[str, object]]) -> None:
        return


def seeded_files(folder: Path, count: int) -> tuple[Path, Path, pl.DataFrame]:
    """Write trades as CSV with New York's time of day, and quotes as Parquet with nanoseconds."""
    rng = np.random.default_rng(5)
    at = OPEN + np.sort(rng.choice(900_000, count, replace=False)) * (S // 1000)
    trades = pl.DataFrame(
        {
            "ts": at,
            "symbol": rng.choice(["AAPL", "MSFT"], count),
            "price": 100 + rng.integers(-50, 50, count) / 100,
            "size": rng.integers(1, 200, count),
        }
    )
    texts = pl.from_epoch("ts", time_unit="ns").dt.replace_time_zone("UTC")
    shown = trades.with_columns(
        texts.dt.convert_time_zone("America/New_York")
        .dt.strftime("%Y-%m-%dT%H:%M:%S%.3f")
        .alias("datetime")
    )
    shown.drop("ts").write_csv(folder / "trades.csv")
    pl.DataFrame(
        {
            "ts_event_ns": at - 1,
            "symbol": trades["symbol"],
            "bid_price": trades["price"] - 0.05,
            "bid_size": rng.integers(1, 9, count),
            "ask_price": trades["price"] + 0.05,
            "ask_size": rng.integers(1, 9, count),
        }
    ).write_parquet(folder / "quotes.parquet")
    return folder / "trades.csv", folder / "quotes.parquet", trades


def played(files: Sequence[Path], speed: float | None) -> tuple[Kept, LiveRun]:
    tapes = [tape_of_file(path, "America/New_York", None)[0] for path in files]
    names = ["AAPL", "MSFT"]
    ticks = ticks_of(pa.concat_tables(tapes), pa.array(names))
    kept = Kept()

    async def work() -> LiveRun:
        clock = ReplayClock(int(ticks.ts_recv.min()), SystemClock())
        feed = ReplayFeed(ticks, Source.REPLAY, clock, speed)
        day = date(2024, 3, 11)
        run = LiveRun(
            feed,
            replay_instruments(names, day),
            [Channel.TICKS],
            hours={"XNYS": session_spans(calendar("XNYS"), day, day)},
            sinks=Sinks(kept, kept),
            checks=TickChecks(2),
            run_id="r1",
            clock=clock,
            policy=LivePolicy(beat_s=0.01),
        )
        running = asyncio.create_task(run.run())
        await feed.over.wait()
        run.stop()
        await running
        return run

    return kept, asyncio.run(work())


@pytest.mark.parametrize("speed", [None, 3_000.0])
def test_bars_of_files_played_back_are_those_of_polars(tmp_path: Path, speed: float | None) -> None:
    *files, trades = seeded_files(tmp_path, 2_000)
    kept, run = played(files, speed)
    assert run.counts.rejected.total() == 0
    assert run.counts.received["replay"] == kept.rows == 4_000
    stored = pa.concat_tables([portion.trades for portion in kept.portions])
    assert stored.num_rows == 2_000
    assert set(stored.column("source").to_pylist()) == {"replay-live"}
    bars = Bars.concat([portion.bars for portion in kept.portions]).table.to_pylist()
    last = int(trades["ts"].to_numpy()[-1])
    for timeframe, step in STEPS.items():
        expected = {
            (row["symbol"], row["start"]): (row["o"], row["h"], row["l"], row["c"], row["v"])
            for row in trades.group_by("symbol", (pl.col("ts") // step * step).alias("start"))
            .agg(
                o=pl.col("price").first(),
                h=pl.col("price").max(),
                l=pl.col("price").min(),
                c=pl.col("price").last(),
                v=pl.col("size").sum(),
            )
            .to_dicts()
            if row["start"] + step <= last
        }
        found = {
            (row["symbol"], row["start"]): tuple(
                row[name] for name in ("open", "high", "low", "close", "volume")
            )
            for row in bars
            if row["timeframe"] == timeframe
        }
        assert found == expected
        assert len(expected) >= 4


def test_a_row_shows_what_is_known_of_its_own_symbol() -> None:
    rows = [
        {"symbol": "A", "ts_event": 3, "is_trade": True, "price": 10.0, "size": 5},
        {"symbol": "B", "ts_event": 1, "is_trade": False, "bid_price": 1.0, "ask_price": 2.0},
        {"symbol": "A", "ts_event": 2, "is_trade": False, "bid_price": 9.0, "ask_price": 11.0},
        {"symbol": "A", "ts_event": 4, "is_trade": True, "price": 11.0, "size": 7},
    ]
    ticks = ticks_of(pa.Table.from_pylist(rows, TAPE_SCHEMA), pa.array(["A", "B"]))
    assert ticks.symbol.tolist() == [1, 0, 0, 0]
    assert ticks.ts_recv.tolist() == [1, 2, 3, 4]
    assert ticks.ts_quote.tolist() == [1, 2, 2, 2]
    assert ticks.ts_trade.tolist() == [-1, -1, 3, 4]
    assert ticks.bid.tolist() == [1.0, 9.0, 9.0, 9.0]
    assert ticks.total.tolist() == [0, 0, 5, 12]
    assert np.isnan(ticks.last[:2]).all()


def test_a_file_that_does_not_say_its_zone_or_its_symbol_is_refused(tmp_path: Path) -> None:
    trades, _, _ = seeded_files(tmp_path, 3)
    with pytest.raises(UsageError, match="--tz"):
        tape_of_file(trades, None, None)
    plain = tmp_path / "plain.csv"
    plain.write_text("ts_event_ns,price,size\n1,2,3\n")
    with pytest.raises(UsageError, match="no column of symbols"):
        tape_of_file(plain, None, None)
    assert tape_of_file(plain, None, "AAPL")[0].column("symbol").to_pylist() == ["AAPL"]
    bars = tmp_path / "bars.csv"
    bars.write_text("ts_event_ns,open,high,low,close\n1,2,3,1,2\n")
    with pytest.raises(UsageError, match="holds bars"):
        tape_of_file(bars, None, "AAPL")


@pytest.mark.parametrize("zone", ["Mars/Base", "America", "../UTC", ""])
def test_a_zone_that_does_not_exist_is_refused_even_where_no_time_needs_one(
    tmp_path: Path, zone: str
) -> None:
    plain = tmp_path / "plain.csv"
    plain.write_text("ts_event_ns,price,size\n1,2,3\n")
    with pytest.raises(UsageError, match="there is no time zone"):
        tape_of_file(plain, zone, "AAPL")


def test_records_of_two_sources_are_not_played_together() -> None:
    def records(dataset: str, symbol: str) -> pa.Table:
        return pa.table(
            {
                "symbol": [symbol] * 2,
                "ts_event": [1, 2],
                "ts_recv": [1, 2],
                "source": ["file", "schwab-live"],
                "is_synthetic": [False, False],
                "price": [1.0, 2.0],
                "size": [1, 2],
            }
        )

    with pytest.raises(InputError, match="file, schwab-live"):
        tape_of_records(records, ["AAPL"])
