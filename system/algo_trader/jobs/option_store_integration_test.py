"""What is stored of a chain and of a tape is read back equal, from a server over the wire."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from infrastructure.influxdb.embedded.server import EmbeddedInfluxDB
from infrastructure.influxdb.schema import TIME, TableSchema
from system.algo_trader.cli.gex_test import quote_table
from system.algo_trader.clients.influxdb_client import AlgoTraderInfluxDBClient
from system.algo_trader.jobs.option_rows import exposure_rows, metric_rows, quote_rows
from system.algo_trader.jobs.option_store import store_report
from system.algo_trader.jobs.tape_rows import tape_rows
from system.algo_trader.main import main
from system.algo_trader.options.gex import GexReport, gex_report
from system.algo_trader.options.parity import RateCurve
from system.algo_trader.options.synthetic import DAY_NS, NOW_NS, RATE, synthetic_chain
from system.algo_trader.realm import Realm
from system.algo_trader.storage.iv_history import iv_history
from system.algo_trader.storage.tables import (
    OPTION_EXPOSURE,
    OPTION_METRICS,
    OPTION_QUOTES,
    TAPE_METRICS,
)
from system.algo_trader.tape.classify import classify, prevailing_quotes
from system.algo_trader.tape.columns import Quotes, Trades


@pytest.fixture
def client(tmp_path: Path) -> Iterator[AlgoTraderInfluxDBClient]:
    with (
        EmbeddedInfluxDB(tmp_path / "influxdb") as server,
        AlgoTraderInfluxDBClient(server.url, Realm.sim(tmp_path / "home")) as made,
    ):
        made.ensure_tables()
        yield made


def report(as_of_ns: int = NOW_NS, *, expiries: int = 7) -> GexReport:
    chain = replace(
        synthetic_chain(expiries=expiries, strikes=25, half_spread=0.05), as_of_ns=as_of_ns
    )
    return gex_report(chain, now_ns=as_of_ns, curve=RateCurve.flat(RATE))


def read_back(client: AlgoTraderInfluxDBClient, schema: TableSchema) -> pa.Table:
    names = ", ".join(f'"{column.name}"' for column in schema.columns)
    found = client.query(f'SELECT {names}, "time" FROM {schema.name}')
    fields = [*((column.name, column.arrow_type) for column in schema.columns)]
    return found.cast(pa.schema([*fields, (TIME, pa.timestamp("ns"))]))


def ordered(schema: TableSchema, table: pa.Table) -> pa.Table:
    at = table.schema.get_field_index(TIME)
    same = table.set_column(at, TIME, pc.cast(table.column(TIME), pa.timestamp("ns")))
    keys = [(name, "ascending") for name in (*(tag.name for tag in schema.tags), TIME)]
    return same.sort_by(keys).combine_chunks()


def test_a_reports_rows_are_read_back_to_the_bit(client: AlgoTraderInfluxDBClient) -> None:
    made = report()
    stored = store_report(client, made, source="test")
    told = {"source": "test", "is_synthetic": True}
    for schema, rows in (
        (OPTION_QUOTES, quote_rows(made, **told)),  # type: ignore[arg-type]
        (OPTION_EXPOSURE, exposure_rows(made, **told)),  # type: ignore[arg-type]
        (OPTION_METRICS, metric_rows(made, **told)),  # type: ignore[arg-type]
    ):
        assert stored.written[schema.name] == rows.num_rows > 5
        assert ordered(schema, read_back(client, schema)).equals(ordered(schema, rows))


def test_after_a_month_of_sessions_the_rank_is_stored(client: AlgoTraderInfluxDBClient) -> None:
    for day in range(40):
        stored = store_report(
            client, report(NOW_NS + day * DAY_NS // 2, expiries=12), source="test"
        )
    history = iv_history(client.realm.root, "SYN")
    # 20 days from Tuesday evening, 2023-11-14, hold Thanksgiving and weekends: fewer sessions.
    assert stored.standing.samples == len(history) - 1 < 20
    assert "at least 20 are needed" in str(stored.as_dict()["reason"])
    for day in range(40, 64):
        stored = store_report(
            client, report(NOW_NS + day * DAY_NS // 2, expiries=12), source="test"
        )
    history = iv_history(client.realm.root, "SYN")
    past = [each.volatility for each in history[:-1]]
    now = history[-1].volatility
    low, high = min(*past, now), max(*past, now)
    assert stored.standing.samples == len(past) >= 20
    assert stored.standing.rank == pytest.approx(100 * (now - low) / (high - low))
    [row] = client.query_rows(
        "SELECT iv_rank, iv_percentile, atm_iv FROM option_metrics WHERE expiry = 'all' "
        'ORDER BY "time" DESC LIMIT 1'
    )
    assert (row["iv_rank"], row["atm_iv"]) == (stored.standing.rank, now)
    assert row["iv_percentile"] == 100 * sum(each < now for each in past) / len(past)


def test_a_tapes_rows_are_read_back_to_the_bit(client: AlgoTraderInfluxDBClient) -> None:
    times = [NOW_NS + step * 7_000_000_000 for step in range(50)]
    prices = [100 + 0.25 * (step % 3) for step in range(50)]
    trades = Trades.of(times, prices, range(1, 51), tick_size=0.25, sampled=False)
    quotes = Quotes.of([0], [100.0], [100.5], tick_size=0.25)
    rows = tape_rows(
        classify(trades, prevailing_quotes(trades, quotes)),
        60_000_000_000, symbol="ES", timeframe="1m", source="test", is_synthetic=True,
    )  # fmt: skip
    assert client.write_columns(TAPE_METRICS, rows).rows == rows.num_rows == 7
    found = ordered(TAPE_METRICS, read_back(client, TAPE_METRICS))
    assert found.equals(ordered(TAPE_METRICS, rows))


def test_the_command_stores_a_file_of_real_quotes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "quotes.csv"
    path.write_text(quote_table(), encoding="utf-8")
    monkeypatch.setenv("ALGO_TRADER_HOME", str(tmp_path / "home"))
    with EmbeddedInfluxDB(tmp_path / "influxdb") as server:
        monkeypatch.setenv("INFLUXDB3_HOST_URL", server.url)
        assert main(["gex", "SPX", "--cboe", str(path), "--store", "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["stored"]["reason"] == "no two expiries with a volatility lie around 30 days"
        live = Realm.live(tmp_path / "home")
        with AlgoTraderInfluxDBClient(server.url, live) as client:
            for table, count in told["stored"]["written"].items():
                [row] = client.query_rows(
                    f"SELECT count(*) AS n, bool_or(is_synthetic) AS made_up FROM {table}"
                )
                assert (row["n"], row["made_up"]) == (count, False)
            [row] = client.query_rows(
                "SELECT flip, put_wall, gex FROM option_metrics WHERE expiry = 'all'"
            )
        assert row["flip"] == told["flip"]["price"]
        assert row["gex"] == told["total"]["gex"]["net"]
        assert main(["gex", "SPX", "--cboe", str(path), "--store"]) == 0
        assert "stored    option_quotes 50," in capsys.readouterr().out
