"""The account and order endpoints: check, ask, return typed values. Live orders are off."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, NamedTuple, TypeVar, overload
from urllib.parse import quote as percent_encode

import msgspec

from infrastructure.clock import utc_from_ns
from infrastructure.errors import NoDataError, StackError, UsageError
from infrastructure.logging import register_secret
from infrastructure.schwab.accounts import (
    Account,
    AccountNumber,
    PlacedOrder,
    Preview,
    Transaction,
    UserPreference,
    masked,
    parse_account,
    parse_list,
    parse_preference,
)
from infrastructure.schwab.endpoint import Endpoint
from infrastructure.schwab.models import parse_quotes
from infrastructure.schwab.orders.arming import (
    Arming,
    OrderPermit,
    permit_cancel_all,
)
from infrastructure.schwab.orders.checks import check_order
from infrastructure.schwab.orders.notional import order_notional
from infrastructure.schwab.orders.order import Order
from infrastructure.schwab.rest import Requester
from infrastructure.schwab.wire import build_record

ROOT = "/trader/v1"
DAY_NS = 86_400 * 10**9
LOOK_BACK_DAYS = 60
"""Orders of all accounts reach back so far (schwab-api.md §2.2)."""
TRANSACTION_TYPES = (
    "TRADE",
    "RECEIVE_AND_DELIVER",
    "DIVIDEND_OR_INTEREST",
    "ACH_RECEIPT",
    "ACH_DISBURSEMENT",
    "CASH_RECEIPT",
    "CASH_DISBURSEMENT",
    "ELECTRONIC_FUND",
    "WIRE_OUT",
    "WIRE_IN",
    "JOURNAL",
    "MEMORANDUM",
    "MARGIN_CALL",
    "MONEY_MARKET",
    "SMA_ADJUSTMENT",
)
_HASH = re.compile(r"[0-9A-Za-z]{14,128}")
_LOCATION = re.compile(r"/trader/v1/accounts/[^/]+/orders/(\d+)/?$")
T = TypeVar("T")


class CancelAll(NamedTuple):
    """What cancelling everything did.

    Attributes:
        cancelled: Ids of orders whose cancel Schwab took.
        failed: Ids of the others, each with the sentence that says why.
    """

    cancelled: tuple[int, ...]
    failed: tuple[tuple[int, str], ...]


class Trading(Endpoint):
    """Ask for accounts, orders and transactions; place orders where that is allowed.

    Args:
        requester: Sends the requests.
        now_ns: Tells the time, nanoseconds UTC.
        arming: Judges orders to a real broker.
    """

    def __init__(self, requester: Requester, now_ns: Callable[[], int], arming: Arming) -> None:
        super().__init__(requester)
        self._now_ns = now_ns
        self._arming = arming
        self._numbers: dict[str, str] = {}

    @overload
    def account_numbers(self, *, raw: Literal[False] = False) -> tuple[AccountNumber, ...]: ...
    @overload
    def account_numbers(self, *, raw: Literal[True]) -> Any: ...
    def account_numbers(self, *, raw: bool = False) -> Any:
        """Return number and hash of every account; the order says nothing."""
        numbers = self._ask("/accounts/accountNumbers", {}, "the account numbers", _numbers, raw)
        for entry in () if raw else numbers:
            register_secret(entry.account_number)
            register_secret(entry.hash_value)
            self._numbers[entry.hash_value] = entry.account_number
        return numbers

    def account_hash(self, account: str | None = None) -> str:
        """Return the hash of an account.

        Args:
            account: Its number, or the last three or more digits; the only account when None.

        Raises:
            UsageError: If none or several fit.
        """
        wanted = account or ""
        if account is not None and len(account) < 3:
            raise UsageError(f"account={account!r} is shorter than three digits")
        fitting = [
            entry.hash_value
            for entry in self.account_numbers()
            if entry.account_number.endswith(wanted) or entry.hash_value == account
        ]
        if len(fitting) == 1:
            return fitting[0]
        named = "" if account is None else f" that end in {masked(wanted)}"
        raise UsageError(
            f"there are {len(fitting)} accounts{named}, expected one",
            next_step="Name the account by more of its digits.",
        )

    @overload
    def accounts(
        self, *, positions: bool = False, raw: Literal[False] = False
    ) -> tuple[Account, ...]: ...
    @overload
    def accounts(self, *, positions: bool = False, raw: Literal[True]) -> Any: ...
    def accounts(self, *, positions: bool = False, raw: bool = False) -> Any:
        """Return every account, with its positions if asked for."""
        return self._ask("/accounts", _positions(positions), "the accounts", _accounts, raw)

    @overload
    def account(
        self, account_hash: str, *, positions: bool = False, raw: Literal[False] = False
    ) -> Account: ...
    @overload
    def account(self, account_hash: str, *, positions: bool = False, raw: Literal[True]) -> Any: ...
    def account(self, account_hash: str, *, positions: bool = False, raw: bool = False) -> Any:
        """Return one account, with its positions if asked for."""
        path = f"/accounts/{_hash(account_hash)}"
        return self._ask(path, _positions(positions), "the account", parse_account, raw)

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
        params = {"fromEnteredTime": _instant(start), "toEnteredTime": _instant(end)}
        if status is not None:
            params["status"] = status.upper()
        if max_results is not None:
            params["maxResults"] = str(max_results)
        path = "/orders" if account_hash is None else f"/accounts/{_hash(account_hash)}/orders"
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
        return self._ask(_path(account_hash, order_id), {}, f"order {order_id}", _order, raw)

    @overload
    def transactions(
        self,
        account_hash: str,
        *,
        start_ns: int,
        end_ns: int,
        types: tuple[str, ...] = (),
        symbol: str | None = None,
        raw: Literal[False] = False,
    ) -> tuple[Transaction, ...]: ...
    @overload
    def transactions(
        self,
        account_hash: str,
        *,
        start_ns: int,
        end_ns: int,
        types: tuple[str, ...] = (),
        symbol: str | None = None,
        raw: Literal[True],
    ) -> Any: ...
    def transactions(
        self,
        account_hash: str,
        *,
        start_ns: int,
        end_ns: int,
        types: tuple[str, ...] = (),
        symbol: str | None = None,
        raw: bool = False,
    ) -> Any:
        """Return an account's bookings in a time of up to a year, of all types by default."""
        if not start_ns < end_ns or end_ns - start_ns > 366 * DAY_NS:
            raise UsageError("transactions are listed for a time of up to one year, in order")
        unknown = [word for word in types if word not in TRANSACTION_TYPES]
        if unknown:
            raise UsageError(f"types={unknown[0]!r} is none of {', '.join(TRANSACTION_TYPES)}")
        params = {
            "startDate": _instant(start_ns),
            "endDate": _instant(end_ns),
            "types": ",".join(types or TRANSACTION_TYPES),
        }
        if symbol is not None:
            params["symbol"] = symbol
        path = f"/accounts/{_hash(account_hash)}/transactions"
        return self._ask(path, params, "the transactions", _transactions, raw)

    @overload
    def transaction(
        self, account_hash: str, activity_id: int, *, raw: Literal[False] = False
    ) -> Transaction: ...
    @overload
    def transaction(self, account_hash: str, activity_id: int, *, raw: Literal[True]) -> Any: ...
    def transaction(self, account_hash: str, activity_id: int, *, raw: bool = False) -> Any:
        """Return one booking."""
        path = f"/accounts/{_hash(account_hash)}/transactions/{int(activity_id)}"
        return self._ask(path, {}, f"transaction {activity_id}", _transaction, raw)

    @overload
    def user_preference(self, *, raw: Literal[False] = False) -> UserPreference: ...
    @overload
    def user_preference(self, *, raw: Literal[True]) -> Any: ...
    def user_preference(self, *, raw: bool = False) -> Any:
        """Return the user's settings, with the streamer's address."""
        return self._ask("/userPreference", {}, "the user's preference", parse_preference, raw)

    def preview_order(self, account_hash: str, order: Order) -> Preview:
        """Return what Schwab would do with an order; nothing is placed."""
        check_order(order)
        answer = self._requester.write(
            "POST",
            f"{ROOT}/accounts/{_hash(account_hash)}/previewOrder",
            what="a preview",
            body=msgspec.json.encode(order.to_wire()),
        )
        return self._parsed(answer, lambda body: build_record(Preview, msgspec.json.decode(body)))

    def place_order(self, account_hash: str, order: Order) -> int | None:
        """Place an order, and return its id; None where Schwab took it without naming one.

        Raises:
            InvalidOrder: If it cannot be meant; nothing was sent.
            TradingNotArmed: If the host is a real broker's and this is not allowed.
            OrderOutcomeUnknown: If it may stand at Schwab or not; it is never sent again.
        """
        return self._put("POST", f"/accounts/{_hash(account_hash)}/orders", account_hash, order)

    def replace_order(self, account_hash: str, order_id: int, order: Order) -> int | None:
        """Replace an order, and return the new one's id. Raises as `place_order`."""
        return self._put("PUT", _path(account_hash, order_id), account_hash, order)

    def cancel_order(self, account_hash: str, order_id: int) -> None:
        """Cancel one order.

        Raises:
            TradingNotArmed: If the host is a real broker's and this is not allowed.
            OrderOutcomeUnknown: If the cancel may have reached Schwab or not.
        """
        path = _path(account_hash, order_id)

        def permit(method: str, url: str, body: bytes | None) -> OrderPermit | None:
            return self._permit(method, url, body, account_hash, None)

        self._requester.write("DELETE", f"{ROOT}{path}", what="the cancel", permit=permit)

    def cancel_all_orders(self, account_hash: str) -> CancelAll:
        """Cancel every open order of an account. It works whether or not trading is armed."""
        cancelled: list[int] = []
        failed: list[tuple[int, str]] = []
        for order in flattened(self.orders(account_hash)):
            if order.is_terminal or order.cancelable is False or order.order_id is None:
                continue
            try:
                self._requester.write(
                    "DELETE",
                    f"{ROOT}{_path(account_hash, order.order_id)}",
                    what=f"the cancel of order {order.order_id}",
                    permit=lambda _, url, __: permit_cancel_all(url),
                )
                cancelled.append(order.order_id)
            except StackError as error:
                failed.append((order.order_id, str(error)))
        return CancelAll(tuple(cancelled), tuple(failed))

    def _put(self, method: str, path: str, account_hash: str, order: Order) -> int | None:
        check_order(order)

        def permit(method: str, url: str, body: bytes | None) -> OrderPermit | None:
            return self._permit(method, url, body, account_hash, order)

        answer = self._requester.write(
            method,
            f"{ROOT}{path}",
            what="the order",
            body=msgspec.json.encode(order.to_wire()),
            permit=permit,
        )
        return order_id_of(answer.headers.get("location"))

    def _permit(
        self,
        method: str,
        url: str,
        body: bytes | None,
        account_hash: str,
        order: Order | None,
    ) -> OrderPermit | None:
        if self._requester.is_loopback:
            return None
        # The flag is judged before anything is asked: an unarmed process sends nothing at all.
        self._arming.check_started()
        if account_hash not in self._numbers:
            self.account_numbers()
        number = self._numbers.get(account_hash)
        notional = Decimal(0) if order is None else order_notional(order, self._reference_price)
        return self._arming.permit(method, url, body, account_number=number, notional=notional)

    def _reference_price(self, symbol: str) -> Decimal | None:
        """Return the highest of ask, last and mark; None when there is no such price."""
        path = f"/marketdata/v1/{percent_encode(symbol, safe='')}/quotes"
        answer = self._requester.get(path, what=f"the quote of {symbol}", symbol=symbol)
        quotes = self._parsed(answer, lambda body: parse_quotes(msgspec.json.decode(body)))
        quote = next((entry.quote for entry in quotes.by_symbol.values()), None)
        if quote is None:
            return None
        known = [quote.ask_price, quote.last_price, quote.mark]
        return max((Decimal(str(price)) for price in known if price), default=None)

    def _ask(
        self, path: str, params: dict[str, str], what: str, parse: Callable[[Any], T], raw: bool
    ) -> Any:
        answer = self._requester.get(f"{ROOT}{path}", params, what=what)
        return self._parsed(
            answer,
            msgspec.json.decode if raw else lambda body: parse(msgspec.json.decode(body)),
        )


def flattened(orders: tuple[PlacedOrder, ...]) -> Iterator[PlacedOrder]:
    """Yield orders and all that they contain: an OCO container has no id, its children have."""
    for order in orders:
        yield order
        yield from flattened(order.child_order_strategies)


def order_id_of(location: str | None) -> int | None:
    """Return the order id of a `Location` header, None when it names none."""
    found = _LOCATION.search(location or "")
    return None if found is None else int(found.group(1))


def _hash(account_hash: str) -> str:
    if _HASH.fullmatch(account_hash) is None or account_hash.isdigit():
        raise UsageError(
            "an account is named by its hash in requests, not by its number",
            next_step="Look it up with account_hash(number).",
        )
    register_secret(account_hash)
    return account_hash


def _path(account_hash: str, order_id: int) -> str:
    if type(order_id) is not int or order_id < 1:
        raise UsageError(f"order_id={order_id!r} is no order id")
    return f"/accounts/{_hash(account_hash)}/orders/{order_id}"


def _instant(ns: int) -> str:
    moment: datetime = utc_from_ns(ns)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _positions(wanted: bool) -> dict[str, str]:
    return {"fields": "positions"} if wanted else {}


def _numbers(value: Any) -> tuple[AccountNumber, ...]:
    return tuple(build_record(AccountNumber, entry) for entry in parse_list(value))


def _accounts(value: Any) -> tuple[Account, ...]:
    return tuple(parse_account(entry) for entry in parse_list(value))


def _order(value: Any) -> PlacedOrder:
    return build_record(PlacedOrder, value)


def _orders(value: Any) -> tuple[PlacedOrder, ...]:
    return tuple(_order(entry) for entry in parse_list(value))


def _transactions(value: Any) -> tuple[Transaction, ...]:
    return tuple(build_record(Transaction, entry) for entry in parse_list(value))


def _transaction(value: Any) -> Transaction:
    entries = value if isinstance(value, list) else [value]
    if not entries:
        raise NoDataError("Schwab has no such transaction")
    return build_record(Transaction, entries[0])
