"""What was sent, beside what the matching engine makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infrastructure.simulators.schwab.account import Account


@dataclass(slots=True)
class OrderRecord:
    """One node of a sent order.

    Attributes:
        order_id: Its number.
        account: Whose.
        body: The JSON that was sent.
        entered_ns: When.
        children: Numbers of the nodes below.
        is_top: Whether it was sent by itself.
    """

    order_id: int
    account: Account
    body: Mapping[str, Any]
    entered_ns: int
    children: tuple[int, ...]
    is_top: bool
