"""The life cycle of an order, and the only steps that it may take."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Status(StrEnum):
    """Where an order stands; the names are Schwab's."""

    NEW = "NEW"
    AWAITING_PARENT_ORDER = "AWAITING_PARENT_ORDER"
    PENDING_ACTIVATION = "PENDING_ACTIVATION"
    WORKING = "WORKING"
    PENDING_CANCEL = "PENDING_CANCEL"
    PENDING_REPLACE = "PENDING_REPLACE"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REPLACED = "REPLACED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"


TERMINAL: Final = frozenset(
    {Status.FILLED, Status.CANCELED, Status.REPLACED, Status.REJECTED, Status.EXPIRED}
)
# A fill can come while a cancel or a replacement is on its way: both sides of that race are edges.
EDGES: Final[dict[Status, frozenset[Status]]] = {
    Status.NEW: frozenset(
        {
            Status.AWAITING_PARENT_ORDER,
            Status.PENDING_ACTIVATION,
            Status.WORKING,
            Status.REJECTED,
            Status.CANCELED,
        }
    ),
    Status.AWAITING_PARENT_ORDER: frozenset(
        {
            Status.PENDING_ACTIVATION,
            Status.WORKING,
            Status.CANCELED,
            Status.REPLACED,
            Status.PENDING_REPLACE,
            Status.PENDING_CANCEL,
            Status.REJECTED,
        }
    ),
    Status.PENDING_ACTIVATION: frozenset(
        {
            Status.WORKING,
            Status.PENDING_CANCEL,
            Status.PENDING_REPLACE,
            Status.CANCELED,
            Status.REPLACED,
            Status.EXPIRED,
        }
    ),
    Status.WORKING: frozenset(
        {
            Status.PENDING_CANCEL,
            Status.PENDING_REPLACE,
            Status.FILLED,
            Status.CANCELED,
            Status.REPLACED,
            Status.EXPIRED,
        }
    ),
    Status.PENDING_CANCEL: frozenset({Status.CANCELED, Status.FILLED, Status.EXPIRED}),
    Status.PENDING_REPLACE: frozenset(
        {Status.REPLACED, Status.CANCELED, Status.FILLED, Status.EXPIRED}
    ),
    Status.FILLED: frozenset(),
    Status.CANCELED: frozenset(),
    Status.REPLACED: frozenset(),
    Status.REJECTED: frozenset(),
    Status.EXPIRED: frozenset(),
}
