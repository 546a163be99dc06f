"""What the engine tells: changes of status and fills."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from infrastructure.matching.status import Status


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """An order took one step of its life.

    Attributes:
        order_id: Whose.
        before: None for an order that has just been sent.
        after: The new status.
        ns: When, nanoseconds UTC.
        reason: For people; empty when the step explains itself.
    """

    order_id: int
    before: Status | None
    after: Status
    ns: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Filled:
    """Some units of an order traded.

    Attributes:
        order_id: Whose.
        quantity: Units.
        prices: Dollars for one share of each leg, in the order of the legs.
        remaining: Units still open after it.
        ns: When, nanoseconds UTC.
    """

    order_id: int
    quantity: int
    prices: tuple[Decimal, ...]
    remaining: int
    ns: int


Event = StatusChanged | Filled
