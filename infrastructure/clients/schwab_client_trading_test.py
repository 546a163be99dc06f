"""Accounts and orders over the wire, and every way around the arming that we could think of."""

import json
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
import requests
import requests_mock

from infrastructure.clients.schwab_client import DEFAULT_BASE_URL, SchwabClient
from infrastructure.clock import VirtualClock
from infrastructure.config import Secret
from infrastructure.errors import (
    InvalidOrder,
    NetworkError,
    OrderOutcomeUnknown,
    RequestRejected,
    TradingNotArmed,
    UsageError,
)
from infrastructure.schwab.orders import arming, templates
from infrastructure.schwab.orders.arming import OrderPermit, TradingLimits, permit_cancel_all
from infrastructure.schwab.trading import order_id_of
from infrastructure.schwab.transport import Authorization, send

HERE = "http://127.0.0.1:9"
HASH = "AB12" * 16
NUMBER = "12345678"
ORDERS = f"/trader/v1/accounts/{HASH}/orders"
LOCATION = f"https://api.schwabapi.com{ORDERS}/1000000000001"
ORDER = templates.equity_limit("BUY", "AAPL", 1, "10.00")
LIMITS = TradingLimits(frozenset({NUMBER}), Decimal(100), 2)
NUMBERS = [{"accountNumber": NUMBER, "hashValue": HASH}]


@pytest.fixture
def schwab() -> Iterator[requests_mock.Mocker]:
    with requests_mock.Mocker() as mock:
        for base in (HERE, DEFAULT_BASE_URL):
            mock.get(f"{base}/trader/v1/accounts/accountNumbers", json=NUMBERS)
        yield mock


def client(base_url: str = HERE, limits: TradingLimits | None = None) -> SchwabClient:
    clock = VirtualClock(1_700_000_000 * 10**9)
    return SchwabClient(base_url, lambda _: Secret("I0.token@"), clock=clock, limits=limits)


def act(on: SchwabClient, verb: str) -> None:
    if verb == "place":
        on.place_order(HASH, ORDER)
    elif verb == "replace":
        on.replace_order(HASH, 7, ORDER)
    else:
        on.cancel_order(HASH, 7)


def changing(schwab: requests_mock.Mocker) -> list[str]:
    return [entry.method for entry in schwab.request_history if entry.method != "GET"]


def test_a_placed_order_returns_the_id_of_its_location(schwab: requests_mock.Mocker) -> None:
    schwab.post(f"{HERE}{ORDERS}", status_code=201, headers={"Location": LOCATION})
    assert client().place_order(HASH, ORDER) == 1000000000001
    assert schwab.last_request is not None
    assert schwab.last_request.json() == ORDER.to_wire()
    assert order_id_of(None) is None
    assert order_id_of("https://elsewhere/x") is None


def test_replace_and_cancel_name_the_order(schwab: requests_mock.Mocker) -> None:
    schwab.put(f"{HERE}{ORDERS}/7", status_code=201, headers={"Location": LOCATION})
    schwab.delete(f"{HERE}{ORDERS}/7", status_code=200)
    assert client().replace_order(HASH, 7, ORDER) == 1000000000001
    client().cancel_order(HASH, 7)
    assert changing(schwab) == ["PUT", "DELETE"]


@pytest.mark.parametrize(
    "answer", [{"exc": requests.exceptions.ReadTimeout}, {"status_code": 500}, {"status_code": 503}]
)
def test_an_unknown_outcome_is_said_and_never_sent_again(
    schwab: requests_mock.Mocker, answer: dict[str, Any]
) -> None:
    schwab.post(f"{HERE}{ORDERS}", **answer)
    with pytest.raises(OrderOutcomeUnknown, match="orders list"):
        client().place_order(HASH, ORDER)
    assert changing(schwab) == ["POST"]


def test_a_connection_never_made_is_no_unknown_outcome(schwab: requests_mock.Mocker) -> None:
    schwab.post(f"{HERE}{ORDERS}", exc=requests.exceptions.ConnectTimeout)
    with pytest.raises(NetworkError):
        client().place_order(HASH, ORDER)


def test_a_refused_token_is_refreshed_once_for_an_order(schwab: requests_mock.Mocker) -> None:
    done = {"status_code": 201, "headers": {"Location": LOCATION}}
    schwab.post(f"{HERE}{ORDERS}", [{"status_code": 401}, done])
    assert client().place_order(HASH, ORDER) == 1000000000001
    assert changing(schwab) == ["POST", "POST"]


def test_a_refusal_names_schwabs_reason(schwab: requests_mock.Mocker) -> None:
    schwab.post(f"{HERE}{ORDERS}", status_code=400, json={"message": "Invalid value", "errors": []})
    with pytest.raises(RequestRejected, match="Invalid value"):
        client().place_order(HASH, ORDER)


def test_a_wrong_order_and_a_plain_account_number_never_reach_the_wire(
    schwab: requests_mock.Mocker,
) -> None:
    with pytest.raises(InvalidOrder):
        client().place_order(HASH, templates.equity_limit("BUY", "AAPL", 1, "10.001"))
    with pytest.raises(UsageError, match="by its hash"):
        client().place_order("12345678901234", ORDER)
    assert schwab.request_history == []


def test_accounts_keep_unknown_keys_and_show_no_number(schwab: requests_mock.Mocker) -> None:
    entry = {
        "securitiesAccount": {
            "accountNumber": NUMBER,
            "type": "MARGIN",
            "newKey": 1,
            "positions": [{"instrument": {"symbol": "AAPL"}, "longQuantity": 5.0}],
            "currentBalances": {"liquidationValue": 10.05, "savings": 0.0},
        },
        "aggregatedBalance": {"liquidationValue": 10.05},
    }
    schwab.get(f"{HERE}/trader/v1/accounts", json=[entry])
    (account,) = client().accounts(positions=True)
    assert account.extra["newKey"] == 1
    assert account.extra["aggregatedBalance"] == {"liquidationValue": 10.05}
    assert account.current_balances is not None
    assert account.current_balances.liquidation_value == Decimal("10.05")
    assert account.positions[0].long_quantity == 5
    assert NUMBER not in repr(account)
    assert client().accounts(raw=True) == [entry]


def test_an_account_is_found_by_its_last_digits(schwab: requests_mock.Mocker) -> None:
    assert client().account_hash("678") == HASH
    assert client().account_hash() == HASH
    with pytest.raises(UsageError, match="0 accounts"):
        client().account_hash("999")
    assert NUMBER not in repr(client().account_numbers())


def test_preview_is_a_post_that_needs_no_arming(schwab: requests_mock.Mocker) -> None:
    refused = {"orderValidationResult": {"rejects": [{"activityMessage": "too far"}]}}
    path = f"{DEFAULT_BASE_URL}/trader/v1/accounts/{HASH}/previewOrder"
    schwab.post(path, json=refused)
    preview = client(DEFAULT_BASE_URL).preview_order(HASH, ORDER)
    assert preview.order_validation_result is not None
    assert preview.order_validation_result.rejects[0].activity_message == "too far"


@pytest.mark.parametrize(
    "variable", ["ARM_LIVE", "ALGO_TRADER_ARM_LIVE", "--arm-live", "TRADING_ARM_LIVE"]
)
@pytest.mark.parametrize("verb", ["place", "replace", "cancel"])
def test_no_variable_arms_a_client(
    schwab: requests_mock.Mocker, monkeypatch: pytest.MonkeyPatch, variable: str, verb: str
) -> None:
    monkeypatch.setenv(variable, "1")
    monkeypatch.setattr(sys, "argv", ["algo-trader", arming.FLAG])
    monkeypatch.setattr(sys, "orig_argv", ["algo-trader", arming.FLAG])
    real = client(DEFAULT_BASE_URL, LIMITS)
    with pytest.raises(TradingNotArmed, match="not started with --arm-live"):
        act(real, verb)
    assert schwab.request_history == []


@pytest.mark.parametrize(
    ("limits", "order", "reason"),
    [
        (TradingLimits(), ORDER, "trading.accounts"),
        (TradingLimits(frozenset({"678"}), Decimal(100), 2), ORDER, "trading.accounts"),
        (TradingLimits(frozenset({NUMBER}), None, 2), ORDER, "max_notional is not set"),
        (TradingLimits(frozenset({NUMBER}), Decimal(10), 2), ORDER, r"worth \$10.00"),
        (TradingLimits(frozenset({NUMBER}), Decimal("NaN"), 2), ORDER, "max_notional"),
        (TradingLimits(frozenset({NUMBER}), Decimal(100), None), ORDER, "per_minute is not set"),
        (TradingLimits(frozenset({NUMBER}), Decimal(100), 0), ORDER, "per_minute is not set"),
        (LIMITS, templates.equity_market("BUY", "AAPL", 1), r"worth \$190.00"),
        (LIMITS, templates.equity_limit("SELL_SHORT", "AAPL", 1, "0.01"), r"worth \$190.00"),
        (
            LIMITS,
            templates.option_limit("SELL_TO_OPEN", "AAPL  251219C00200000", 1, "0.01"),
            r"worth \$20,000.00",
        ),
        (LIMITS, ORDER.triggering(templates.equity_limit("BUY", "AAPL", 9, "10")), r"\$100.00"),
    ],
)
def test_the_flag_alone_arms_nothing(
    schwab: requests_mock.Mocker,
    monkeypatch: pytest.MonkeyPatch,
    limits: TradingLimits,
    order: Any,
    reason: str,
) -> None:
    monkeypatch.setattr(arming, "_STARTED_WITH", (arming.FLAG,))
    quote = {"X": {"symbol": "X", "quote": {"askPrice": 190.0, "lastPrice": 189.0}}}
    schwab.get(requests_mock.ANY, json=quote)
    schwab.get(f"{DEFAULT_BASE_URL}/trader/v1/accounts/accountNumbers", json=NUMBERS)
    with pytest.raises(TradingNotArmed, match=reason):
        client(DEFAULT_BASE_URL, limits).place_order(HASH, order)
    assert changing(schwab) == []


def test_an_armed_client_places_up_to_its_rate(
    schwab: requests_mock.Mocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arming, "_STARTED_WITH", (arming.FLAG,))
    schwab.post(f"{DEFAULT_BASE_URL}{ORDERS}", status_code=201, headers={"Location": LOCATION})
    real = client(DEFAULT_BASE_URL, LIMITS)
    assert [real.place_order(HASH, ORDER) for _ in range(2)] == [1000000000001] * 2
    with pytest.raises(TradingNotArmed, match="max_orders_per_minute is 2"):
        real.place_order(HASH, ORDER)
    assert changing(schwab) == ["POST", "POST"]


def test_cancel_all_works_unarmed_and_reaches_children(schwab: requests_mock.Mocker) -> None:
    open_orders = [
        {"orderId": 1, "status": "WORKING"},
        {"orderId": 2, "status": "FILLED"},
        {"orderStrategyType": "OCO", "childOrderStrategies": [{"orderId": 3, "status": "WORKING"}]},
        {"orderId": 4, "status": "WORKING"},
    ]
    schwab.get(f"{DEFAULT_BASE_URL}{ORDERS}", json=open_orders)
    schwab.delete(requests_mock.ANY, status_code=200)
    schwab.delete(f"{DEFAULT_BASE_URL}{ORDERS}/4", status_code=400, json={"message": "gone"})
    done = client(DEFAULT_BASE_URL).cancel_all_orders(HASH)
    assert done.cancelled == (1, 3)
    assert [order_id for order_id, _ in done.failed] == [4]


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("POST", f"{DEFAULT_BASE_URL}{ORDERS}"),
        ("PUT", f"{DEFAULT_BASE_URL}{ORDERS}/7"),
        ("DELETE", f"{DEFAULT_BASE_URL}{ORDERS}/7"),
        ("post", f"{DEFAULT_BASE_URL}{ORDERS}"),
        ("POST", f"{DEFAULT_BASE_URL}{ORDERS.upper()}"),
        ("POST", f"{DEFAULT_BASE_URL}{ORDERS}/../previewOrder"),
        ("POST", f"{DEFAULT_BASE_URL}{ORDERS}?x=/previewOrder"),
        ("POST", f"{DEFAULT_BASE_URL}{ORDERS}#previewOrder"),
        ("POST", f"http://127.0.0.1@api.schwabapi.com{ORDERS}"),
        ("POST", f"http://127.0.0.1.nip.example{ORDERS}"),
        ("POST", f"https://localhost.schwabapi.com{ORDERS}"),
    ],
)
@pytest.mark.parametrize("permit", ["none", "another", "spent", "other body"])
def test_nothing_passes_the_last_gate_without_its_own_permit(
    schwab: requests_mock.Mocker, method: str, url: str, permit: str
) -> None:
    held = permit_cancel_all(f"{DEFAULT_BASE_URL}{ORDERS}/8")
    if permit == "spent":
        held = permit_cancel_all(url)
        held.use("DELETE", url, None)
    body = b"{}" if permit == "other body" else None
    if permit == "other body":
        held = permit_cancel_all(url)
    with pytest.raises(TradingNotArmed):
        send(
            requests.Session(),
            method,
            url,
            what="an order",
            auth=Authorization("Bearer", "x"),
            timeout_s=1,
            correlation_id="x",
            body=body,
            permit=None if permit == "none" else held,
        )
    assert schwab.request_history == []


def test_a_permit_cannot_be_made_by_hand() -> None:
    with pytest.raises(TradingNotArmed):
        OrderPermit("POST", f"{DEFAULT_BASE_URL}{ORDERS}", b"{}", object())


def test_a_process_is_armed_by_its_own_command_line_only() -> None:
    code = (
        "import json, sys; from infrastructure.schwab.orders.arming import Arming, TradingLimits\n"
        "from infrastructure.clock import SystemClock\n"
        "from infrastructure.errors import TradingNotArmed\n"
        "try:\n  Arming(TradingLimits(), SystemClock()).check_started(); print('armed')\n"
        "except TradingNotArmed: print('off')\n"
    )
    for flags, word in (([], "off"), ([arming.FLAG], "armed")):
        done = subprocess.run(
            [sys.executable, "-c", code, *flags],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONPATH": ":".join(place for place in sys.path if place)},
        )
        assert done.stdout.strip() == word


def test_an_orders_json_is_what_is_sent() -> None:
    assert json.loads(msgspec.json.encode(ORDER.to_wire())) == ORDER.to_wire()
