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
