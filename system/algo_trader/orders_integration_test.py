"""The client's orders at the local Schwab, which shares no code with it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from infrastructure.clients.schwab_client import SchwabClient
from infrastructure.errors import StackError
from infrastructure.schwab.orders import spreads, templates
from infrastructure.schwab.orders.ledger import Claim, MemoryLedger
from infrastructure.schwab.orders.order import Order
from infrastructure.schwab.orders.words import StrategyType
from system.algo_trader.runtime import Runtime
from system.algo_trader.settings import load

SINGLE = StrategyType.SINGLE


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SchwabClient]:
    home: Path = tmp_path_factory.mktemp("orders")
    variables = {"ALGO_TRADER_HOME": str(home), "ALGO_TRADER_PROBE_DEFAULT_PORTS": "off"}
    with Runtime(load(environment=variables, workspace=home), sim=True) as runtime:
        yield runtime.handler.client()


def account(client: SchwabClient) -> str:
    margin = next(entry for entry in client.accounts() if entry.type == "MARGIN")
    return client.account_hash(margin.account_number)


def resting_orders(client: SchwabClient) -> dict[str, Order]:
    chain = client.option_chain("AAPL", strike_count=2)
    expiry = chain.calls[-1].symbol[6:12]
    calls = [entry.symbol for entry in chain.calls if entry.symbol[6:12] == expiry]
    low, high = calls[0], calls[1]
    put = next(entry.symbol for entry in chain.puts if entry.symbol[6:12] == expiry)
    far_put = [entry.symbol for entry in chain.puts if entry.symbol[6:12] == expiry][1]
    entry = templates.equity_limit("BUY", "AAPL", 1, "300.00")
    target = templates.equity_limit("SELL", "AAPL", 1, "600.00")
    stop = templates.equity_stop("SELL", "AAPL", 1, "200.00")
    return {
        "limit": entry,
        "stop": templates.equity_stop("BUY", "AAPL", 1, "600.00"),
        "stop-limit": templates.equity_stop_limit("BUY", "AAPL", 1, "600.00", "601.00"),
        "trailing": templates.equity_trailing_stop("BUY", "AAPL", 1, "50.00"),
        "trailing-limit": templates.equity_trailing_stop_limit("BUY", "AAPL", 1, "50.00", "500.00"),
        "limit-on-close": templates.equity_limit_on_close("BUY", "AAPL", 1, "300.00"),
        "straddle": spreads.straddle_open(low, put, 1, "0.01", credit=False),
        "condor": spreads.iron_condor_open(put, far_put, low, high, 1, "900.00"),
        "covered": spreads.covered_call("AAPL", high, 1, "1.00"),
        "option": templates.option_limit("BUY_TO_OPEN", low, 1, "0.01"),
        "vertical": spreads.vertical_open(low, high, 1, "0.01", credit=False),
        "triggers": templates.first_triggers(entry, target),
        "bracket": templates.bracket(entry, target, stop),
    }


KINDS = [
    "limit",
    "stop",
    "stop-limit",
    "trailing",
    "trailing-limit",
    "limit-on-close",
    "option",
    "vertical",
    "straddle",
    "condor",
    "covered",
    "triggers",
    "bracket",
]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_order_is_placed_replaced_and_cancelled(
    client: SchwabClient, kind: str
) -> None:
    whose = account(client)
    order = resting_orders(client)[kind]
    client.preview_order(whose, order)
    first = client.place_order(whose, order)
    assert first is not None
    assert client.order(whose, first).order_type == order.order_type
    # A replacement has no children: the local Schwab refuses one that has.
    second = client.replace_order(whose, first, replace(order, children=(), strategy_type=SINGLE))
    assert second is not None
    assert second != first
    assert client.order(whose, first).status == "REPLACED"
    client.cancel_order(whose, second)
    assert client.order(whose, second).is_terminal


class LosingSession(requests.Session):
    """Deliver every request, and lose the answers to those that post an order."""

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **more: Any) -> Any:
        answer = super().request(method, url, *args, **more)
        if method == "POST" and str(url).endswith("/orders"):
            raise requests.exceptions.ReadTimeout("lost on the way back")
        return answer


@pytest.mark.parametrize("kind", KINDS)
def test_an_order_whose_answer_was_lost_is_found_again_and_placed_once(
    client: SchwabClient, kind: str
) -> None:
    whose = account(client)
    client.cancel_all_orders(whose)
    handler = client._requester
    losing = SchwabClient(
        handler.base_url, handler._access_token, session=LosingSession(), clock=handler._clock
    )
    ledger = MemoryLedger()
    order = resting_orders(client)[kind]
    before = {each.order_id for each in client.orders(whose)}
    # What the other tests left is of the same legs and prices: its ids are other keys' orders.
    for each in before - {None}:
        ledger.settle(Claim(key=str(each), fingerprint="", sent_ns=0, order_id=each))
    lost = losing.place_once(whose, order, key="lost", ledger=ledger)
    assert lost.state == "unknown"
    again = client.place_once(whose, order, key="lost", ledger=ledger)
    assert again.is_known
    new = [each.order_id for each in client.orders(whose) if each.order_id not in before]
    assert new == [again.order_id]


def test_cancel_all_leaves_nothing_open(client: SchwabClient) -> None:
    whose = account(client)
    for order in resting_orders(client).values():
        client.place_order(whose, order)
    client.cancel_all_orders(whose)
    assert all(order.is_terminal for order in client.orders(whose) if order.order_id)
    with pytest.raises(StackError):
        client.order(whose, 1)
