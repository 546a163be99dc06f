"""What became of an order that was sent: its id, or "unknown" until it is found at Schwab."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Literal

from infrastructure.clock import ns_from_utc
from infrastructure.schwab.accounts import OrderLeg, PlacedOrder
from infrastructure.schwab.orders.order import Leg, Order
from infrastructure.schwab.orders.words import OrderType

NS_PER_S = 10**9
CLOCK_SKEW_NS = 60 * NS_PER_S
"""How far Schwab's clock and ours may differ."""
LATEST_NS = 180 * NS_PER_S
"""So long after the sending an order may still have been entered: timeout and queue included."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Say what became of one order.

    Attributes:
        state: `placed` when Schwab holds it; else `unknown`, which no wait and no repetition
            changes, only a lookup that finds it.
        order: What was sent.
        account_hash: Whose.
        sent_ns: When, nanoseconds UTC.
        order_id: Schwab's id; None while unknown, or where Schwab took it without naming one.
        candidates: Ids of several orders that could be it: a person has to choose.
        reason: Why it is unknown.
    """

    state: Literal["placed", "unknown"]
    order: Order
    account_hash: str = field(repr=False)
    sent_ns: int
    order_id: int | None = None
    candidates: tuple[int, ...] = ()
    reason: str | None = None

    @property
    def is_known(self) -> bool:
        """Whether the order surely stands, or stood, at Schwab."""
        return self.state == "placed"

    @property
    def window_ns(self) -> tuple[int, int]:
        """First and last instant at which Schwab can have entered it, nanoseconds UTC."""
        return self.sent_ns - CLOCK_SKEW_NS, self.sent_ns + LATEST_NS


def candidates(
    outcome: Outcome, placed: Iterable[PlacedOrder], taken: frozenset[int] = frozenset()
) -> tuple[int, ...]:
    """Return the ids of the orders that are the sent one as far as can be told.

    Args:
        outcome: What was sent, and when.
        placed: What Schwab holds; contained orders count only with what contains them.
        taken: Ids that belong to other orders of ours.
    """
    first, last = outcome.window_ns
    found: list[int] = []
    for each in placed:
        order_id = each.order_id or next(
            (child.order_id for child in each.child_order_strategies if child.order_id), None
        )
        entered_ns = _entered_ns(each)
        in_time = entered_ns is None or first <= entered_ns <= last
        if order_id is not None and order_id not in taken and in_time and same(outcome.order, each):
            found.append(order_id)
    return tuple(dict.fromkeys(found))


def same(order: Order, placed: PlacedOrder) -> bool:
    """Tell whether Schwab's order has our legs, quantities, prices and children."""
    return (
        _word(order.order_type) == _word(placed.order_type)
        and order.strategy_type == (placed.order_strategy_type or "SINGLE")
        and sorted(map(_ours, order.legs)) == sorted(map(_theirs, placed.order_leg_collection))
        and (order.order_type is OrderType.TRAILING_STOP_LIMIT or order.price == placed.price)
        and order.stop_price == placed.stop_price
        and _same_offset(order.stop_offset, placed.extra.get("stopPriceOffset"))
        and _fits(order.session, placed.session)
        and _fits(order.duration, placed.duration)
        and _same_children(order.children, placed.child_order_strategies)
    )


def _same_children(ours: tuple[Order, ...], theirs: tuple[PlacedOrder, ...]) -> bool:
    left = list(theirs)
    for child in ours:
        match = next((each for each in left if same(child, each)), None)
        if match is None:
            return False
        left.remove(match)
    return not left


def _same_offset(ours: Decimal | None, theirs: object) -> bool:
    return ours is None or theirs is None or ours == Decimal(str(theirs))


def _ours(leg: Leg) -> tuple[str, str, Decimal]:
    return leg.symbol, leg.instruction.value, Decimal(leg.quantity)


def _theirs(leg: OrderLeg) -> tuple[str, str, Decimal]:
    return leg.instrument.symbol or "", leg.instruction or "", leg.quantity or Decimal(0)


def _word(value: str | None) -> str | None:
    return None if value is None else str(value)


def _fits(ours: str | None, theirs: str | None) -> bool:
    return ours is None or theirs is None or str(ours) == theirs


def _entered_ns(placed: PlacedOrder) -> int | None:
    times = [placed.entered_time, *(child.entered_time for child in placed.child_order_strategies)]
    text = next((each for each in times if each), None)
    try:
        return None if text is None else ns_from_utc(datetime.fromisoformat(text))
    except ValueError:
        return None
