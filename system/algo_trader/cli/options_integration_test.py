"""`options refresh` and `options status` as a person runs them, against the simulator."""

import json
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
    made = CommandLine(folder)
    # Kept running, so that the status outlives the command that it is about.
    assert made.run("services", "start").code == 0
    yield made
    made.run("services", "stop")
    rmtree(folder)


def test_turns_go_on_until_ctrl_c_and_the_status_tells_of_them(command_line: CommandLine) -> None:
    assert command_line.run("options", "status").code == 4
    process = command_line.start(
        "options", "refresh", "AAPL", "ZZZZ", "--every", "1s", "--always", "--json"
    )
    assert process.stdout is not None
    turns = [json.loads(process.stdout.readline()) for _ in range(4)]
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 0, error
    assert "Traceback" not in error
    assert [turn["symbol"] for turn in turns] == ["AAPL", "ZZZZ", "AAPL", "AAPL"]
    assert turns[1]["dropped"]
    assert "Schwab lists no options on ZZZZ" in turns[1]["troubles"]["ZZZZ"]
    assert all(set(turns[i]["kept"]) == {"redis", "archive", "influxdb"} for i in (0, 2, 3))
    assert turns[3]["interval_s"] >= 1.0
    assert turns[3]["is_synthetic"] is True
    state = command_line.run("options", "status", "--json").json()
    assert state["symbols"]["AAPL"]["failing"] == {}
    shown = command_line.run("options", "status").out
    assert "AAPL" in shown
    assert "left out from now on" in shown
    # The report that the loop left is what `gex` answers with.
    assert command_line.run("gex", "AAPL", "--json").json()["cached_for_s"] < 30
    for_people = command_line.run("gex", "AAPL")
    assert (for_people.code, for_people.err) == (0, "")
    assert "not in a kept report" in for_people.out


def test_a_closed_market_is_said_and_nothing_is_asked(command_line: CommandLine) -> None:
    result = command_line.run("options", "refresh", "AAPL", "--for", "1s")
    assert (result.code, result.out) == (0, "")
    assert "the options market is closed and opens in 65 h" in result.err


def test_symbols_without_options_end_it_with_exit_code_4(command_line: CommandLine) -> None:
    result = command_line.run("options", "refresh", "ZZZZ", "--always")
    assert result.code == 4
    assert "none of the symbols has options" in result.err
