"""`tape` with its stores: imported trades give the same numbers, and their rows are read back."""

import json
from pathlib import Path

import pytest

from infrastructure.clock import parse_rfc3339
from infrastructure.influxdb.embedded.server import EmbeddedInfluxDB
from system.algo_trader.clients.influxdb_client import AlgoTraderInfluxDBClient
from system.algo_trader.main import main
from system.algo_trader.realm import Realm

START = parse_rfc3339("2024-03-05T14:30:00Z")
SECOND = 1_000_000_000


def test_imported_trades_give_the_numbers_of_their_file_and_are_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ALGO_TRADER_HOME", str(tmp_path / "home"))
    trades = ["ts_event_ns,price,size,aggressor"]
    quotes = ["ts_event_ns,bid_price,bid_size,ask_price,ask_size"]
    for number in range(300):
        base = 5100 + (number // 7 % 5) * 0.25
        quotes.append(f"{START + number * SECOND},{base},5,{base + 0.25},5")
        at, flag = (base + 0.25, "B") if number % 3 else (base, "A")
        trades.append(f"{START + number * SECOND + 5},{at},{number % 9 + 1},{flag}")
    words = []
    for name, lines in (("trades.csv", trades), ("quotes.csv", quotes)):
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        words += ["--file", str(path)]
        assert main(["store", "import", str(path), "--symbol", "/ESH24"]) == 0
    capsys.readouterr()

    def told(*more: str) -> dict[str, object]:
        assert main(["tape", "/ESH24", "--json", *more]) == 0
        document: dict[str, object] = json.loads(capsys.readouterr().out)
        return document

    from_files = told(*words, "--rule", "clnv")
    assert told("--date", "2024-03-05", "--rule", "clnv") == from_files
    assert told("--rule", "clnv") == from_files
    assert from_files["agreement"] == {"flagged": 300, "judged": 300, "right": 300, "share": 1.0}
    with EmbeddedInfluxDB(tmp_path / "influxdb") as server:
        monkeypatch.setenv("INFLUXDB3_HOST_URL", server.url)
        assert told("--store")["stored"] == 5
        with AlgoTraderInfluxDBClient(server.url, Realm.live(tmp_path / "home")) as client:
            rows = client.query_rows(
                "SELECT trades, delta, cumulative_delta, at_bid, at_mid, at_ask, basis, sampled, "
                "is_synthetic, source FROM tape_metrics WHERE symbol = '/ESH24' "
                "AND timeframe = '1m' ORDER BY \"time\""
            )
    assert sum(row["trades"] for row in rows) == 300
    assert rows[-1]["cumulative_delta"] == sum(row["delta"] for row in rows) == from_files["delta"]
    assert all(row["at_bid"] + row["at_mid"] + row["at_ask"] == pytest.approx(1.0) for row in rows)
    assert {(row["basis"], row["sampled"], row["is_synthetic"], row["source"]) for row in rows} == {
        ("nbbo", False, False, "file")
    }
