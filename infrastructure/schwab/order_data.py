"""The orders that Schwab holds: of one account or of all, or a single one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, overload

from infrastructure.errors import UsageError
from infrastructure.schwab.account_data import DAY_NS, AccountData, checked_hash, instant_text
from infrastructure.schwab.accounts import PlacedOrder, parse_list
from infrastructure.schwab.rest import Requester
from infrastructure.schwab.wire import build_record

LOOK_BACK_DAYS = 60
"""Orders of all accounts reach back so far (schwab-api.md §2.2)."""


class OrderData(AccountData):
    """Ask for orders, accounts and transactions.

    Args:
        requester: Sends the requests.
        now_ns: Tells the time, nanoseconds UTC.
    """

    def __init__(self, requester: Requester, now_ns: Callable[[], int]) -> None:
        super().__init__(requester)
        self._now_ns = now_ns

    @overload
    def orders(
        self,
        account_hash: str | None = None,
        *,
        start_ns: int | None = None,
        end_ns: int | None = None,
        status: str | None = None,
        max_results: int | None = None,
        raw: Literal[False] = False,
    ) -> tuple[PlacedOrder, ...]: ...
    @overload
    def orders(
        self,
        account_hash: str | None = None,
        *,
        start_ns: int | None = None,
        end_ns: int | None = None,
        status: str | None = None,
        max_results: int | None = None,
        raw: Literal[True],
    ) -> Any: ...
    def orders(
        self,
        account_hash: str | None = None,
        *,
        start_ns: int | None = None,
        end_ns: int | None = None,
        status: str | None = None,
        max_results: int | None = None,
        raw: bool = False,
    ) -> Any:
        """Return the orders entered in a time, of one account or of all.

        Args:
            account_hash: Whose; every account's when None.
            start_ns: First instant, nanoseconds UTC; 60 days before the end when None.
            end_ns: Last instant; now when None.
            status: One status, such as WORKING.
            max_results: 1 to 3000.

        Raises:
            UsageError: If Schwab would refuse it; nothing is sent.
        """
        end = self._now_ns() if end_ns is None else end_ns
        start = end - LOOK_BACK_DAYS * DAY_NS if start_ns is None else start_ns
        longest = 365 if account_hash is not None else LOOK_BACK_DAYS
        if not start < end or end - start > longest * DAY_NS:
            raise UsageError(f"orders are listed for a time of up to {longest} days, in order")
        if max_results is not None and not 1 <= max_results <= 3000:
            raise UsageError(f"max_results={max_results} is not between 1 and 3000")
        params = {"fromEnteredTime": instant_text(start), "toEnteredTime": instant_text(end)}
        if status is not None:
            params["status"] = status.upper()
        if max_results is not None:
            params["maxResults"] = str(max_results)
        path = (
            "/orders" if account_hash is None else f"/accounts/{checked_hash(account_hash)}/orders"
        )
        return self._ask(path, params, "the orders", _orders, raw)

    @overload
    def order(
        self, account_hash: str, order_id: int, *, raw: Literal[False] = False
    ) -> PlacedOrder: ...
    @overload
    def order(self, account_hash: str, order_id: int, *, raw: Literal[True]) -> Any: ...
    def order(self, account_hash: str, order_id: int, *, raw: bool = False) -> Any:
        """Return one order.

        Raises:
            NoDataError: If there is none with this id.
        """
        return self._ask(order_path(account_hash, order_id), {}, f"order {order_id}", _order, raw)


def flattened(orders: tuple[PlacedOrder, ...]) -> Iterator[PlacedOrder]:
    """Yield orders and all that they contain: an OCO container has no id, its children have."""
    for order in orders:
        yield order
        yield from flattened(order.child_order_strategies)


def order_path(account_hash: str, order_id: int) -> str:
    """Return the path of one order below the trader's root.

    Raises:
        UsageError: If it is no order id.
    """
    if type(order_id) is not int or order_id < 1:
        raise UsageError(f"order_id={order_id!r} is no order id")
    return f"/accounts/{checked_hash(account_hash)}/orders/{order_id}"


def _order(value: Any) -> PlacedOrder:
    return build_record(PlacedOrder, value)


def _orders(value: Any) -> tuple[PlacedOrder, ...]:
    return tuple(_order(entry) for entry in parse_list(value))
