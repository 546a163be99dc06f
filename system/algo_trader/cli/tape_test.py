import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from infrastructure.clock import parse_rfc3339
from system.algo_trader.main import main

START = parse_rfc3339("2024-03-05T14:30:00Z")
MINUTE = 60_000_000_000


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("ALGO_TRADER_HOME", str(tmp_path / "home"))
    trades = ["ts_event_ns,price,size,aggressor"]
    for number in range(8):
        price, flag = (5100.25, "B") if number % 4 else (5100.0, "A")
        trades.append(f"{START + number * MINUTE},{price},{number + 1},{flag}")
    quotes = ["ts_event_ns,bid_price,bid_size,ask_price,ask_size", f"{START - 1},5100,9,5100.25,9"]
    words = []
    for name, lines in (("trades.csv", trades), ("quotes.csv", quotes)):
        (tmp_path / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        words += ["--file", str(tmp_path / name)]
    return words


def test_a_machine_gets_the_whole_report(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tape", "/esh24", *files, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["symbol"], told["version"], told["tick_size"]) == ("/ESH24", "tape.v1", 0.25)
    assert (told["trades"], told["bought"], told["sold"]) == (8, 30, 6)
    assert told["agreement"]["share"] == 1.0
    assert (told["basis"], told["sampled"]) == ("nbbo", False)
    assert told["terms"]["rule"] == "lee-ready"


@pytest.mark.parametrize("rule", ["quote", "tick", "lee-ready", "emo", "clnv"])
def test_a_person_gets_lines_for_each_rule(
    files: list[str], capsys: pytest.CaptureFixture[str], rule: str
) -> None:
    assert main(["tape", "/ESH24", *files, "--rule", rule, "--sampled"]) == 0
    out = capsys.readouterr().out
    assert "SAMPLED: some trades are missing" in out
    for text in ("/ESH24 (file)", f"{rule}: bought", "value area", "own flag agrees"):
        assert text in out


def test_lag_and_window_reach_the_join(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tape", "/ESH24", *files, "--json", "--window", "90s"]) == 0
    assert json.loads(capsys.readouterr().out)["at_quote"]["unquoted"] == pytest.approx(33 / 36)
    assert main(["tape", "/ESH24", *files, "--json", "--lag", "90s"]) == 0
    assert json.loads(capsys.readouterr().out)["at_quote"]["unquoted"] == pytest.approx(3 / 36)


def test_every_trade_goes_to_a_file(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("out.csv", "out.parquet"):
        assert main(["tape", "/ESH24", *files, "--out", str(tmp_path / name)]) == 0
    capsys.readouterr()
    with (tmp_path / "out.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["side"] for row in rows] == ["sell", "buy", "buy", "buy"] * 2
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 8


def test_a_date_takes_its_hours(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tape", "/ESH24", *files, "--json", "--date", "2024-03-05"]) == 0
    assert json.loads(capsys.readouterr().out)["trades"] == 8
    assert main(["tape", "/ESH24", *files, "--date", "2024-03-06", "--session", "rth"]) == 4
    assert "in the time that is asked for" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["/ESH24", "--file", "{folder}/gone.csv"], 2, "gone.csv cannot be read as CSV"),
        (["/ESH24", "--file", "{folder}/empty.csv"], 2, "empty.csv cannot be read as CSV"),
        (["/ESH24", "--file", "{folder}/heading.csv"], 4, "no trades of /ESH24"),
        (["/ESH24", "--file", "{folder}/wrong.csv"], 2, "has the columns a, b"),
        (["/ESH24", "--file", "{folder}/nan.csv"], 2, "the size nan in row 0"),
        (["/ESH24", "--file", "{folder}/trades.txt"], 2, "neither CSV nor Parquet"),
        (["/ESH24"], 4, "no trades of /ESH24 are stored"),
        (["AAPL", "--date", "2024-03-05"], 4, "no trades of AAPL are stored"),
        (["AAPL", "--date", "2024-03-09"], 2, "2024-03-09 is not a session of XNYS"),
        (["AAPL", "--date", "soon"], 2, "--date 'soon' is no date"),
        (["A!B"], 2, "cannot read the symbol"),
        (["/QQQH24"], 2, "QQQ"),
        (["AAPL", "--lag", "5"], 2, "--lag '5' is no length of time"),
        (["AAPL", "--window", "0s"], 2, "--window '0s' is no length of time"),
        (["AAPL", "--timeframe", "7m"], 2, "no stretch of a tape"),
        (["AAPL", "--out", "x.xls"], 2, "--out 'x.xls' is neither CSV nor Parquet"),
        (["AAPL", "--rule", "guess"], 2, "guess"),
    ],
)
def test_wrong_input_and_missing_data_are_one_sentence_and_a_code(
    files: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    sentence: str,
) -> None:
    del files
    for name, text in (
        ("empty.csv", ""),
        ("heading.csv", "ts_event_ns,price,size\n"),
        ("wrong.csv", "a,b\n1,2\n"),
        ("nan.csv", f"ts_event_ns,price,size\n{START},1,NaN\n"),
        ("trades.txt", ""),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert main(["tape", *(word.replace("{folder}", str(tmp_path)) for word in words)]) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("error: ")
    assert shown.err.count("\n") == 1
    assert sentence in shown.err


def test_a_lag_beyond_the_window_is_refused(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tape", "/ESH24", *files, "--lag", "2s", "--window", "1s"]) == 2
    assert "at least 2000000000 ns and at most 1000000000 ns old" in capsys.readouterr().err
