from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from infrastructure.errors import ServiceUnavailable
from infrastructure.influxdb.embedded.spec import embedded_influxdb_spec
from infrastructure.supervision import Supervisor
from system.algo_trader.clients.influxdb_client import AlgoTraderInfluxDBClient
from system.algo_trader.market.bars import Bars, Series
from system.algo_trader.market.source import Source
from system.algo_trader.market.timeframe import Adjustment, Session, Timeframe
from system.algo_trader.realm import Realm

DAY = 86_400_000_000_000


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="at-") as folder:
        supervisor = Supervisor(Path(folder))
        spec = embedded_influxdb_spec(Path(folder) / "influxdb")
        with supervisor.ensure(spec) as handle:
            yield handle.endpoint.url


@pytest.fixture
def client(url: str, tmp_path: Path) -> Iterator[AlgoTraderInfluxDBClient]:
    with AlgoTraderInfluxDBClient(url, Realm.sim(tmp_path)) as made:
        made.drop_database(made.database)
        made.ensure_tables()
        yield made


def bars(series: Series, closes: list[float], *, volume: int | None = 5) -> Bars:
    return Bars.of(
        series,
        start=[row * DAY for row in range(len(closes))],
        open=closes,
        high=[close + 0.1 for close in closes],
        low=closes,
        close=closes,
        volume=[volume] * len(closes),
        fetched_at=7,
        is_synthetic=True,
        revision=2,
    )


APPLE = Series("AAPL", Timeframe.D1, source=Source.SCHWAB_SIM)
STRANGE = Series("BRK/B, \"=x' $y", Timeframe.D1, source=Source.SCHWAB_SIM)


def test_candles_come_back_to_the_bit(client: AlgoTraderInfluxDBClient) -> None:
    given = bars(APPLE, [0.1 + 0.2, 1 / 3, 431.4499, 1e-7])
    assert client.write_candles(given) == 4
    assert client.candles("AAPL", "1d").table.equals(given.table)


def test_a_missing_volume_comes_back_as_null(client: AlgoTraderInfluxDBClient) -> None:
    client.write_candles(bars(APPLE, [1.0], volume=None))
    assert client.candles("AAPL", "1d").table.column("volume").to_pylist() == [None]


def test_a_symbol_with_every_special_character_is_only_a_value(
    client: AlgoTraderInfluxDBClient,
) -> None:
    client.write_candles(bars(STRANGE, [1.0, 2.0]))
    client.write_candles(bars(APPLE, [3.0]))
    assert client.candles(STRANGE.symbol, "1d").floats("close").tolist() == [1.0, 2.0]
    assert len(client.candles("' OR true --", "1d")) == 0
    assert client.symbols() == sorted(["AAPL", STRANGE.symbol])


def test_a_range_is_half_open(client: AlgoTraderInfluxDBClient) -> None:
    client.write_candles(bars(APPLE, [1.0, 2.0, 3.0, 4.0]))
    found = client.candles("AAPL", Timeframe.D1, start_ns=DAY, end_ns=3 * DAY)
    assert found.floats("close").tolist() == [2.0, 3.0]


def test_sessions_are_told_apart(client: AlgoTraderInfluxDBClient) -> None:
    everything = Series("AAPL", Timeframe.D1, Session.ALL, source=Source.SCHWAB_SIM)
    client.write_candles(bars(APPLE, [1.0]))
    client.write_candles(bars(everything, [2.0]))
    assert client.candles("AAPL", "1d").floats("close").tolist() == [1.0]
    assert client.candles("AAPL", "1d", session=Session.ALL).floats("close").tolist() == [2.0]
    assert sorted(client.candle_keys("AAPL", "1d").column("session").to_pylist()) == ["all", "rth"]


def test_counts_and_spans_are_of_what_is_asked_for(client: AlgoTraderInfluxDBClient) -> None:
    assert client.candle_count() == 0
    assert client.candle_span() is None
    assert client.symbols() == []
    client.write_candles(bars(APPLE, [1.0, 2.0, 3.0]))
    client.write_candles(bars(Series("MSFT", Timeframe.W1, source=Source.SCHWAB_SIM), [1.0]))
    assert client.candle_count() == 4
    assert client.candle_count("AAPL") == client.candle_count(timeframe="1d") == 3
    assert client.candle_span("AAPL", "1d") == (0, 2 * DAY)


def test_raw_bars_have_no_place_there(client: AlgoTraderInfluxDBClient) -> None:
    raw = Series("AAPL", Timeframe.D1, adjustment=Adjustment.RAW, source=Source.SCHWAB_SIM)
    with pytest.raises(ValueError, match="split-adjusted"):
        client.write_candles(bars(raw, [1.0]))
    assert client.write_candles(Bars.empty()) == 0


def test_removed_candles_are_gone_and_new_ones_take_their_place(
    client: AlgoTraderInfluxDBClient,
) -> None:
    client.write_candles(bars(APPLE, [1.0, 2.0]))
    client.reset_candles()
    assert client.candle_count() == 0
    client.write_candles(bars(APPLE, [7.0]))
    assert client.candles("AAPL", "1d").floats("close").tolist() == [7.0]


def test_metrics_leave_out_what_was_not_measured(client: AlgoTraderInfluxDBClient) -> None:
    whole = {"time": 5, "job": "main", "run_id": "r", "fetched": 3, "failed": False}
    one = {"time": 5, "job": "main", "symbol": "AAPL", "timeframe": "1d", "latency_ms": 1.5}
    assert client.write_pipeline_metrics([whole, one]) == 2
    assert client.write_pipeline_metrics([]) == 0
    rows = client.query_rows("SELECT * FROM pipeline_metrics")
    by_symbol = {row["symbol"]: row for row in rows}
    assert by_symbol[None]["fetched"] == 3
    assert by_symbol[None]["latency_ms"] is None
    assert by_symbol["AAPL"]["latency_ms"] == 1.5


def test_tables_are_made_once_and_stay(client: AlgoTraderInfluxDBClient) -> None:
    client.write_candles(bars(APPLE, [1.0]))
    client.ensure_tables()
    assert client.candle_count() == 1
    assert {"candles", "pipeline_metrics"} <= set(client.list_tables())


def test_the_realms_do_not_meet(url: str, client: AlgoTraderInfluxDBClient, tmp_path: Path) -> None:
    client.write_candles(bars(APPLE, [1.0]))
    with AlgoTraderInfluxDBClient(url, Realm.live(tmp_path)) as live:
        live.ensure_tables()
        assert live.candle_count() == 0


def test_a_server_that_is_gone_is_unavailable(tmp_path: Path) -> None:
    from infrastructure.clock import VirtualClock

    client = AlgoTraderInfluxDBClient(
        "http://127.0.0.1:9", Realm.sim(tmp_path), clock=VirtualClock(0)
    )
    with pytest.raises(ServiceUnavailable):
        client.ensure_tables()
