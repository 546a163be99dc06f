"""schwabdev, unmodified, signs in, asks, trades and streams over TLS as if at api.schwabapi.com.

It needs newer pins than ours, so it runs in an environment of its own, as `.ci/run judges` does.
"""

from __future__ import annotations

import json
import os
import subprocess
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from infrastructure.clock import SystemClock
from infrastructure.simulators.schwab import schwabdev_session
from infrastructure.simulators.schwab.consent import approve
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.simulator import SchwabSimulator
from infrastructure.simulators.schwab.streamer.pace import ScaledClock
from infrastructure.simulators.schwab.tls import self_signed

ROOT = Path(__file__).resolve().parents[3]
LOCK = ROOT / "requirements_judges_schwabdev_lock.txt"
CALLBACK = "https://127.0.0.1:8182"


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an environment that holds schwabdev and nothing of ours."""
    folder = tmp_path_factory.mktemp("judge")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "-q", "--require-hashes", "-r", LOCK],
        check=True,
        timeout=240,
    )
    return python


@pytest.fixture(scope="module")
def session(judge: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("schwabdev")
    identity = self_signed(folder / "tls")
    market = ReplayMarket.from_bokeh(from_open=True, clock=ScaledClock(SystemClock(), 60))
    with SchwabSimulator(market, tls=identity, callback_url=CALLBACK) as simulator:
        yield told_by_schwabdev(judge, simulator, folder)


def told_by_schwabdev(judge: Path, simulator: SchwabSimulator, folder: Path) -> dict[str, Any]:
    certificate = str(folder / "tls" / "simulator.crt")
    trust = {"SSL_CERT_FILE": certificate, "REQUESTS_CA_BUNDLE": certificate, "HOME": str(folder)}
    child = subprocess.Popen(
        [judge, schwabdev_session.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **trust, "PYTHONPATH": ""},
    )
    assert child.stdin is not None
    assert child.stdout is not None
    where = {
        "library": "schwabdev",
        "port": urlsplit(simulator.base_url).port,
        "key": simulator.app.key,
        "secret": simulator.app.secret,
        "callback": CALLBACK,
        "tokens": str(folder / "tokens.db"),
    }
    child.stdin.write(json.dumps(where) + "\n")
    child.stdin.flush()
    person = requests.Session()
    person.trust_env = False
    person.verify = certificate
    page = ""
    while not page:
        line = child.stdout.readline()
        assert line, "schwabdev ended without asking for a sign-in"
        page = json.loads(line)["open"] if line.startswith("{") else ""
    opened = page.replace(f"https://{schwabdev_session.HOST}", simulator.base_url)
    out, _ = child.communicate(approve(opened, person) + "\n", timeout=120)
    assert child.returncode == 0, out
    told: dict[str, Any] = json.loads(out.splitlines()[-1])
    return told


CREATED = {"place_order", "replace_order"}


def test_every_method_of_schwabdev_is_answered(session: dict[str, Any]) -> None:
    statuses = {name: each["status"] for name, each in session["told"].items()}
    assert {name for name, status in statuses.items() if status == 201} == CREATED
    assert {status for name, status in statuses.items() if name not in CREATED} == {200}
    assert len(statuses) == 22
    body = {name: each["body"] for name, each in session["told"].items()}
    assert body["quotes"]["errors"]["invalidSymbols"] == ["NOPE"]
    assert body["quote"]["AAPL"]["symbol"] == "AAPL"
    assert body["option_chains"]["putExpDateMap"] == {}
    assert len(body["price_history"]["candles"]) > 200
    assert body["instrument_cusip"] == body["instruments"]
    assert {order["status"] for order in body["account_orders"]} == {"REPLACED", "CANCELED"}


def test_schwabdev_refreshes_and_streams(session: dict[str, Any]) -> None:
    assert session["refreshed"]
    assert session["again"] == 200
    assert set(session["services"]) == schwabdev_session.SERVICES.keys()
