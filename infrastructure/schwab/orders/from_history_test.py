"""Judge orders made again by what was sent at first, and code by running it."""

from decimal import Decimal
from typing import Any

import pytest

from infrastructure.errors import InputError
from infrastructure.schwab.orders import order, spreads, templates, words
from infrastructure.schwab.orders.from_history import as_code, order_again
from infrastructure.schwab.orders.order import Order

CALL, HIGHER = "AAPL  240315C00170000", "AAPL  240315C00180000"
BOUGHT = templates.equity_limit("BUY", "AAPL", 10, "170.05")
SOLD = templates.equity_stop("SELL", "AAPL", 10, "160")
SENT = {
    "market": templates.equity_market("BUY", "AAPL", 5),
    "limit": BOUGHT,
    "stop": SOLD,
    "option": templates.option_limit("BUY_TO_OPEN", CALL, 2, "1.25"),
    "trigger": BOUGHT.triggering(SOLD),
    "trail": Order()
    .with_type("TRAILING_STOP")
    .with_session("NORMAL")
    .with_duration("DAY")
    .with_trail("0.5")
    .add_equity("SELL", "AAPL", 3),
    "vertical": spreads.vertical_open(CALL, HIGHER, 3, "2.5", credit=False),
}
LIFE: dict[str, Any] = {
    "orderId": 1000000001,
    "status": "FILLED",
    "filledQuantity": 10.0,
    "remainingQuantity": 0.0,
    "enteredTime": "2024-03-11T14:00:00+0000",
    "accountNumber": 12345678,
    "complexOrderStrategyType": "NONE",
    "quantity": 10.0,
    "requestedDestination": "AUTO",
    "stopPrice": 0.0,
}
"""What a listed order has beside what was sent."""


def listed(sent: dict[str, Any]) -> dict[str, Any]:
    """Dress an order's JSON as Schwab lists it."""
    row = {**LIFE, **sent}
    row["quantity"] = float(row["quantity"])
    for name in ("price", "stopPrice"):
        if name in row:
            row[name] = float(row[name])
    row["orderLegCollection"] = [
        {**leg, "legId": 1, "positionEffect": "OPENING", "quantity": float(leg["quantity"])}
        for leg in sent["orderLegCollection"]
    ]
    if "childOrderStrategies" in sent:
        row["childOrderStrategies"] = [listed(each) for each in sent["childOrderStrategies"]]
    return row


@pytest.mark.parametrize("kind", SENT)
def test_an_order_made_again_is_what_was_sent(kind: str) -> None:
    sent = SENT[kind]
    again = order_again(listed(sent.to_wire()))
    assert again.to_wire() == sent.to_wire()


@pytest.mark.parametrize("kind", SENT)
def test_the_code_builds_the_order(kind: str) -> None:
    names = {**vars(order), **vars(words), "Decimal": Decimal}
    assert eval(as_code(SENT[kind]), names) == SENT[kind]


def test_a_fund_is_ordered_as_an_equity() -> None:
    row = listed(BOUGHT.to_wire())
    row["orderLegCollection"][0]["instrument"] = {
        "assetType": "COLLECTIVE_INVESTMENT", "symbol": "SPY",
    }  # fmt: skip
    assert order_again(row).legs[0].asset == "EQUITY"


@pytest.mark.parametrize(
    ("change", "words_"),
    [
        ({"orderType": "NET_MAYBE"}, "'NET_MAYBE' is no word"),
        ({"orderLegCollection": [{"instruction": "BUY", "quantity": 1.0}]}, "cannot be sent again"),
    ],
)
def test_what_cannot_be_sent_is_refused(change: dict[str, Any], words_: str) -> None:
    with pytest.raises(InputError, match=words_):
        order_again({**listed(BOUGHT.to_wire()), **change})


def test_a_part_of_a_share_is_refused() -> None:
    row = listed(BOUGHT.to_wire())
    row["orderLegCollection"][0]["quantity"] = 0.5
    with pytest.raises(InputError, match="whole units"):
        order_again(row)
