import json

import pytest

from infrastructure.clock import parse_rfc3339
from system.algo_trader.cli.options import show_round
from system.algo_trader.cli.options_keepers import opens_in_s
from system.algo_trader.jobs.option_refresh import Round
from system.algo_trader.main import main

BEGAN = parse_rfc3339("2026-01-16T15:00:00Z")
DOCUMENT = {
    "source": "test",
    "is_synthetic": True,
    "as_of": "2026-01-16T14:59:58Z",
    "spot": 100.0,
    "total": {"gex": {"net": -1.5e9}},
    "flip": {"price": None},
    "contracts": 12,
}
LATE = Round("SPY", BEGAN, 2.0, 45.0, 30.0, DOCUMENT, {"redis": 3}, {}, ["influxdb"], False)
FAILED = Round("SPY", BEGAN, 2.0, None, 30.0, None, {}, {"schwab": "no answer"}, [], False)


def test_a_turn_is_a_line_that_says_its_real_interval(capsys: pytest.CaptureFixture[str]) -> None:
    show_round(LATE, machine=False)
    shown = capsys.readouterr()
    assert shown.err == "influxdb works again\n"
    assert shown.out == (
        "2026-01-16T15:00:00Z  SPY  100.00  gamma -$1.50B  flip –  every 45 s (asked: 30 s), "
        "took 2.0 s  kept: redis 3\n"
    )
    show_round(FAILED, machine=False)
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "schwab: no answer\n")


def test_machines_get_a_line_of_json_a_turn(capsys: pytest.CaptureFixture[str]) -> None:
    show_round(LATE, machine=True)
    show_round(FAILED, machine=True)
    late, failed = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (late["interval_s"], late["wanted_s"], late["gex"]) == (45.0, 30.0, -1.5e9)
    assert late["kept"] == {"redis": 3}
    assert (failed["gex"], failed["troubles"]) == (None, {"schwab": "no answer"})


@pytest.mark.parametrize(
    ("symbol", "moment", "hours"),
    [
        ("SPY", "2026-01-16T15:00:00Z", 0.0),
        ("SPY", "2013-03-01T21:00:00Z", 65.5),  # Friday's close to Monday's opening
        ("$SPX", "2013-03-01T21:10:00Z", 0.0),  # index options trade a quarter hour longer
        ("SPY", "2012-11-23T18:30:00Z", 68.0),  # after the half day's close at 13:00
        ("SPY", "2012-11-22T15:00:00Z", 23.5),  # Thanksgiving
    ],
)
def test_hours_are_the_option_markets(symbol: str, moment: str, hours: float) -> None:
    assert opens_in_s(symbol, parse_rfc3339(moment)) == pytest.approx(3600 * hours)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["SPY", "--every", "soon"], "--every 'soon' is no length of time"),
        (["SPY", "--for", "10"], "--for '10' is no length of time"),
        (["SPY", "--per-minute", "121"], "'--per-minute'"),
        (["SPY", "--signs", "x"], "is no sign convention"),
        (["SPY", "--rates", "x"], "is no rate and no curve"),
        (["S Y!"], "S Y!"),
    ],
)
def test_wrong_words_are_one_sentence(
    capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    assert main(["--sim", "options", "refresh", *words]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
