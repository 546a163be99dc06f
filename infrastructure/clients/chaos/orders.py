"""Orders sent while things go wrong: each with a quantity of its own, so that a double shows."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal

from infrastructure.clients.schwab_client import SchwabClient
from infrastructure.errors import OrderOutcomeUnknown, StackError
from infrastructure.schwab.accounts import PlacedOrder
from infrastructure.schwab.orders.order import Order
from infrastructure.schwab.orders.templates import equity_limit
from infrastructure.simulators.schwab.order_desk import OrderDesk

SYMBOL = "IBM"
WORKING_PRICE, FILLING_PRICE = Decimal("150.00"), Decimal("260.00")


@dataclass(slots=True)
class OrderTraffic:
    """Place orders one after another and remember what was said of each.

    Attributes:
        client: Sends them.
        account: The hash of the account.
        sent: How many times an order of a quantity was sent by the user.
        placed: The id that was given for a quantity.
        refused: Quantities of which the client said that nothing was done.
        unknown: Quantities of which it said that it cannot know, until they are looked up.
        missed: Quantities that were looked up and not found.
    """

    client: SchwabClient
    account: str
    sent: int = 0
    placed: dict[int, int] = field(default_factory=dict)
    refused: set[int] = field(default_factory=set)
    unknown: set[int] = field(default_factory=set)
    missed: set[int] = field(default_factory=set)

    def step(self, chance: random.Random) -> None:
        """Look an unknown order up, else place another, and now and then cancel one."""
        if self.unknown:
            self._look_up()
            return
        self.sent += 1
        price = WORKING_PRICE if chance.random() < 0.6 else FILLING_PRICE
        self._place(self.sent, equity_limit("BUY", SYMBOL, self.sent, price))
        if self.placed and chance.random() < 0.3:
            self._cancel(chance.choice(list(self.placed.values())))

    def complaints(self, desk: OrderDesk) -> list[str]:
        """Compare what was said with the account: no double, no loss, no order out of nowhere."""
        account = next(a for a in desk.accounts.values() if a.hash_value == self.account)
        standing = Counter(
            int(record.body["orderLegCollection"][0]["quantity"])
            for record in desk.records(account)
        )
        found = [f"{n} orders of quantity {q}" for q, n in standing.items() if n > 1]
        found += [f"order {q} was placed and is gone" for q in self.placed if not standing[q]]
        found += [f"order {q} was refused and stands" for q in self.refused if standing[q]]
        known = set(self.placed) | self.refused | self.unknown | self.missed
        return found + [f"nobody was told of order {q}" for q in standing if q not in known]

    def _place(self, quantity: int, order: Order) -> None:
        try:
            order_id = self.client.place_order(self.account, order)
        except OrderOutcomeUnknown:
            self.unknown.add(quantity)
        except StackError:
            self.refused.add(quantity)
        else:
            assert order_id is not None
            self.placed[quantity] = order_id

    def _look_up(self) -> None:
        """Settle what is unknown; what is not there may still arrive, and is not sent again."""
        try:
            standing = self.client.orders(self.account)
        except StackError:
            return
        for quantity in sorted(self.unknown):
            found = next((each for each in standing if _quantity(each) == quantity), None)
            self.unknown.discard(quantity)
            if found is None or found.order_id is None:
                self.missed.add(quantity)
            else:
                self.placed[quantity] = found.order_id

    def _cancel(self, order_id: int) -> None:
        try:
            self.client.cancel_order(self.account, order_id)
        except StackError:
            return


def _quantity(order: PlacedOrder) -> int:
    return int(order.quantity or 0)
