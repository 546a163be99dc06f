from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from infrastructure.clock import VirtualClock, parse_rfc3339
from infrastructure.errors import NoDataError, UsageError
from infrastructure.exchange.timeframes import schwab_bar_start
from infrastructure.schwab.candles import CandleList, parse_candle_list
from infrastructure.schwab.history import price_history_request
from system.algo_trader.feeds.schwab_history import (
    FREQUENCIES,
    SchwabHistoryFeed,
    canonical_starts,
)
from system.algo_trader.market.source import Source
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.realm import Realm

START = parse_rfc3339("2013-02-25T06:00:00Z")
END = parse_rfc3339("2013-03-01T21:00:00Z")
FETCHED_AT = 77


class Recorded:
    """Answer each price-history request that Schwab's matrix allows with the same body."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.params: list[dict[str, str]] = []

    def price_history(self, symbol: str, **arguments: Any) -> CandleList:
        self.params.append(price_history_request(symbol, **arguments).params())
        return parse_candle_list(self.body)


def candle(start: str, **changes: Any) -> str:
    values: dict[str, Any] = {"open": 10, "high": 12, "low": 9, "close": 11.5, "volume": 100}
    values |= changes | {"datetime": parse_rfc3339(start) // 1_000_000}
    pairs = [f'"{name}": {value}' for name, value in values.items() if value is not None]
    return "{" + ", ".join(pairs) + "}"


def body(*candles: str) -> bytes:
    return f'{{"symbol": "AAPL", "empty": false, "candles": [{", ".join(candles)}]}}'.encode()


def feed(answer: bytes, *, sim: bool = False, **more: Any) -> tuple[SchwabHistoryFeed, Recorded]:
    client = Recorded(answer)
    realm = Realm.sim(Path("home")) if sim else Realm.live(Path("home"))
    return SchwabHistoryFeed(client, realm=realm, clock=VirtualClock(FETCHED_AT), **more), client


DAY = candle("2013-02-28T06:00:00Z")


@pytest.mark.parametrize(
    ("timeframe", "words"),
    [
        (Timeframe.M1, ("day", "minute", "1")),
        (Timeframe.M30, ("day", "minute", "30")),
        (Timeframe.D1, ("year", "daily", "1")),
        (Timeframe.W1, ("year", "weekly", "1")),
        (Timeframe.MO1, ("year", "monthly", "1")),
    ],
)
def test_a_request_names_a_range_and_no_period(
    timeframe: Timeframe, words: tuple[str, str, str]
) -> None:
    schwab, client = feed(body(candle("2013-02-28T14:30:00Z")))
    schwab.history("aapl", timeframe, start_ns=START, end_ns=END)
    [sent] = client.params
    assert (sent["periodType"], sent["frequencyType"], sent["frequency"]) == words
    assert "period" not in sent
    assert sent["symbol"] == "AAPL"
    assert (sent["startDate"], sent["endDate"]) == ("1361772000000", "1362171600000")
    assert sent["needExtendedHoursData"] == "false"


def test_bars_carry_where_and_when_they_came_from() -> None:
    schwab, _ = feed(body(DAY))
    [row] = schwab.history("AAPL", Timeframe.D1, start_ns=START, end_ns=END).bars.table.to_pylist()
    assert row == {
        "symbol": "AAPL",
        "timeframe": "1d",
        "start": parse_rfc3339("2013-02-28T06:00:00Z"),
        "session": "rth",
        "adjustment": "split",
        "source": "schwab",
        "revision": 0,
        "fetched_at": FETCHED_AT,
        "open": 10.0,
        "high": 12.0,
        "low": 9.0,
        "close": 11.5,
        "volume": 100,
        "is_synthetic": False,
    }


def test_simulated_bars_say_so_and_its_minutes_are_synthetic() -> None:
    schwab, _ = feed(body(DAY), sim=True)
    assert schwab.source is Source.SCHWAB_SIM
    for timeframe, synthetic in ((Timeframe.D1, False), (Timeframe.M1, True)):
        bars = schwab.history("AAPL", timeframe, start_ns=START, end_ns=END).bars
        assert bars.table.column("source").to_pylist() == ["schwab-sim"]
        assert bars.table.column("is_synthetic").to_pylist() == [synthetic]


def test_a_replay_of_real_minutes_says_that_they_are_real() -> None:
    schwab, _ = feed(body(DAY), sim=True, is_synthetic=lambda symbol, timeframe: False)
    bars = schwab.history("AAPL", Timeframe.M1, start_ns=START, end_ns=END).bars
    assert bars.table.column("is_synthetic").to_pylist() == [False]


def test_a_candle_with_a_missing_value_keeps_the_others() -> None:
    schwab, _ = feed(
        body(DAY, candle("2013-03-01T06:00:00Z", close=None, volume='"many"', low='"NaN"'))
    )
    history = schwab.history("AAPL", Timeframe.D1, start_ns=START, end_ns=END)
    row = history.bars.table.to_pylist()[1]
    assert (row["open"], row["high"], row["low"], row["close"]) == (10.0, 12.0, None, None)
    assert row["volume"] is None
    assert history.unreadable == 0


def test_a_candle_without_a_time_is_counted() -> None:
    schwab, _ = feed(body(DAY, '{"open": 1}', "[1]"))
    history = schwab.history("AAPL", Timeframe.D1, start_ns=START, end_ns=END)
    assert (len(history.bars), history.unreadable) == (1, 2)


def test_no_candles_are_no_data() -> None:
    schwab, _ = feed(b'{"symbol": "AAPL", "empty": true, "candles": []}')
    with pytest.raises(NoDataError, match="no 1d bars of AAPL from 2013-02-25T06:00:00Z"):
        schwab.history("AAPL", Timeframe.D1, start_ns=START, end_ns=END)


def test_a_timeframe_that_schwab_lacks_is_refused_before_the_wire() -> None:
    schwab, client = feed(body(DAY))
    with pytest.raises(UsageError, match="Schwab has no 4h bars, only 1m, 5m"):
        schwab.history("AAPL", Timeframe.H4, start_ns=START, end_ns=END)
    assert client.params == []
    assert set(Timeframe) - set(FREQUENCIES) == {Timeframe.S1, Timeframe.H1, Timeframe.H4}


@pytest.mark.parametrize("hour", ["05:00", "06:00", "14:30"])
def test_a_week_stamped_on_any_moment_of_its_days_gets_the_canonical_start(hour: str) -> None:
    stamp = np.array([parse_rfc3339(f"2013-02-27T{hour}:00Z")])
    assert canonical_starts(stamp, Timeframe.W1).tolist() == [
        schwab_bar_start(date(2013, 2, 25), "1w")
    ]
    assert canonical_starts(stamp, Timeframe.M1).tolist() == stamp.tolist()
