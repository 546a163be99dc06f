import csv
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from shutil import rmtree
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from bokeh_sampledata import stocks

from infrastructure.clock import utc_from_ns
from system.algo_trader.clients.influxdb_client import AlgoTraderInfluxDBClient
from system.algo_trader.realm import Realm
from system.algo_trader.runtime import Runtime
from system.algo_trader.settings import load
from system.algo_trader.testing.command_line import CommandLine

CENTRAL = ZoneInfo("America/Chicago")
FIELDS = ("date", "open", "high", "low", "close", "volume")
Row = tuple[str, float, float, float, float, int]


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="at-"))
    yield folder
    rmtree(folder)


def _bokeh(symbol: str) -> list[Row]:
    data = getattr(stocks, symbol)
    columns = [data[name] for name in FIELDS]
    return [
        (str(day), float(o), float(h), float(lo), float(c), int(v))
        for day, o, h, lo, c, v in zip(*columns, strict=True)
    ]


def _write_csv(path: Path, symbol: str, rows: list[Row]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("symbol", *FIELDS))
        writer.writerows((symbol, *row) for row in rows)
    return path


def _processes_in(home: Path) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(home) in line:
            found.append(line)
    return found


def _stored_daily(home: Path, symbol: str) -> list[Row]:
    settings = load(
        environment={"ALGO_TRADER_HOME": str(home), "ALGO_TRADER_PROBE_DEFAULT_PORTS": "off"},
        workspace=home,
    )
    with Runtime(settings, sim=True) as runtime:
        assert isinstance(runtime.influxdb, AlgoTraderInfluxDBClient)
        found = runtime.influxdb.query_rows(
            'SELECT "time", open, high, low, close, volume FROM candles '
            "WHERE symbol = $symbol AND timeframe = '1d' ORDER BY \"time\"",
            {"symbol": symbol},
        )
    return [
        (
            str(_central_date(row["time"])),
            row["open"],
            row["high"],
            row["low"],
            row["close"],
            row["volume"],
        )
        for row in found
    ]


def _central_date(moment: Any) -> date:
    stamp = moment if isinstance(moment, datetime) else utc_from_ns(int(moment))
    return stamp.astimezone(CENTRAL).date()


def test_first_run_fills_an_empty_home_and_the_second_stores_nothing_twice(home: Path) -> None:
    line = CommandLine(home)
    first = line.run("--json")
    assert first.code == 0, first.err
    report = first.json()
    assert report["is_simulated"] is True
    assert report["market_date"] == "2013-03-01"
    assert {each["symbol"] for each in report["series"]} == {"AAPL", "MSFT", "GOOG"}
    assert {each["timeframe"] for each in report["series"]} == {"1d", "1w", "1mo", "1m"}
    for each in report["series"]:
        assert each["new"] > 0
        assert each["written"] == each["read_back"] == each["new"]
        assert each["rejected"] == {}
        assert each["gaps"] == 0
    assert _processes_in(home) == []

    signed_in = line.run("auth", "status", "--json").json()["signed_in_at"]
    second = line.run("--json")
    assert second.code == 0, second.err
    assert sum(each["new"] + each["written"] for each in second.json()["series"]) == 0
    assert line.run("auth", "status", "--json").json()["signed_in_at"] == signed_in
    assert _processes_in(home) == []


def test_the_last_year_of_daily_bars_in_influxdb_is_what_was_traded(home: Path) -> None:
    assert CommandLine(home).run("--symbols", "AAPL").code == 0
    traded = [row for row in _bokeh("AAPL") if row[0] >= "2012-03-01"]
    assert len(traded) > 240
    assert _stored_daily(home, "AAPL") == traded


def test_the_crash_of_29_september_2000_is_real_and_passes_validation(home: Path) -> None:
    rows = [row for row in _bokeh("AAPL") if "2000-06-21" <= row[0] <= "2000-12-29"]
    line = CommandLine(home)
    run = line.run(
        "--replay", str(_write_csv(home / "bars.csv", "AAPL", rows)), "--symbols", "AAPL", "--json"
    )
    assert run.code == 0, run.err
    daily = next(each for each in run.json()["series"] if each["timeframe"] == "1d")
    assert (daily["rejected"], daily["split"], daily["new"]) == ({}, None, len(rows))
    closes = {row[0]: row[4] for row in _stored_daily(home, "AAPL")}
    change = closes["2000-09-29"] / closes["2000-09-28"] - 1
    assert round(change * 100, 1) == -51.9


def test_a_four_to_one_split_between_two_runs_is_detected_reported_and_restated(
    home: Path,
) -> None:
    before = [row for row in _bokeh("GOOG") if "2012-06-01" <= row[0] <= "2013-02-27"]
    after = [
        (day, o / 4, h / 4, lo / 4, c / 4, v * 4)
        for day, o, h, lo, c, v in _bokeh("GOOG")
        if "2012-06-01" <= day <= "2013-03-01"
    ]
    line = CommandLine(home)
    first = _write_csv(home / "first.csv", "GOOG", before)
    assert line.run("--replay", str(first), "--symbols", "GOOG").code == 0
    second = _write_csv(home / "second.csv", "GOOG", after)
    run = line.run("--replay", str(second), "--symbols", "GOOG", "--json")
    assert (run.json()["market"], run.json()["earlier_market"]) == ("second.csv", "first.csv")
    assert run.code == 0, run.err
    daily = next(each for each in run.json()["series"] if each["timeframe"] == "1d")
    assert daily["split"] == "4:1"
    assert daily["revised"] + daily["restated"] == len(before)
    assert run.json()["rewritten"] is True
    stored = _stored_daily(home, "GOOG")
    assert [row[0] for row in stored] == [row[0] for row in after]
    for found, expected in zip(stored, after, strict=True):
        assert found[1:5] == pytest.approx(expected[1:5], abs=0.005)
        assert found[5] == expected[5]


def test_an_unknown_symbol_is_one_sentence_and_the_others_go_on(home: Path) -> None:
    run = CommandLine(home).run("--symbols", "AAPL,NOSUCH", "--json")
    assert run.code == 2
    by_symbol = {each["symbol"]: each for each in run.json()["series"]}
    assert by_symbol["NOSUCH"]["error"]["error"] == "UnknownSymbol"
    assert by_symbol["AAPL"]["error"] is None
    assert by_symbol["AAPL"]["new"] > 0


@pytest.mark.parametrize(
    ("variables", "arguments", "code", "words"),
    [
        ({"SCHWAB_API_KEY": "only-the-key"}, [], 2, ["SCHWAB_SECRET"]),
        ({}, ["--live"], 2, ["SCHWAB_API_KEY", "SCHWAB_SECRET"]),
        ({}, ["--sim", "--live"], 2, ["--sim", "--live"]),
        ({"REDIS_URL": "redis://127.0.0.1:1/0"}, [], 3, ["REDIS_URL"]),
        ({"INFLUXDB3_HOST_URL": "http://127.0.0.1:1"}, [], 3, ["INFLUXDB3_HOST_URL"]),
        ({"LOG_LEVEL": "loud"}, [], 2, ["LOG_LEVEL", "loud"]),
        ({}, ["--replay", "nowhere.csv"], 2, ["nowhere.csv"]),
        ({}, ["candles", "show", "AAPL"], 4, ["AAPL", "candles fetch"]),
        ({}, ["candles", "show", "AAPL", "-t", "7d"], 2, ["7d", "1mo"]),
        ({}, ["candles", "show", "AAPL", "-t", "4h"], 4, ["AAPL 4h", "Schwab has no such bars"]),
        ({}, ["update"], 4, ["nothing is stored"]),
        ({}, ["watchlist", "remove", "IBM"], 2, ["IBM", "AAPL"]),
        ({}, ["services", "start", "grafana"], 2, ["grafana", "redis"]),
    ],
)
def test_wrong_input_is_one_sentence_and_the_right_exit_code(
    home: Path, variables: dict[str, str], arguments: list[str], code: int, words: list[str]
) -> None:
    run = CommandLine(home, variables).run(*arguments)
    assert run.code == code, run.err
    [sentence] = [text for text in run.err.splitlines() if text.startswith("error: ")]
    for word in words:
        assert word in sentence
    assert run.err.count("\n") == 1
    assert _processes_in(home) == []


def test_an_update_of_named_symbols_leaves_the_others_alone(home: Path) -> None:
    line = CommandLine(home)
    assert line.run("--symbols", "AAPL,IBM").code == 0
    run = line.run("--symbols", "IBM", "update", "--json")
    assert {each["symbol"] for each in run.json()["series"]} == {"IBM"}
    refused = line.run("--symbols", "IBM,MSFT", "update")
    assert refused.code == 4
    assert "nothing is stored of MSFT, so" in refused.err


def test_a_replayed_file_without_a_symbol_column_is_that_of_the_one_symbol_named(
    home: Path,
) -> None:
    rows = [row for row in _bokeh("IBM") if row[0] >= "2012-06-01"]
    path = home / "bars.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([FIELDS, *rows])
    line = CommandLine(home)
    run = line.run("--replay", str(path), "--symbols", "IBM")
    assert run.code == 0, run.err
    assert "`algo-trader candles show IBM`" in run.out
    assert _stored_daily(home, "IBM") == rows
    unnamed = line.run("--replay", str(path))
    assert unnamed.code == 2
    assert "lacks symbol" in unnamed.err
    assert "--symbols SPY" in unnamed.err


def test_a_home_below_a_file_is_no_bug_of_ours(home: Path) -> None:
    (home / "file").touch()
    run = CommandLine(home, {"ALGO_TRADER_HOME": str(home / "file" / "below")}).run()
    assert run.code == 3
    assert str(home / "file" / "below") in run.err


def test_a_symbol_leaves_the_watchlist_by_any_of_its_spellings(home: Path) -> None:
    line = CommandLine(home)
    assert "BRK/B" in line.run("watchlist", "add", "brk.b", "--json").json()["symbols"]
    assert line.run("watchlist", "add", "BRK/B", "--json").json()["symbols"].count("BRK/B") == 1
    assert "BRK/B" not in line.run("watchlist", "remove", "Brk.b", "--json").json()["symbols"]


def test_a_corrupt_env_file_is_named_with_its_line_and_left_as_it_is(home: Path) -> None:
    (home / "MODULE.bazel").write_text("")
    (home / "artificer.env").write_text("LOG_LEVEL=INFO\n=== not a setting ===\n")
    run = CommandLine(home).run()
    assert run.code == 2
    assert "artificer.env line 2" in run.err
    assert (home / "artificer.env").read_text() == "LOG_LEVEL=INFO\n=== not a setting ===\n"


def test_no_network_and_wrong_credentials_never_fall_back_to_the_simulator(home: Path) -> None:
    variables = {
        "SCHWAB_API_KEY": "k" * 32,
        "SCHWAB_SECRET": "s" * 16,
        "SCHWAB_BASE_URL": "https://127.0.0.1:1",
        "SCHWAB_REFRESH_TOKEN": "some-refresh-token",
    }
    run = CommandLine(home, variables).run("--json")
    assert run.code == 3
    assert "127.0.0.1:1" in run.err
    assert "SIMULATOR" not in run.out
    assert not (home / "sim").exists()
    assert "some-refresh-token" not in run.out + run.err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_so_ends_its_servers_and_is_completed_by_the_next(
    home: Path, number: signal.Signals
) -> None:
    line = CommandLine(home)
    with line.start("--json") as process:
        deadline = time.monotonic() + 60
        while not (home / "sim" / "archive" / "manifest.log").exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(process.pid, number)
        _, err = process.communicate(timeout=60)
    assert process.returncode == (130 if number == signal.SIGINT else 143)
    assert "Traceback" not in err
    if number == signal.SIGINT:
        assert "what was stored is complete" in json.loads(err)["message"]
    assert _processes_in(home) == []
    again = line.run("--json")
    assert again.code == 0, again.err
    for each in again.json()["series"]:
        assert each["read_back"] is not None
        assert each["error"] is None


def test_two_runs_at_once_share_the_servers_and_store_everything_once(home: Path) -> None:
    line = CommandLine(home)
    both = [line.start("--json"), line.start("--json")]
    results = [process.communicate(timeout=180) for process in both]
    assert [process.returncode for process in both] == [0, 0], results
    assert CommandLine(home).run("--json").json()["exit_code"] == 0
    assert _processes_in(home) == []
    traded = [row for row in _bokeh("AAPL") if row[0] >= "2012-03-01"]
    assert _stored_daily(home, "AAPL") == traded


def test_help_imports_nothing_heavy(home: Path) -> None:
    code = (
        "import sys\n"
        "from system.algo_trader.main import main\n"
        "assert main(['--help']) == 0\n"
        "heavy = {'pyarrow', 'pandas', 'numpy', 'datafusion', 'redis', 'requests', 'duckdb',"
        " 'cryptography', 'exchange_calendars', 'numba', 'docker'}\n"
        "sys.exit(' '.join(sorted(heavy & set(sys.modules))) or 0)\n"
    )
    environment = CommandLine(home).environment()
    ended = subprocess.run(
        [*_python(), "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert "watchlist" in ended.stdout


def _python() -> list[str]:
    import sys

    return [sys.executable]


def test_the_realm_of_a_simulated_run_never_touches_the_live_one(home: Path) -> None:
    assert CommandLine(home).run("--symbols", "AAPL").code == 0
    assert (home / "sim").is_dir()
    assert not (home / "live").exists()
    live = Realm.live(home)
    settings = load(
        environment={"ALGO_TRADER_HOME": str(home), "ALGO_TRADER_PROBE_DEFAULT_PORTS": "off"},
        workspace=home,
    )
    with Runtime(settings, sim=True) as runtime:
        databases = runtime.influxdb.list_databases()
    assert "algo_trader_sim" in databases
    assert live.database not in databases
