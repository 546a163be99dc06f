"""The verbs of the store and the archive, run as a person runs them."""

from pathlib import Path

import pytest

from system.algo_trader.testing.command_line import CommandLine


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    made = CommandLine(tmp_path_factory.mktemp("home"))
    assert made.run("--symbols", "IBM").code == 0
    return made


def test_a_backup_restored_elsewhere_holds_the_same(line: CommandLine, tmp_path: Path) -> None:
    target = str(tmp_path / "copy")
    first = line.run("store", "backup", target, "--json").json()
    assert first["copied"] == first["parts"] > 0
    assert line.run("store", "backup", target, "--json").json()["copied"] == 0
    (tmp_path / "other").mkdir()
    other = CommandLine(tmp_path / "other")
    assert other.run("store", "restore", target).code == 0
    stored, restored = (each.run("store", "status", "--json").json() for each in (line, other))
    assert restored["datasets"] == stored["datasets"]
    assert other.run("archive", "verify").code == 0


def test_influxdb_is_rebuilt_from_what_the_archive_holds(line: CommandLine) -> None:
    held = line.run("archive", "query", "SELECT count(*) AS n FROM bars_1d").json()
    assert held[0]["n"] > 200
    rebuilt = line.run("store", "rebuild", "--json").json()
    assert rebuilt["database"] == "algo_trader_sim"
    rows = sum(each["rows"] for each in line.run("store", "status", "--json").json()["datasets"])
    assert rebuilt["written"] == rows


def test_candles_are_rebuilt_from_a_day_on_and_no_earlier_ones(tmp_path: Path) -> None:
    line = CommandLine(tmp_path)
    text = "".join(f"2023-12-{day:02},10,11,9,10.5,100\n" for day in (18, 19, 20, 21, 22))
    (tmp_path / "d.csv").write_text(f"date,open,high,low,close,volume\n{text}")
    words = ["--symbol", "IBM", "-t", "1d", "--label", "start", "--tz", "America/New_York"]
    words += ["--adjustment", "split"]
    run = line.run("store", "import", str(tmp_path / "d.csv"), *words)
    assert run.code == 0, run.err
    counts = ("expected", "written", "read_back")
    for more, expected in (
        (("--since", "2023-12-21"), [2, 2, 2]),
        (("--since", "2023-12-19"), [4, 2, 4]),
        ((), [5, 5, 5]),
    ):
        run = line.run("store", "rebuild", "influx", "--dataset", "candles", "--json", *more)
        assert run.code == 0, run.err
        [row] = run.json()["series"]
        assert [row[name] for name in counts] == expected


def test_chains_are_rebuilt_with_what_follows_from_them_and_counted_back(
    tmp_path: Path,
) -> None:
    line = CommandLine(tmp_path)
    stored = line.run("gex", "AAPL", "--store", "--json").json()
    status = line.run("store", "status", "--json").json()["datasets"]
    archived = stored["stored"]["archived"]
    assert [(each["dataset"], each["symbol"], each["rows"]) for each in status] == [
        ("option_quotes", "AAPL", archived)
    ]
    words = ("store", "rebuild", "influx", "--dataset", "option_quotes", "--json")
    tables = ("option_quotes", "option_exposure", "option_metrics")
    wanted = [stored["stored"]["written"][name] for name in tables]
    assert wanted[0] == stored["contracts"] > 500
    for more in ((), ("--since", stored["as_of"][:10])):
        rebuilt = line.run(*words, *more)
        assert rebuilt.code == 0, rebuilt.err
        rows = rebuilt.json()["series"]
        assert [each["table"] for each in rows] == list(tables)
        for name in ("expected", "written", "read_back"):
            assert [each[name] for each in rows] == wanted
    rows = line.run(*words, "--since", "2030-01-01").json()["series"]
    assert [each["read_back"] for each in rows] == [0, 0, 0]


def test_trades_are_rebuilt_and_counted_back_and_exported_as_they_came(
    tmp_path: Path,
) -> None:
    line = CommandLine(tmp_path)
    first = 1_703_545_200_000_000_000
    given = [(first + number // 2, 4800.25, 1 + number % 2) for number in range(20)]
    text = "".join(f"{at},{price},{size}\n" for at, price, size in given)
    (tmp_path / "t.csv").write_text(f"ts_event_ns,price,size\n{text}{first},4800.25,1\n")
    assert line.run("store", "import", str(tmp_path / "t.csv"), "--symbol", "/ESH24").code == 0
    words = ("store", "rebuild", "influx", "--dataset", "trades", "--json")
    for more in ((), ("--since", "2023-12-25"), ("--since", "2023-12-26")):
        count = 0 if more and more[1] > "2023-12-25" else 21
        [row] = line.run(*words, *more).json()["series"]
        assert (row["table"], row["symbol"]) == ("trades", "/ESH24")
        assert [row[name] for name in ("expected", "written", "read_back")] == [count] * 3
    target = tmp_path / "out.csv"
    run = line.run("store", "export", "trades", "--to", str(target), "--json").json()
    assert run["files"][0]["rows"] == len(target.read_text().splitlines()) - 1 == 21
    status = line.run("store", "status", "--json").json()
    assert [(each["dataset"], each["rows"]) for each in status["datasets"]] == [("trades", 21)]


def test_a_flipped_bit_is_found_and_named(tmp_path: Path) -> None:
    line = CommandLine(tmp_path)
    assert line.run("--symbols", "IBM").code == 0
    part = next((tmp_path / "sim" / "archive").rglob("part-*.parquet"))
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    run = line.run("archive", "verify")
    assert run.code == 3
    assert part.name in run.out + run.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["store", "quota", "much"], 2, "much"),
        (["store", "rebuild", "grafana"], 2, "grafana"),
        (["store", "rebuild", "--dataset", "option_metrics"], 2, "archive has none of it"),
        (["store", "rebuild", "--since", "yesterday"], 2, "yesterday"),
        (["store", "export", "bars", "--to", "x.csv"], 2, "--timeframe"),
        (["store", "export", "bars", "-t", "1d", "--to", "x.txt"], 2, "txt"),
        (["store", "export", "trades", "--to", "x.csv"], 4, "no trades"),
        (["store", "restore", "/nowhere/at/all"], 2, "already"),
        (["store", "import", "nothing.csv"], 2, "nothing.csv"),
        (["archive", "query", "SELECT nonsense"], 2, "nonsense"),
    ],
)
def test_wrong_input_is_one_sentence(
    line: CommandLine, words: list[str], code: int, said: str
) -> None:
    run = line.run(*words)
    assert run.code == code, run.err
    assert said in run.err
    assert "Traceback" not in run.err


def test_a_quota_is_set_shown_and_taken_away(line: CommandLine) -> None:
    assert "20000000000" in line.run("store", "quota", "20GB").out
    assert line.run("store", "status", "--json").json()["quota_bytes"] == 20_000_000_000
    assert line.run("store", "quota", "none", "--json").json() == {"quota_bytes": None}
