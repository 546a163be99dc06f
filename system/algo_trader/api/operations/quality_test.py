"""What is said of the data is said of all the symbols that are looked at."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from infrastructure.clock import VirtualClock
from infrastructure.exchange.calendars import calendar
from system.algo_trader.api.live.live_ticks import LiveTicks
from system.algo_trader.api.operations.quality import quality
from system.algo_trader.api.operations.stores import Stores
from system.algo_trader.market.bars import Bars, Series
from system.algo_trader.market.source import Source
from system.algo_trader.market.stream_gap import GapState, StreamGap
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.realm import Realm
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.stream_gaps import StreamGaps

DAY = date(2024, 1, 2)
GAP = StreamGap(
    service="LEVELONE_EQUITIES", source="schwab", run_id="r", reason="disconnected", start_ns=1,
    end_ns=2, missing=None, instruments=1, symbols=("AAPL",), state=GapState.OPEN, filled=None,
    absent=None, recorded_at=3,
)  # fmt: skip


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    archive = Archive(tmp_path / "archive")
    exchange = calendar("XNYS")
    starts = exchange.expected_bar_starts("1m", *exchange.sessions(DAY, DAY)[0].rth[0], "rth")
    price = np.full(len(starts), 100.0)
    now = int(starts[-1]) + 3_600 * 10**9
    for symbol, source in (("AAPL", Source.FILE), ("MSFT", Source.SCHWAB)):
        bars = Bars.of(
            Series(symbol, Timeframe.M1, source=source), start=starts, open=price, high=price,
            low=price, close=price, volume=np.ones(len(starts)), fetched_at=now,
            is_synthetic=symbol == "MSFT",
        )  # fmt: skip
        archive.append(bars, f"seed/{symbol}")
    made = Stores(
        Realm.sim(tmp_path), archive, None, lambda: None,  # type: ignore[arg-type, return-value]
        LiveTicks(), VirtualClock(now),
    )  # fmt: skip
    made._gaps = StreamGaps(archive)
    gaps = [replace(GAP, start_ns=n, symbols=(name,))
            for n, name in enumerate(["AAPL"] * 25 + ["MSFT"])]  # fmt: skip
    made._gaps.all = lambda: gaps  # type: ignore[method-assign]
    return made


def asked(*symbols: str) -> dict[str, object]:
    return {"symbols": list(symbols), "timeframe": "1m", "days": 1, "limit": 20}


def test_sources_and_making_are_those_of_every_symbol(stores: Stores) -> None:
    both = quality(stores, asked("AAPL", "MSFT")).facts
    assert (both.sources, both.is_synthetic) == (("file", "schwab"), True)
    one = quality(stores, asked("AAPL")).facts
    assert (one.sources, one.is_synthetic) == (("file",), False)


def test_gaps_are_those_of_the_symbols_and_all_are_counted(stores: Stores) -> None:
    said = quality(stores, asked("AAPL")).facts.as_dict()
    assert said["gaps_in_all"] == 25
    assert said["gaps"][0]["start"] == "1970-01-01T00:00:00.000000024Z"
    assert quality(stores, asked("MSFT")).facts.as_dict()["gaps_in_all"] == 1
