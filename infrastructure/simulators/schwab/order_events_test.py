"""Account activity in the observed order: rejections, partial fills, replacements and races."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from infrastructure.clock import VirtualClock
from infrastructure.errors import InputError
from infrastructure.matching.status import Status
from infrastructure.simulators.schwab.account import Account
from infrastructure.simulators.schwab.activity import ActivityEvent
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.option_book import OptionBook
from infrastructure.simulators.schwab.order_desk import OrderDesk, OrderPace

PLACED = ["ExecutionRequested", "ExecutionRequestCreated", "ExecutionRequestCompleted"]
CANCELED = [
    "CancelAccepted",
    "ExecutionRequested",
    "ExecutionRequestCompleted",
    "ExecutionCreated",
    "OrderUROutCompleted",
]


class Floor:
    """A desk at 09:40 of a session, and what it told."""

    def __init__(self, pace: OrderPace) -> None:
        self.clock = VirtualClock(0)
        market = ReplayMarket.from_bokeh(as_of=date(2012, 10, 25), from_open=True, clock=self.clock)
        self.account = Account("10000001", "MARGIN", "Rich", cash=Decimal(10_000_000))
        self.desk = OrderDesk(market, OptionBook(market), [self.account], pace)
        self.events: list[ActivityEvent] = []
        self.desk.listen(self.hear)
        self.pass_s(600)

    def hear(self, event: ActivityEvent) -> None:
        self.events.append(event)

    def pass_s(self, seconds: float) -> None:
        self.clock.advance(seconds=seconds)
        self.desk.catch_up()

    def told(self, order_id: int) -> list[str]:
        number = str(order_id)
        return [e.message_type for e in self.events if str(e.data["SchwabOrderID"]) == number]

    def status(self, order_id: int) -> Status:
        live = self.desk.live(self.account, order_id)
        assert live is not None
        return live.status


def order(quantity: int, price: str) -> dict[str, Any]:
    instrument = {"symbol": "IBM", "assetType": "EQUITY"}
    leg = {"instruction": "BUY", "quantity": quantity, "instrument": instrument}
    return {
        "session": "NORMAL",
        "duration": "DAY",
        "orderType": "LIMIT",
        "price": price,
        "orderStrategyType": "SINGLE",
        "orderLegCollection": [leg],
    }


def test_a_rejected_order_tells_no_execution() -> None:
    floor = Floor(OrderPace())
    number = floor.desk.place(floor.account, order(1_000_000, "300"))
    assert floor.told(number) == ["OrderCreated", "OrderAccepted"]
    floor.pass_s(1)
    assert floor.status(number) is Status.REJECTED
    assert floor.told(number)[2:] == ["CancelAccepted", "OrderUROutCompleted"]


def test_parts_of_a_fill_come_one_by_one_with_a_running_sum() -> None:
    floor = Floor(OrderPace())
    quote = floor.desk.quote("IBM")
    assert quote is not None
    number = floor.desk.place(floor.account, order(quote.ask_size + 1, "300"))
    assert floor.status(number) is Status.WORKING
    floor.pass_s(120)
    assert floor.status(number) is Status.FILLED
    told = floor.told(number)
    assert told[:5] == ["OrderCreated", "OrderAccepted", *PLACED]
    assert told[5:] == ["OrderFillCompleted", "OrderFillCompleted"]
    live = floor.desk.live(floor.account, number)
    assert live is not None
    assert [fill.quantity for fill in live.fills] == [quote.ask_size, 1]


def test_a_replacement_tells_the_new_order_and_the_end_of_the_old_one() -> None:
    floor = Floor(OrderPace())
    old = floor.desk.place(floor.account, order(5, "100"))
    new = floor.desk.replace(floor.account, old, order(6, "101"))
    assert floor.told(old) == ["OrderCreated", "OrderAccepted", *PLACED, *CANCELED]
    assert floor.told(new) == ["ChangeCreated", "ChangeAccepted", "OrderMonitorCreated"]
    assert (floor.status(old), floor.status(new)) == (Status.REPLACED, Status.WORKING)


@pytest.mark.parametrize("fills_first", [True, False])
def test_a_replacement_on_its_way_races_with_the_market(fills_first: bool) -> None:
    floor = Floor(OrderPace(replace_s=90))
    quote = floor.desk.quote("IBM")
    assert quote is not None
    # What is left of the first order finds size in the next minute, if its limit is high enough.
    price = "300" if fills_first else "100"
    old = floor.desk.place(floor.account, order(quote.ask_size + 1, price))
    new = floor.desk.replace(floor.account, old, order(3, "100"))
    assert floor.status(old) is Status.PENDING_REPLACE
    with pytest.raises(InputError, match="cannot be changed"):
        floor.desk.cancel(floor.account, old)
    floor.pass_s(95)
    if fills_first:
        assert (floor.status(old), floor.status(new)) == (Status.FILLED, Status.REJECTED)
        assert floor.told(new)[-2:] == ["CancelAccepted", "OrderUROutCompleted"]
    else:
        assert (floor.status(old), floor.status(new)) == (Status.REPLACED, Status.WORKING)
