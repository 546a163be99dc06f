from decimal import Decimal
from typing import Any

import msgspec
import pytest

from infrastructure.clock import parse_rfc3339
from infrastructure.schwab.accounts import PlacedOrder
from infrastructure.schwab.orders import spreads, templates
from infrastructure.schwab.orders.order import Order
from infrastructure.schwab.orders.outcome import Outcome, candidates, same
from infrastructure.schwab.wire import build_record

SENT_NS = parse_rfc3339("2025-03-07T22:34:50Z")
LOW, HIGH = "AAPL  251219C00190000", "AAPL  251219C00200000"
ENTRY = templates.equity_limit("BUY", "AAPL", 10, "190.10")
TARGET = templates.equity_limit("SELL", "AAPL", 10, "200.00")
STOP = templates.equity_stop("SELL", "AAPL", 10, "180.00")
SPREAD = spreads.vertical_open(LOW, HIGH, 2, "1.50", credit=False)


def held(order: Order, **more: Any) -> PlacedOrder:
    """Return an order as Schwab would show it: prices as numbers, legs in another order."""
    wire: dict[str, Any] = {"status": "WORKING", "enteredTime": "2025-03-07T22:34:51+0000"}
    wire |= order.to_wire()
    for name in ("price", "stopPrice"):
        if name in wire:
            wire[name] = float(wire[name])
    wire["orderLegCollection"] = [
        {**leg, "quantity": float(leg["quantity"])}
        for leg in reversed(wire.get("orderLegCollection", []))
    ]
    children = [held(child) for child in order.children]
    wire.pop("childOrderStrategies", None)
    made = build_record(PlacedOrder, {"orderId": 7, **wire, **more})
    return msgspec.structs.replace(made, child_order_strategies=tuple(reversed(children)))


ORDERS = {
    "market": templates.equity_market("BUY", "AAPL", 10),
    "limit": ENTRY,
    "stop limit": templates.equity_stop_limit("SELL", "AAPL", 10, "180.00", "179.00"),
    "trail": templates.equity_trailing_stop("SELL", "AAPL", 10, "5.00"),
    "option": templates.option_limit("BUY_TO_OPEN", LOW, 2, "1.50"),
    "spread": SPREAD,
    "triggers": templates.first_triggers(ENTRY, TARGET),
    "bracket": templates.bracket(ENTRY, TARGET, STOP),
    "oco": templates.one_cancels_other(TARGET, STOP),
}


@pytest.mark.parametrize("first", ORDERS)
def test_an_order_is_the_same_as_itself_and_as_no_other(first: str) -> None:
    assert [name for name in ORDERS if same(ORDERS[first], held(ORDERS[name]))] == [first]


@pytest.mark.parametrize(
    "other",
    [
        templates.equity_limit("BUY", "AAPL", 11, "190.10"),
        templates.equity_limit("BUY", "AAPL", 10, "190.11"),
        templates.equity_limit("BUY", "MSFT", 10, "190.10"),
        templates.equity_limit("SELL", "AAPL", 10, "190.10"),
        ENTRY.with_duration("GOOD_TILL_CANCEL"),
        ENTRY.with_session("AM"),
    ],
)
def test_another_quantity_price_symbol_side_or_life_is_another_order(other: Order) -> None:
    assert not same(ENTRY, held(other))


def test_trails_differ_by_their_offset() -> None:
    other = templates.equity_trailing_stop("SELL", "AAPL", 10, "6.00")
    assert not same(ORDERS["trail"], held(other))


@pytest.mark.parametrize(
    ("entered", "fits"),
    [
        ("2025-03-07T22:33:51+0000", True),
        ("2025-03-07T22:33:49+0000", False),
        ("2025-03-07T22:37:50+0000", True),
        ("2025-03-07T22:37:51+0000", False),
    ],
)
def test_only_orders_entered_around_the_sending_can_be_it(entered: str, fits: bool) -> None:
    sent = Outcome("unknown", ENTRY, "A" * 64, SENT_NS)
    assert bool(candidates(sent, [held(ENTRY, enteredTime=entered)])) is fits


def test_orders_of_other_keys_are_not_it_and_a_container_is_named_by_its_child() -> None:
    sent = Outcome("unknown", ENTRY, "A" * 64, SENT_NS)
    twins = [held(ENTRY), held(ENTRY, orderId=8)]
    assert candidates(sent, twins) == (7, 8)
    assert candidates(sent, twins, frozenset({7})) == (8,)
    container = Outcome("unknown", ORDERS["oco"], "A" * 64, SENT_NS)
    assert candidates(container, [held(ORDERS["oco"], orderId=None)]) == (7,)
    assert Decimal("190.10") == held(ENTRY).price
    assert "AAAA" not in repr(sent)
