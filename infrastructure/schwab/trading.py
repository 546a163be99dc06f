"""The order endpoints that act: preview, place, replace, cancel, look up. Live orders are off."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any, Literal, NamedTuple, overload
from urllib.parse import quote as percent_encode

import msgspec

from infrastructure.errors import OrderOutcomeUnknown, StackError, UsageError
from infrastructure.schwab.account_data import ROOT, checked_hash
from infrastructure.schwab.accounts import Preview
from infrastructure.schwab.answer import Answer
from infrastructure.schwab.models import parse_quotes
from infrastructure.schwab.order_data import OrderData, flattened, order_path
from infrastructure.schwab.orders.arming import (
    Arming,
    OrderPermit,
    permit_cancel_all,
)
from infrastructure.schwab.orders.checks import check_order
from infrastructure.schwab.orders.ledger import Claim, OrderLedger, checked_key, fingerprint
from infrastructure.schwab.orders.notional import order_notional
from infrastructure.schwab.orders.order import Order
from infrastructure.schwab.orders.outcome import Outcome, candidates
from infrastructure.schwab.rest import Requester
from infrastructure.schwab.wire import build_record

_LOCATION = re.compile(r"/trader/v1/accounts/[^/]+/orders/(\d+)/?$")


class CancelAll(NamedTuple):
    """What cancelling everything did.

    Attributes:
        cancelled: Ids of orders whose cancel Schwab took.
        failed: Ids of the others, each with the sentence that says why.
    """

    cancelled: tuple[int, ...]
    failed: tuple[tuple[int, str], ...]


class Trading(OrderData):
    """Ask for accounts, orders and transactions; place orders where that is allowed.

    Args:
        requester: Sends the requests.
        now_ns: Tells the time, nanoseconds UTC.
        arming: Judges orders to a real broker.
    """

    def __init__(self, requester: Requester, now_ns: Callable[[], int], arming: Arming) -> None:
        super().__init__(requester, now_ns)
        self._arming = arming

    @overload
    def preview_order(
        self, account_hash: str, order: Order, *, raw: Literal[False] = False
    ) -> Preview: ...
    @overload
    def preview_order(self, account_hash: str, order: Order, *, raw: Literal[True]) -> Any: ...
    def preview_order(self, account_hash: str, order: Order, *, raw: bool = False) -> Any:
        """Return what Schwab would do with an order; nothing is placed."""
        check_order(order)
        answer = self._requester.write(
            "POST",
            f"{ROOT}/accounts/{checked_hash(account_hash)}/previewOrder",
            what="a preview",
            body=msgspec.json.encode(order.to_wire()),
        )
        if raw:
            return self._parsed(answer, msgspec.json.decode)
        return self._parsed(answer, lambda body: build_record(Preview, msgspec.json.decode(body)))

    @overload
    def place_order(
        self, account_hash: str, order: Order, *, raw: Literal[False] = False
    ) -> int | None: ...
    @overload
    def place_order(self, account_hash: str, order: Order, *, raw: Literal[True]) -> Answer: ...
    def place_order(self, account_hash: str, order: Order, *, raw: bool = False) -> Any:
        """Place an order, and return its id; None where Schwab took it without naming one.

        Args:
            account_hash: Whose.
            order: What.
            raw: Return the answer, with its headers, instead of the id.

        Raises:
            InvalidOrder: If it cannot be meant; nothing was sent.
            TradingNotArmed: If the host is a real broker's and this is not allowed.
            OrderOutcomeUnknown: If it may stand at Schwab or not; it is never sent again.
        """
        path = f"/accounts/{checked_hash(account_hash)}/orders"
        answer = self._put("POST", path, account_hash, order)
        return answer if raw else order_id_of(answer.headers.get("location"))

    def submit_order(self, account_hash: str, order: Order) -> Outcome:
        """Place an order, and return what became of it: placed, or unknown until looked up.

        Raises:
            InvalidOrder: If it cannot be meant; nothing was sent.
            TradingNotArmed: If the host is a real broker's and this is not allowed.
            StackError: If it was surely not placed.
        """
        sent_ns = self._now_ns()
        try:
            order_id = self.place_order(account_hash, order)
        except OrderOutcomeUnknown as error:
            return Outcome("unknown", order, account_hash, sent_ns, reason=str(error))
        return Outcome("placed", order, account_hash, sent_ns, order_id)

    def place_once(
        self, account_hash: str, order: Order, *, key: str, ledger: OrderLedger
    ) -> Outcome:
        """Place an order unless its key did so before; then return what became of that.

        The key is kept before the order is sent, so that a crash at any point leaves it
        `unknown`, never sent twice.

        Args:
            account_hash: Whose.
            order: What.
            key: The caller's name for this one intent; another intent has another key.
            ledger: Keeps keys among all who may place this order.

        Raises:
            UsageError: If the key stands for another order.
            StackError: As `submit_order`; the key is free again if nothing was placed.
        """
        check_order(order)
        claim = Claim(
            key=checked_key(key),
            fingerprint=fingerprint(checked_hash(account_hash), order),
            sent_ns=self._now_ns(),
        )
        held = ledger.claim(claim)
        if held is not None:
            return self._placed_before(held, claim, account_hash, order, ledger)
        try:
            outcome = self.submit_order(account_hash, order)
        except StackError:
            # Refused, or never left: no order stands under this key.
            ledger.release(key)
            raise
        self._settle(claim, outcome, ledger)
        return outcome

    def lookup(self, outcome: Outcome, ledger: OrderLedger | None = None) -> Outcome:
        """Return an unknown outcome with the order that was found, else as it was.

        It is looked for among the account's orders of the time of sending, by legs, quantities,
        prices and children. Nothing found does not say that nothing was placed: it may come yet.

        Args:
            outcome: What is asked about.
            ledger: Whose other orders are not it.

        Raises:
            StackError: As `orders`.
        """
        if outcome.is_known:
            return outcome
        first, last = outcome.window_ns
        end_ns = max(first + 1, min(last, self._now_ns()))
        placed = self.orders(outcome.account_hash, start_ns=first, end_ns=end_ns)
        taken = frozenset[int]() if ledger is None else ledger.order_ids()
        found = candidates(outcome, placed, taken)
        if len(found) == 1:
            return replace(outcome, state="placed", order_id=found[0], candidates=(), reason=None)
        return replace(outcome, candidates=found)

    @overload
    def replace_order(
        self, account_hash: str, order_id: int, order: Order, *, raw: Literal[False] = False
    ) -> int | None: ...
    @overload
    def replace_order(
        self, account_hash: str, order_id: int, order: Order, *, raw: Literal[True]
    ) -> Answer: ...
    def replace_order(
        self, account_hash: str, order_id: int, order: Order, *, raw: bool = False
    ) -> Any:
        """Replace an order, and return the new one's id. Raises as `place_order`."""
        answer = self._put("PUT", order_path(account_hash, order_id), account_hash, order)
        return answer if raw else order_id_of(answer.headers.get("location"))

    @overload
    def cancel_order(
        self, account_hash: str, order_id: int, *, raw: Literal[False] = False
    ) -> None: ...
    @overload
    def cancel_order(self, account_hash: str, order_id: int, *, raw: Literal[True]) -> Answer: ...
    def cancel_order(self, account_hash: str, order_id: int, *, raw: bool = False) -> Any:
        """Cancel one order.

        Raises:
            TradingNotArmed: If the host is a real broker's and this is not allowed.
            OrderOutcomeUnknown: If the cancel may have reached Schwab or not.
        """
        path = order_path(account_hash, order_id)

        def permit(method: str, url: str, body: bytes | None) -> OrderPermit | None:
            return self._permit(method, url, body, account_hash, None)

        answer = self._requester.write("DELETE", f"{ROOT}{path}", what="the cancel", permit=permit)
        return answer if raw else None

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
                    f"{ROOT}{order_path(account_hash, order.order_id)}",
                    what=f"the cancel of order {order.order_id}",
                    permit=lambda _, url, __: permit_cancel_all(url),
                )
                cancelled.append(order.order_id)
            except StackError as error:
                failed.append((order.order_id, str(error)))
        return CancelAll(tuple(cancelled), tuple(failed))

    def _put(self, method: str, path: str, account_hash: str, order: Order) -> Answer:
        check_order(order)

        def permit(method: str, url: str, body: bytes | None) -> OrderPermit | None:
            return self._permit(method, url, body, account_hash, order)

        return self._requester.write(
            method,
            f"{ROOT}{path}",
            what="the order",
            body=msgspec.json.encode(order.to_wire()),
            permit=permit,
        )

    def _placed_before(
        self,
        held: Claim,
        claim: Claim,
        account_hash: str,
        order: Order,
        ledger: OrderLedger,
    ) -> Outcome:
        if held.fingerprint != claim.fingerprint:
            raise UsageError(
                f"key={claim.key!r} stands for another order",
                next_step="Give another key, or the very order of this one.",
            )
        if held.state == "placed":
            return Outcome("placed", order, account_hash, held.sent_ns, held.order_id)
        reason = f"the order of key {held.key!r} was sent before, and its answer is not known"
        outcome = self.lookup(
            Outcome("unknown", order, account_hash, held.sent_ns, reason=reason), ledger
        )
        if outcome.is_known:
            self._settle(held, outcome, ledger)
        return outcome

    def _settle(self, claim: Claim, outcome: Outcome, ledger: OrderLedger) -> None:
        ledger.settle(
            msgspec.structs.replace(claim, state=outcome.state, order_id=outcome.order_id)
        )

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


def order_id_of(location: str | None) -> int | None:
    """Return the order id of a `Location` header, None when it names none."""
    found = _LOCATION.search(location or "")
    return None if found is None else int(found.group(1))
