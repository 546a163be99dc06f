"""One intent is one order: lost answers, the same key again, and crashes between the two."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
import requests_mock

from infrastructure.clients.schwab_client import SchwabClient
from infrastructure.clock import VirtualClock
from infrastructure.config import Secret
from infrastructure.errors import NetworkError, RequestRejected, UsageError
from infrastructure.schwab.orders import templates
from infrastructure.schwab.orders.ledger import MemoryLedger

HERE = "http://127.0.0.1:9"
HASH = "AB12" * 16
ORDERS = f"{HERE}/trader/v1/accounts/{HASH}/orders"
DONE: dict[str, Any] = {"status_code": 201, "headers": {"Location": f"{ORDERS}/1000000000001"}}
LOST: dict[str, Any] = {"exc": requests.exceptions.ReadTimeout}
ORDER = templates.equity_limit("BUY", "AAPL", 1, "10.00")
NOW_NS = 1_700_000_000 * 10**9  # 2023-11-14T22:13:20Z


def held(order_id: int, entered: str = "2023-11-14T22:13:20+0000") -> dict[str, Any]:
    return {**ORDER.to_wire(), "orderId": order_id, "status": "WORKING", "enteredTime": entered}


@pytest.fixture
def schwab() -> Iterator[requests_mock.Mocker]:
    with requests_mock.Mocker() as mock:
        yield mock


@pytest.fixture
def client() -> SchwabClient:
    return SchwabClient(HERE, lambda _: Secret("I0.token@"), clock=VirtualClock(NOW_NS))


def posts(schwab: requests_mock.Mocker) -> int:
    return [entry.method for entry in schwab.request_history].count("POST")


def test_an_outcome_stays_unknown_until_the_order_is_found(
    schwab: requests_mock.Mocker, client: SchwabClient
) -> None:
    schwab.post(ORDERS, **LOST)
    outcome = client.submit_order(HASH, ORDER)
    assert (outcome.state, outcome.order_id, outcome.is_known) == ("unknown", None, False)
    schwab.get(ORDERS, [{"json": []}, {"json": [held(6), held(7)]}, {"json": [held(7)]}])
    outcome = client.lookup(outcome)
    assert outcome.state == "unknown"
    outcome = client.lookup(outcome)
    assert (outcome.state, outcome.candidates) == ("unknown", (6, 7))
    outcome = client.lookup(outcome)
    assert (outcome.state, outcome.order_id, outcome.candidates) == ("placed", 7, ())
    assert client.lookup(outcome) is outcome
    assert posts(schwab) == 1
    assert schwab.last_request is not None
    assert schwab.last_request.qs["fromenteredtime"] == ["2023-11-14t22:12:20.000z"]


def test_the_same_key_places_once(schwab: requests_mock.Mocker, client: SchwabClient) -> None:
    schwab.post(ORDERS, **DONE)
    ledger = MemoryLedger()
    first = client.place_once(HASH, ORDER, key="gap-2023-11-14", ledger=ledger)
    again = client.place_once(HASH, ORDER, key="gap-2023-11-14", ledger=ledger)
    assert first == again
    assert first.order_id == 1000000000001
    assert posts(schwab) == 1
    with pytest.raises(UsageError, match="another order"):
        client.place_once(HASH, ORDER.with_price("11"), key="gap-2023-11-14", ledger=ledger)
    client.place_once(HASH, ORDER, key="gap-2023-11-15", ledger=ledger)
    assert posts(schwab) == 2


def test_a_key_whose_answer_was_lost_is_looked_up_and_never_sent_again(
    schwab: requests_mock.Mocker, client: SchwabClient
) -> None:
    schwab.post(ORDERS, **LOST)
    schwab.get(ORDERS, [{"json": []}, {"json": [held(7)]}])
    ledger = MemoryLedger()
    states = [client.place_once(HASH, ORDER, key="k", ledger=ledger).state for _ in range(4)]
    assert states == ["unknown", "unknown", "placed", "placed"]
    assert ledger.order_ids() == {7}
    assert posts(schwab) == 1


def test_a_process_that_died_while_sending_leaves_an_unknown_order(
    schwab: requests_mock.Mocker, client: SchwabClient
) -> None:
    ledger = MemoryLedger()
    killed: Any = KeyboardInterrupt  # nothing catches it, nothing is settled
    schwab.post(ORDERS, exc=killed)
    with pytest.raises(KeyboardInterrupt):
        client.place_once(HASH, ORDER, key="k", ledger=ledger)
    schwab.get(ORDERS, json=[])
    assert client.place_once(HASH, ORDER, key="k", ledger=ledger).state == "unknown"
    assert posts(schwab) == 1


def test_an_order_of_another_key_is_not_taken_for_the_lost_one(
    schwab: requests_mock.Mocker, client: SchwabClient
) -> None:
    ledger = MemoryLedger()
    schwab.post(ORDERS, [DONE, LOST])
    client.place_once(HASH, ORDER, key="first", ledger=ledger)
    client.place_once(HASH, ORDER, key="second", ledger=ledger)
    schwab.get(ORDERS, json=[held(1000000000001)])
    assert client.place_once(HASH, ORDER, key="second", ledger=ledger).state == "unknown"
    schwab.get(ORDERS, json=[held(1000000000001), held(8)])
    assert client.place_once(HASH, ORDER, key="second", ledger=ledger).order_id == 8


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"status_code": 400, "json": {"message": "no"}}, RequestRejected),
        ({"exc": requests.exceptions.ConnectTimeout}, NetworkError),
    ],
)
def test_a_key_is_free_again_where_surely_nothing_was_placed(
    schwab: requests_mock.Mocker, client: SchwabClient, answer: Any, error: type[Exception]
) -> None:
    schwab.post(ORDERS, [answer, DONE])
    ledger = MemoryLedger()
    with pytest.raises(error):
        client.place_once(HASH, ORDER, key="k", ledger=ledger)
    assert client.place_once(HASH, ORDER, key="k", ledger=ledger).is_known


@pytest.mark.parametrize("key", ["", " k", "k" * 129, "a\nb"])
def test_a_key_that_cannot_be_kept_is_refused(
    schwab: requests_mock.Mocker, client: SchwabClient, key: str
) -> None:
    with pytest.raises(UsageError, match="no key"):
        client.place_once(HASH, ORDER, key=key, ledger=MemoryLedger())
    assert schwab.request_history == []


def test_raw_answers_of_writes_keep_their_headers(
    schwab: requests_mock.Mocker, client: SchwabClient
) -> None:
    schwab.post(ORDERS, **DONE)
    schwab.put(f"{ORDERS}/7", **DONE)
    schwab.delete(f"{ORDERS}/7", status_code=200)
    preview = f"{HERE}/trader/v1/accounts/{HASH}/previewOrder"
    schwab.post(preview, json={"odd": 1})
    location = {"location": f"{ORDERS}/1000000000001"}
    assert client.place_order(HASH, ORDER, raw=True).headers.items() >= location.items()
    assert client.replace_order(HASH, 7, ORDER, raw=True).status == 201
    assert client.cancel_order(HASH, 7, raw=True).status == 200
    assert client.preview_order(HASH, ORDER, raw=True) == {"odd": 1}
