import json
import re
from pathlib import Path

import pytest

from infrastructure.clock import parse_rfc3339
from system.algo_trader.main import main
from system.algo_trader.market.bars import Bars, Series
from system.algo_trader.market.source import Source
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.realm import Realm
from system.algo_trader.storage.archive import Archive

OPEN = parse_rfc3339("2013-03-01T14:30:00Z")
MINUTE = 60_000_000_000


def bars(timeframe: Timeframe, starts: list[int], prices: tuple[float, float, float]) -> Bars:
    high, low, close = prices
    count = len(starts)
    return Bars.of(
        Series("AAPL", timeframe, source=Source.SCHWAB_SIM),
        start=starts,
        open=[close] * count,
        high=[high] * count,
        low=[low] * count,
        close=[close] * count,
        volume=[100] * count,
        fetched_at=parse_rfc3339("2020-01-01T00:00:00Z"),
        is_synthetic=timeframe.is_intraday,
    )


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ALGO_TRADER_HOME", str(tmp_path))
    monkeypatch.setenv("ALGO_TRADER_PROBE_DEFAULT_PORTS", "off")
    archive = Archive(Realm.sim(tmp_path).archive_root / "archive")
    days = [parse_rfc3339(f"2013-{day}T06:00:00Z") for day in ("02-28", "03-01")]
    archive.append(bars(Timeframe.D1, days, (110.0, 100.0, 108.0)), "run-1/AAPL/1d")
    minutes = [OPEN + number * MINUTE for number in range(390)]
    archive.append(bars(Timeframe.M1, minutes, (105.0, 102.0, 103.5)), "run-1/AAPL/1m")
    other = [start - 86_400_000_000_000 for start in minutes]
    archive.append(bars(Timeframe.M1, other, (105.0, 102.0, 103.5)), "run-0/AAPL/1m")
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["--sim", "levels", *words])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


@pytest.mark.usefixtures("home")
def test_the_last_stored_day_is_shown_and_called_simulated(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = run(capsys, "aapl")
    assert code == 0
    assert "simulator, replay of the past" in out
    assert "AAPL 2013-03-01" in out
    for level in ("112.00", "102.00", "106.00", "103.50", "390 of 390"):
        assert level in out
    assert err.startswith("PROVENANCE provider=schwab-sim ")
    assert err.endswith("realm=sim\n")


@pytest.mark.usefixtures("home")
def test_json_on_standard_output_is_the_document_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, _ = run(capsys, "AAPL", "--date", "2013-03-01", "--format", "json")
    assert code == 0
    document = json.loads(out)
    assert document["levels"] == {"R1": 112.0, "S1": 102.0, "VWAP": 103.5, "pivot": 106.0}
    assert document["provenance"]["is_synthetic"] is True
    # The minutes of the day before are no part of this.
    assert document["provenance"]["provider_request_id"] == "run-1/AAPL/1d+run-1/AAPL/1m"
    assert document["quality"]["coverage_pct"] == 100.0


@pytest.mark.usefixtures("home")
def test_csv_and_ai_block_are_forms_of_the_same_document(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(capsys, "AAPL", "--format", "csv")[1].count("\n") == 2
    block = run(capsys, "AAPL", "--format", "ai-block", "--pivot", "camarilla")[1]
    assert "pivot_kind: camarilla\n" in block
    assert "R1: 108.92\n" in block


@pytest.mark.usefixtures("home")
def test_a_day_without_bars_has_pivots_a_null_vwap_and_the_code_of_missing_data(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ("AAPL", "--date", "2013-03-04", "--json")
    code, out, err = run(capsys, *words)
    assert code == 4
    assert json.loads(out)["levels"]["VWAP"] is None
    assert "no VWAP: no 1m bar of AAPL" in err
    assert run(capsys, *words, "--allow-null-vwap")[0] == 0


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("AAPL", "--date", "2013-03-02"), 2, "2013-03-02 is not a session of XNYS"),
        (("AAPL", "--date", "2013-13-01"), 2, "is no date"),
        (("AAPL", "--date", "1950-01-03"), 2, "outside the calendar"),
        (("AAPL", "--date", "2012-03-01"), 4, "nothing is stored of AAPL on 2012-02-29"),
        (("AAPL", "--session", "eth"), 4, "nothing is stored of AAPL on 2013-02-28"),
        (("AAPL", "--interval", "7m"), 2, "is no interval"),
        (("AAPL", "--anchor", "soon"), 2, "is no moment"),
        (("AAPL", "--anchor", "2013-03-05"), 2, "lies after the session"),
        (("AAPL", "--format", "xml"), 2, "xml"),
        (("ZZZZ",), 4, "nothing is stored of ZZZZ"),
        (("A!B",), 2, "cannot read the symbol"),
        (("EUR/USD",), 2, "no exchange calendar is known"),
    ],
)
def test_wrong_input_and_missing_data_are_one_sentence_and_a_code(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, sentence: str
) -> None:
    found, out, err = run(capsys, *words)
    assert (found, out) == (code, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert sentence in err


@pytest.mark.usefixtures("home")
def test_an_anchor_names_a_session_or_a_moment(capsys: pytest.CaptureFixture[str]) -> None:
    for anchor, expected in (("2013-02-28", 780), ("2013-03-01T20:00:00Z", 60)):
        out = run(capsys, "AAPL", "--anchor", anchor)[1]
        assert re.search(rf"of {expected} bars", out)


@pytest.mark.usefixtures("home")
def test_a_range_gives_every_session_that_can_be_made_and_names_the_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ("AAPL", "--date", "2013-02-28", "--to", "2013-03-04")
    code, out, err = run(capsys, *words, "--json")
    assert code == 0
    documents = [json.loads(line) for line in out.splitlines()]
    assert [each["date"] for each in documents] == ["2013-03-01", "2013-03-04"]
    assert [each["levels"]["VWAP"] for each in documents] == [103.5, None]
    assert "2013-02-28 is left out: nothing is stored of AAPL on 2013-02-27" in err
    assert "no VWAP" in err
    rows = run(capsys, *words, "--format", "csv")[1].splitlines()
    assert len(rows) == 3


@pytest.mark.usefixtures("home")
def test_a_range_without_any_session_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "AAPL", "--date", "2012-03-01", "--to", "2012-03-01")
    assert (code, out) == (4, "")
    assert "no levels of AAPL can be made from 2012-03-01" in err
    assert run(capsys, "AAPL", "--date", "2013-03-01", "--to", "2013-02-28")[0] == 2
