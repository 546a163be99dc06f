from __future__ import annotations

import email.utils
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import requests

from infrastructure.clock import VirtualClock
from infrastructure.errors import InputError
from infrastructure.simulators.schwab.clock_speed import FASTEST, PacedClock
from infrastructure.simulators.schwab.command import run
from infrastructure.simulators.schwab.desk import Desk
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.simulator import SchwabSimulator


def admin(desk: Desk, path: str, body: Any) -> requests.Response:
    return desk.session.post(f"{desk.simulator.base_url}/simulator/{path}", json=body)


def test_a_script_sets_bursts_of_errors_by_route(signed_in: Desk) -> None:
    script = {"answers": [{"status": 429, "times": 2, "route": "quotes", "retry_after_s": 3}]}
    assert admin(signed_in, "faults", script).status_code == 200
    answers = [signed_in.get("/AAPL/quotes") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert answers[0].headers["Retry-After"] == "3"


def test_a_half_open_socket_says_nothing(signed_in: Desk) -> None:
    admin(signed_in, "faults", {"half_open": [{}]})
    with pytest.raises(requests.ReadTimeout):
        signed_in.session.get(f"{signed_in.simulator.base_url}/simulator/status", timeout=0.2)
    assert signed_in.get("/AAPL/quotes").status_code == 200


def test_connections_are_reset_on_demand(signed_in: Desk) -> None:
    admin(signed_in, "faults", {"reset_connects": 1})
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{signed_in.simulator.base_url}/simulator/status")
    assert requests.get(f"{signed_in.simulator.base_url}/simulator/status").status_code == 200


@pytest.mark.parametrize(
    ("kind", "status", "text"),
    [("message", 500, "unexpected error"), ("route", 404, "traderapi-accounts")],
)
def test_maintenance_takes_the_trader_down_and_leaves_market_data(
    signed_in: Desk, kind: str, status: int, text: str
) -> None:
    admin(signed_in, "faults", {"maintenance": kind})
    answer = signed_in.session.get(f"{signed_in.simulator.base_url}/trader/v1/accounts")
    assert (answer.status_code, text in answer.text) == (status, True)
    assert signed_in.get("/AAPL/quotes").status_code == 200
    admin(signed_in, "faults", {"clear": True})
    answer = signed_in.session.get(f"{signed_in.simulator.base_url}/trader/v1/accounts")
    assert answer.status_code == 200


def test_weekends_take_the_trader_down_when_asked(bokeh_market: ReplayMarket) -> None:
    clock = VirtualClock(0)
    market = ReplayMarket.from_bokeh(as_of=date(2013, 2, 22), clock=clock)
    with SchwabSimulator(market, clock=clock, weekend_outage=True) as simulator:
        desk = Desk(simulator, clock, requests.Session())
        desk.sign_in()
        url = f"{simulator.base_url}/trader/v1/accounts"
        statuses = []
        for _ in range(4):
            desk.sign_in()
            statuses.append(desk.session.get(url).status_code)
            clock.advance(seconds=86_400)
        assert statuses == [200, 500, 500, 200]


def test_clock_skew_is_in_the_date_header(desk: Desk) -> None:
    url = f"{desk.simulator.base_url}/simulator/status"

    def told() -> float:
        return email.utils.parsedate_to_datetime(desk.session.get(url).headers["Date"]).timestamp()

    before = told()
    admin(desk, "faults", {"clock_skew_s": -3_600})
    assert told() - before < -3_000


def test_day_seven_takes_one_request(desk: Desk) -> None:
    tokens = desk.sign_in()
    assert desk.refresh(tokens["refresh_token"]).status_code == 200
    assert admin(desk, "clock", {"advance_s": 7 * 86_400 + 1}).status_code == 200
    answer = desk.refresh(tokens["refresh_token"])
    assert answer.status_code == 400
    assert "expired or revoked" in answer.json()["error_description"]


def test_nonsense_and_other_content_types_are_refused(desk: Desk) -> None:
    assert admin(desk, "faults", {"latency": 1}).status_code == 400
    assert admin(desk, "clock", {"advance_s": -1}).status_code == 400
    url = f"{desk.simulator.base_url}/simulator/faults"
    assert desk.session.post(url, data=json.dumps({"clear": True})).status_code == 415


def test_a_paced_clock_multiplies_what_passes() -> None:
    base = VirtualClock(100)
    clock = PacedClock(60, base)
    base.advance(seconds=2)
    assert clock.now_ns() == 100 + 120 * 10**9
    clock.advance(seconds=5)
    assert clock.monotonic_ns() == 125 * 10**9
    clock.sleep(60)
    assert base.monotonic_ns() == 3 * 10**9
    for speed in (0.5, FASTEST + 1):
        with pytest.raises(InputError):
            PacedClock(speed)
    with pytest.raises(InputError):
        clock.advance(seconds=-1)


def test_the_command_names_what_it_cannot_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "faults.json"
    file.write_text('{"answer": 1}')
    for arguments in (["--speed", "fast"], ["--faults", str(file)], ["--chain", str(file)]):
        assert run(arguments, show=lambda _: None) == 2
        assert "error:" in capsys.readouterr().err
