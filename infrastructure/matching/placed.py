"""The numbers that an engine gives to what is sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Placed:
    """The numbers that a ticket's orders and groups got.

    Attributes:
        order_id: Of this node; a bare group has a number, but no order.
        children: Of the nodes below.
    """

    order_id: int
    children: tuple[Placed, ...] = ()

    def ids(self) -> Iterator[int]:
        """Yield every number of the tree, parents first."""
        yield self.order_id
        for child in self.children:
            yield from child.ids()
