"""The suite against the simulator: no difference, each planted one told, nothing personal told."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infrastructure.clock import SystemClock
from infrastructure.simulators.schwab.faults import DroppedConnection
from infrastructure.simulators.schwab.messages import Request, Response
from infrastructure.simulators.schwab.streamer import session as streamer_session
from infrastructure.simulators.schwab.streamer.frames import data_frame
from system.algo_trader.conformance import suite, targets
from system.algo_trader.conformance.report import Report, write_report
from system.algo_trader.conformance.rest_cases import every_case
from system.algo_trader.conformance.stream_cases import STREAM_KEYS
from system.algo_trader.settings import load

Change = Callable[[Any], None]


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return conformed(tmp_path_factory.mktemp("home"), {})


def conformed(home: Path, changes: dict[str, Change | int]) -> Report:
    """Run the suite; answers whose path ends so are changed, or get another status."""
    variables = {"ALGO_TRADER_HOME": str(home), "ALGO_TRADER_PROBE_DEFAULT_PORTS": "off"}
    settings = load(environment=variables, workspace=home)
    simulator = targets.simulator_to_ask()
    application = simulator._application
    answer = application.answer

    def tampered(request: Request) -> Response | DroppedConnection:
        response = answer(request)
        if isinstance(response, DroppedConnection):
            return response
        for ending, change in changes.items():
            if not request.path.endswith(ending) or response.status >= 400:
                continue
            if isinstance(change, int):
                response.status = change
            else:
                content = json.loads(response.body)
                change(content)
                response.body = json.dumps(content).encode()
        return response

    application.answer = tampered  # type: ignore[method-assign]
    with simulator, targets.simulated_target(settings, simulator) as target:
        return suite.conform(target, SystemClock())


def test_the_simulator_differs_nowhere_and_everything_is_looked_at(clean: Report) -> None:
    assert [each.as_dict() for each in clean.differences] == []
    assert clean.unobserved == ()
    assert dict(clean.facts) == {"access token, seconds": 1800}


def test_every_get_and_every_service_is_asked(clean: Report) -> None:
    asked = {case for case, _ in clean.cases}
    assert {case.name for case in every_case()} <= asked
    thirteen = {*STREAM_KEYS, "LEVELONE_OPTIONS", "OPTIONS_BOOK", "LEVELONE_FUTURES_OPTIONS"}
    assert len(thirteen) == 13
    for service in thirteen:
        assert {f"stream SUBS {service}", f"stream data {service}"} <= asked
        assert f"stream UNSUBS {service}" in asked
    assert {
        "token, good refresh",
        "token, bad secret",
        "token, used refresh token",
        "token, wrong grant",
        "stream LOGIN, bad token",
        "stream LOGIN",
        "stream VIEW LEVELONE_EQUITIES",
        "stream LOGOUT",
    } <= asked


def test_each_planted_difference_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def quote_without_mark(content: Any) -> None:
        if "IBM" in content:
            del content["IBM"]["quote"]["mark"]

    def volume_as_text(content: Any) -> None:
        for candle in content["candles"]:
            candle["volume"] = "1"

    def novel_status(content: Any) -> None:
        for order in content if isinstance(content, list) else [content]:
            order["status"] = "HALF_FILLED"

    def short_life(content: Any) -> None:
        content["expires_in"] = 60
        content["novel"] = True

    def text_for_bid(service: str, now_ms: int, content: list[dict[str, Any]]) -> str:
        for item in content:
            if service == "LEVELONE_FOREX" and "1" in item:
                item["1"] = "much"
        return data_frame(service, now_ms, content)

    monkeypatch.setattr(streamer_session, "data_frame", text_for_bid)
    report = conformed(
        tmp_path,
        {
            "/quotes": quote_without_mark,
            "/pricehistory": volume_as_text,
            "/trader/v1/orders": novel_status,
            "/oauth/token": short_life,
            "/expirationchain": 206,
        },
    )
    told = {(each.case, each.path, each.kind, each.observed) for each in report.differences}
    assert told == {
        ("quotes", "$.*.quote.mark", "missing key", "nothing"),
        ("quotes, one block", "$.*.quote.mark", "missing key", "nothing"),
        ("price history, minutes", "$.candles[].volume", "type", "string"),
        ("price history, days", "$.candles[].volume", "type", "string"),
        ("orders of all accounts", "$[].status", "enum value", "HALF_FILLED"),
        ("token, good refresh", "$.novel", "unknown key", "boolean"),
        ("token, good refresh", "$.expires_in", "text", "60"),
        ("expiration chain", "status", "status", "206"),
        ("stream data LEVELONE_FOREX", "$.1", "type", "string"),
    }


PERSONAL = [
    "87654321",
    "ZZTOPSECRET",
    "Rainy Day Fund",
    "RAINY_DAY",
    "31337.42",
    "DEADBEEFDEADBEEF",
    "Jane Q. Public",
    "ADMIN_JANE",
]


def test_hostile_account_data_leave_nothing_personal_in_the_report(tmp_path: Path) -> None:
    def hostile(content: Any) -> None:
        for entry in content if isinstance(content, list) else [content]:
            inside = entry["securitiesAccount"]
            inside["accountNumber"] = "87654321"
            inside["type"] = "RAINY_DAY"
            inside["87654321"] = "Jane Q. Public"
            inside["nickName"] = "RAINY_DAY"
            entry["DEADBEEFDEADBEEF"] = {"balance": 31337.42}
            entry["ZZTOPSECRET"] = 31337.42

    def hostile_order(content: Any) -> None:
        for order in content if isinstance(content, list) else [content]:
            order["status"] = "ZZTOPSECRET"
            order["tag"] = "ADMIN_JANE"
            order["session"] = "Rainy Day Fund"
            order["duration"] = "ADMIN_JANE"
            order["orderLegCollection"][0]["instrument"]["symbol"] = "ZZTOPSECRET"

    def hostile_preference(content: Any) -> None:
        content["accounts"][0]["nickName"] = "Rainy Day Fund"
        content["accounts"][0]["type"] = 87654321
        content["87654321"] = ["Jane Q. Public"]

    report = conformed(
        tmp_path,
        {
            "/trader/v1/accounts": hostile,
            "/trader/v1/orders": hostile_order,
            "/userPreference": hostile_preference,
        },
    )
    path = tmp_path / "report.json"
    write_report(report, path)
    text = path.read_text()
    assert len(report.differences) >= 6
    assert [word for word in PERSONAL if word.casefold() in text.casefold()] == []
    for own in ("10000001", "AAPL", "I0.", "simulated-"):
        assert own not in text
