"""The commands of accounts and orders, run as a person runs them, against the local Schwab."""

from pathlib import Path
from typing import Any

import pytest

from system.algo_trader.testing.command_line import CommandLine

ACCOUNT = ["--account", "001"]
ORDER = ["BUY", "10", "AAPL", "--limit", "440", *ACCOUNT]


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    return CommandLine(tmp_path_factory.mktemp("home"))


@pytest.mark.parametrize(
    ("words", "columns"),
    [
        (["quote", "AAPL", "MSFT"], {"symbol", "last", "bid", "ask", "change", "volume"}),
        (["chain", "AAPL", "--strikes", "2"], {"symbol", "strike", "iv %", "delta"}),
        (["accounts"], {"account", "type", "value", "cash", "buying power"}),
        (["orders", "preview", *ORDER], {"kind", "message"}),
        (["orders", "place", *ORDER], {"order", "state"}),
    ],
)
def test_each_command_says_in_both_forms_that_it_is_simulated(
    line: CommandLine, words: list[str], columns: set[str]
) -> None:
    shown = line.run(*words)
    assert (shown.code, shown.err) == (0, "")
    assert "simulator, replay of 2013-03-01" in shown.out
    rows = line.run(*words, "--json").json()
    assert rows
    for row in rows:
        assert columns <= row.keys()
        assert row["source"].startswith("simulator, replay of 2013-03-01")


@pytest.mark.parametrize("words", [["positions"], ["orders", "list"], ["orders", "cancel-all"]])
def test_nothing_to_show_is_an_empty_table(tmp_path: Path, words: list[str]) -> None:
    line = CommandLine(tmp_path)
    assert line.run(*words, "--json").json() == []
    assert "simulator" in line.run(*words).out


def test_of_an_account_number_the_last_three_digits_are_shown(line: CommandLine) -> None:
    run = line.run("accounts")
    assert "...001" in run.out
    assert "10000001" not in run.out + run.err


def test_a_preview_shows_what_the_order_is_worth(line: CommandLine) -> None:
    rows = {
        row["kind"]: row["message"]
        for row in line.run("orders", "preview", *ORDER, "--json").json()
    }
    assert float(rows["order value"]) == 10 * 440


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["orders", "place", "BUY", "10", "AAPL", "--limit", "440"], 2, "account"),
        (["orders", "place", "HOLD", "10", "AAPL", *ACCOUNT], 2, "HOLD"),
        (["orders", "place", "BUY", "10", "AAPL", "--limit", "dear", *ACCOUNT], 2, "dear"),
        (["orders", "cancel", "999", *ACCOUNT], 4, "Order not found"),
        (["orders", "replace", "999", *ORDER], 4, "Order not found"),
        (["orders", "place", *ORDER, "--key", " x"], 2, "key"),
        (["orders", "list", "--account", "777"], 2, "777"),
    ],
)
def test_wrong_input_is_one_sentence(
    line: CommandLine, words: list[str], code: int, said: str
) -> None:
    run = line.run(*words)
    assert run.code == code, run.err
    [sentence] = run.err.splitlines()
    assert said in sentence


def test_a_live_order_needs_a_sign_in_first(tmp_path: Path) -> None:
    keys = {"SCHWAB_API_KEY": "a" * 32, "SCHWAB_SECRET": "b" * 16}
    line = CommandLine(tmp_path, {**keys, "SCHWAB_BASE_URL": "http://127.0.0.1:9"})
    run = line.run("orders", "place", *ORDER)
    assert run.code == 2
    assert "auth login" in run.err


def test_an_order_and_what_it_bought_are_there_for_the_next_command(tmp_path: Path) -> None:
    line = CommandLine(tmp_path)
    late = ["orders", "place", "BUY", "10", "AAPL", "--limit", "440", "--session", "PM"]
    filled = line.run("--sim", *late, *ACCOUNT, "--json").json()[0]["order"]
    waiting = line.run("--sim", "orders", "place", *ORDER, "--json").json()[0]["order"]
    listed = line.run("--sim", "orders", "list", "--json").json()
    assert [(row["order"], row["status"]) for row in listed] == [
        (waiting, "PENDING_ACTIVATION"),
        (filled, "FILLED"),
    ]
    [held] = line.run("--sim", "positions", "--json").json()
    assert (held["symbol"], float(held["quantity"])) == ("AAPL", 10)
    assert held["source"].startswith("simulator, replay of 2013-03-01")
    assert line.run("--sim", "orders", "cancel", str(waiting), *ACCOUNT).code == 0
    assert line.run("--sim", "orders", "list", "--json").json()[0]["status"] == "CANCELED"
    assert not (tmp_path / "live").exists()
    assert "forgotten" in line.run("sim", "reset").out
    assert line.run("--sim", "positions", "--json").json() == []
    assert line.run("--sim", "orders", "list", "--json").json() == []


def test_the_code_of_an_order_builds_what_was_placed(tmp_path: Path) -> None:
    line = CommandLine(tmp_path)
    placed = line.run("orders", "place", *ORDER, "--json").json()[0]["order"]
    shown = line.run("orders", "code", str(placed), *ACCOUNT)
    assert shown.code == 0, shown.err
    built: dict[str, Any] = {}
    exec(shown.out, built)
    again = line.run("orders", "code", str(placed), *ACCOUNT, "--json").json()
    assert built["order"].to_wire() == again
    leg = again["orderLegCollection"][0]
    assert (again["orderType"], float(again["price"])) == ("LIMIT", 440)
    assert (leg["instruction"], leg["quantity"], leg["instrument"]["symbol"]) == ("BUY", 10, "AAPL")


def test_a_key_places_once_over_two_runs(line: CommandLine) -> None:
    words = ["orders", "place", *ORDER, "--key", "once", "--json"]
    (first,) = line.run(*words).json()
    (again,) = line.run(*words).json()
    assert first["state"] == "placed"
    assert again["order"] == first["order"]
    other = line.run(
        "orders", "place", "BUY", "11", "AAPL", "--limit", "440", *ACCOUNT, "--key", "once"
    )
    assert (other.code, "another order" in other.err + other.out) == (2, True)


@pytest.mark.parametrize("verb", ["place", "replace", "cancel"])
def test_every_verb_that_trades_has_the_flag_of_arming(line: CommandLine, verb: str) -> None:
    assert "--arm-live" in line.run("orders", verb, "--help").out
    assert "--arm-live" not in line.run("orders", "cancel-all", "--help").out
