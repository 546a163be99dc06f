"""The path of a person with credentials, against a Schwab at SCHWAB_BASE_URL.

A live run refuses whatever says that it is simulated, so these tests take that header away.
"""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from shutil import rmtree

import numpy as np
import pytest
import requests

from infrastructure.clock import SystemClock, utc_from_ns
from infrastructure.exchange.calendars import calendar
from infrastructure.simulators.schwab.consent import approve
from infrastructure.simulators.schwab.faults import DroppedConnection
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.messages import Request, Response
from infrastructure.simulators.schwab.simulator import SchwabSimulator
from system.algo_trader.testing.command_line import CommandLine, Result

CALLBACK = "https://127.0.0.1"
KEY = "an-app-key-of-even-length-000000"
SECRET = "an-app-secret-of-even-length"


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="at-"))
    yield folder
    rmtree(folder)


def _schwab(market: ReplayMarket) -> SchwabSimulator:
    """Return a simulator that does not say what it is."""
    simulator = SchwabSimulator(market, app_key=KEY, app_secret=SECRET, callback_url=CALLBACK)
    answer = simulator._application.answer

    def silent(request: Request) -> Response | DroppedConnection:
        response = answer(request)
        if isinstance(response, Response):
            response.headers.pop("X-Simulated", None)
        return response

    simulator._application.answer = silent  # type: ignore[method-assign]
    return simulator


@pytest.fixture
def schwab() -> Iterator[SchwabSimulator]:
    with _schwab(ReplayMarket.from_bokeh()) as simulator:
        yield simulator


def _line(home: Path, schwab: SchwabSimulator, secret: str = SECRET) -> CommandLine:
    return CommandLine(
        home,
        {
            "SCHWAB_API_KEY": KEY,
            "SCHWAB_SECRET": secret,
            "SCHWAB_CALLBACK_URL": CALLBACK,
            "SCHWAB_BASE_URL": schwab.base_url,
        },
    )


def _sign_in(line: CommandLine, edit: tuple[str, str] = ("", "")) -> Result:
    """Run `auth login`: open the printed URL, approve, paste the address that comes back."""
    with line.start("auth", "login", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        shown = ""
        while (url := re.search(r"https?://\S+authorize\S+", shown)) is None:
            text = process.stdout.readline()
            assert text, process.stderr.read()
            shown += text
        received = approve(url.group(), requests.Session()).replace(*edit)
        process.stdin.write(f"{received}\n")
        process.stdin.close()
        out, err = process.stdout.read(), process.stderr.read()
        process.wait(timeout=60)
    return Result(process.returncode, shown + out, err)


def _recent_sessions(path: Path) -> Path:
    """Write seeded daily bars of the NYSE sessions of the last two years."""
    today = utc_from_ns(SystemClock().now_ns()).date()
    days = calendar("XNYS").session_dates(today - timedelta(days=730), today - timedelta(days=1))
    closes = np.round(
        100 * np.exp(np.cumsum(np.random.default_rng(7).normal(0, 0.01, len(days)))), 2
    )
    lines = ["symbol,date,open,high,low,close,volume"]
    lines += [
        f"AAPL,{day},{close},{close + 1:.2f},{close - 1:.2f},{close},1000"
        for day, close in zip(days, closes, strict=True)
    ]
    path.write_text("\n".join(lines))
    return path


def test_a_signed_in_run_stores_under_the_live_names_as_schwab(home: Path) -> None:
    market = ReplayMarket.from_file(_recent_sessions(home / "recent.csv"))
    with _schwab(market) as schwab:
        line = _line(home, schwab)
        assert _sign_in(line).code == 0
        run = line.run("--symbols", "AAPL", "--json")
        assert run.code == 0, run.err
        shown = line.run("candles", "show", "AAPL", "--json").json()
    report = run.json()
    assert (report["realm"], report["is_simulated"], report["market_date"]) == ("live", False, None)
    daily = next(each for each in report["series"] if each["timeframe"] == "1d")
    assert daily["new"] == daily["read_back"] > 240
    assert set(shown["source"]) == {"schwab"}
    assert set(shown["is_synthetic"]) == {False}
    assert not (home / "sim").exists()


def test_signing_in_by_paste_and_out_again(home: Path, schwab: SchwabSimulator) -> None:
    line = _line(home, schwab)
    assert line.run("auth", "status").code == 2
    signed_in = _sign_in(line)
    assert signed_in.code == 0, signed_in.err
    assert "Redirect URL:" in signed_in.out
    assert "30 s" in signed_in.out
    assert line.run("auth", "status", "--json").json()["state"] == "signed in"
    run = line.run("--symbols", "AAPL", "--json")
    # The replayed market lies years before the clock of a live run: what Schwab answers about
    # the last year is empty, and that is said, not papered over.
    assert run.code == 4, run.err
    assert {each["error"]["error"] for each in run.json()["series"] if each["error"]} == {
        "NoDataError"
    }
    assert run.json()["realm"] == "live"
    assert line.run("auth", "logout", "--json").json() == {"signed_out": True}
    assert line.run("auth", "status").code == 2
    assert not (home / "sim").exists()


def test_without_a_sign_in_the_job_names_the_command_that_signs_in(
    home: Path, schwab: SchwabSimulator
) -> None:
    run = _line(home, schwab).run()
    assert run.code == 2
    assert "algo-trader auth login" in run.err


def test_a_wrong_secret_a_foreign_state_and_no_url_are_each_one_sentence(
    home: Path, schwab: SchwabSimulator
) -> None:
    wrong_secret = _sign_in(_line(home, schwab, "a-wrong-app-secret-of-even-len"))
    assert wrong_secret.code == 2
    assert "SCHWAB_SECRET" in wrong_secret.err or "secret" in wrong_secret.err
    foreign = _sign_in(_line(home, schwab), ("state=", "state=x"))
    assert foreign.code == 2
    assert "state" in foreign.err
    other = _sign_in(_line(home, schwab), ("https://127.0.0.1/", "https://127.0.0.2/"))
    assert other.code == 2
    nothing = _line(home, schwab).run("auth", "login", typed="\n")
    assert nothing.code == 2
    for result in (wrong_secret, foreign, other, nothing):
        assert result.err.count("error: ") == 1
        assert "Traceback" not in result.err


def test_a_sign_in_that_schwab_has_ended_asks_for_a_new_one(
    home: Path, schwab: SchwabSimulator
) -> None:
    line = _line(home, schwab)
    assert _sign_in(line).code == 0
    other_home = home / "other"
    other_home.mkdir()
    assert _sign_in(_line(other_home, schwab)).code == 0  # ends the first refresh token
    schwab.grants.end_access_tokens()
    run = line.run("--symbols", "AAPL")
    assert run.code == 2
    assert "algo-trader auth login" in run.err


def test_no_token_is_written_in_clear_anywhere(home: Path, schwab: SchwabSimulator) -> None:
    line = _line(home, schwab)
    results = [_sign_in(line), line.run("--symbols", "AAPL", "--log-level", "DEBUG")]
    stored = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    shown = "".join(result.out + result.err for result in results)
    for shape in ("I0.", SECRET):
        assert shape not in shown
        assert shape.encode() not in stored


def test_a_live_run_refuses_a_simulator_and_stores_nothing_of_it(home: Path) -> None:
    market = ReplayMarket.from_bokeh()
    with SchwabSimulator(
        market, app_key=KEY, app_secret=SECRET, callback_url=CALLBACK
    ) as simulator:
        run = _sign_in(_line(home, simulator))
    assert run.code == 2
    assert "simulator" in run.err
    assert "--sim" in run.err
    assert not (home / "live" / "tokens" / "schwab.json").exists()
