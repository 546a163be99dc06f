"""Judge `gex` without a file: the chain comes from the simulator over the wire."""

import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree

import pytest

from system.algo_trader.testing.command_line import CommandLine


@pytest.fixture(scope="module")
def command_line() -> Iterator[CommandLine]:
    folder = Path(tempfile.mkdtemp(prefix="at-"))
    yield CommandLine(folder)
    rmtree(folder)


def test_a_simulated_chain_gives_a_report_that_says_it_is_simulated(
    command_line: CommandLine,
) -> None:
    result = command_line.run("gex", "aapl", "--json")
    assert result.code == 0, result.err
    report = result.json()
    assert (report["symbol"], report["source"], report["is_synthetic"]) == (
        "AAPL",
        "schwab-sim",
        True,
    )
    assert report["spot"] == pytest.approx(430.47)  # bokeh_sampledata's close of 2013-03-01
    assert report["as_of"].startswith("2013-03-01T21:00")
    assert report["stale"] is True
    assert report["confidence"] == "ok"
    assert report["greeks_source"]["computed"] > 1000
    assert report["greeks_source"]["vendor"] == 0
    assert report["contracts_left_out"] == 0


def test_a_persons_tables_name_the_simulator_and_its_date(command_line: CommandLine) -> None:
    result = command_line.run("gex", "AAPL")
    assert result.code == 0, result.err
    first = result.out.splitlines()[0]
    assert "Simulator, replay of the past (AAPL)" in first
    assert "2013-03-01" in first


def test_a_symbol_without_options_is_one_sentence_and_exit_code_4(
    command_line: CommandLine,
) -> None:
    result = command_line.run("gex", "ZZZZ")
    assert result.code == 4
    assert "Schwab lists no options on ZZZZ" in result.err
    assert "Traceback" not in result.err
    assert result.out == ""


@pytest.mark.parametrize(
    ("symbol", "code", "sentence"),
    [
        ("A!B", 2, "'A!B' cannot be a symbol"),
        ("/ES", 2, "'/ES' is a future"),
        ("", 2, "The symbol is empty"),
        ("EUR/USD", 4, "Schwab lists no options on EUR/USD"),
    ],
)
def test_what_has_no_chain_is_one_sentence(
    command_line: CommandLine, symbol: str, code: int, sentence: str
) -> None:
    result = command_line.run("gex", symbol)
    assert (result.code, result.out) == (code, "")
    assert sentence in result.err
    assert result.err.count("\n") == 1


def test_a_watch_shows_the_report_and_ends_cleanly_at_ctrl_c(command_line: CommandLine) -> None:
    process = command_line.start("gex", "AAPL", "--watch")
    assert process.stdout is not None
    for line in process.stdout:
        if "Next expiries" in line:
            break
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 0, error
    assert "Traceback" not in error


def test_a_kept_report_answers_with_its_age_and_fresh_goes_round_it(
    command_line: CommandLine,
) -> None:
    # Kept running, so that what is kept outlives the command that kept it.
    assert command_line.run("services", "start", "redis").code == 0
    try:
        first = command_line.run("gex", "MSFT", "--json").json()
        assert "cached_for_s" not in first
        kept = command_line.run("gex", "msft", "--json").json()
        assert 0 <= kept["cached_for_s"] < 30
        assert kept["downloaded"] == first["downloaded"]
        assert (kept["total"], kept["flip"]) == (first["total"], first["flip"])
        shown = command_line.run("gex", "MSFT").out.splitlines()[0]
        assert shown.endswith("s ago")
        for words in (["--fresh"], ["--rates", "0.05"]):
            again = command_line.run("gex", "MSFT", "--json", *words).json()
            assert "cached_for_s" not in again
            assert again["downloaded"] != first["downloaded"]
    finally:
        command_line.run("services", "stop")


def test_a_stored_chain_gives_the_same_numbers_out_of_the_archive(
    command_line: CommandLine,
) -> None:
    stored = command_line.run("gex", "GOOG", "--store", "--json").json()
    assert stored["stored"]["archived"] == stored["contracts"] + stored["contracts_expired"] > 1000
    result = command_line.run("gex", "GOOG", "--archive", "--at", "2013-03-02T00:00:00Z", "--json")
    assert result.code == 0, result.err
    read = result.json()
    told = ("symbol", "as_of", "spot", "source", "is_synthetic", "contracts", "total", "flip",
            "per_strike_flip", "call_wall", "put_wall", "max_gamma", "buckets", "expiries",
            "strikes", "profile", "put_call_volume", "volatility_source")  # fmt: skip
    assert {name: read[name] for name in told} == {name: stored[name] for name in told}
    assert read["archived"] is True
    assert read["age_s"] < 4 * 3600
    again = command_line.run("gex", "GOOG", "--archive", "--store", "--json").json()["stored"]
    assert (again["written"], again["archived"]) == (stored["stored"]["written"], 0)
    shown = command_line.run("gex", "GOOG", "--archive")
    assert (shown.code, shown.err) == (0, "")
    assert "sentiment" in shown.out
    assert not (command_line.home / "live").exists()
    early = command_line.run("gex", "GOOG", "--archive", "--at", "2013-03-01T00:00:00Z")
    assert early.code == 4
    assert "holds no chain of GOOG at or before 2013-03-01T00:00:00Z" in early.err
