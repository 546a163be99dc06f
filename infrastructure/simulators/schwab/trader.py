"""The trader endpoints: accounts, orders, transactions and the user's preferences."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

import msgspec

from infrastructure.errors import InputError
from infrastructure.simulators.schwab.account import Account
from infrastructure.simulators.schwab.account_form import (
    account_form,
    moment_ns,
    transaction_form,
)
from infrastructure.simulators.schwab.error_bodies import trader_error
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.messages import Request, Response, json_response
from infrastructure.simulators.schwab.order_desk import OrderDesk
from infrastructure.simulators.schwab.order_form import order_form, preview_form
from infrastructure.simulators.schwab.order_reading import OrderRefused
from infrastructure.simulators.schwab.router import Router

ROOT: Final = "/trader/v1"
# A client takes the order's number out of exactly this address. [C]
LOCATION: Final = "https://api.schwabapi.com/trader/v1/accounts/{}/orders/{}"
MOST: Final = 3_000

_DAY_NS: Final = 86_400 * 1_000_000_000


class Trader:
    """Answer for the simulated accounts.

    Args:
        market: Whose time it is.
        desk: The accounts and their orders.

    Attributes:
        streamer_url: What userPreference names; None while no streamer runs.
    """

    def __init__(self, market: ReplayMarket, desk: OrderDesk) -> None:
        self.streamer_url: str | None = None
        self._market = market
        self._desk = desk

    def add_to(self, router: Router) -> None:
        """Add the endpoints."""
        account, orders = f"{ROOT}/accounts/{{hash}}", f"{ROOT}/accounts/{{hash}}/orders"
        one = f"{orders}/{{order_id}}"
        trades = f"{account}/transactions"
        for method, pattern, handler in (
            ("GET", f"{ROOT}/accounts/accountNumbers", self._numbers),
            ("GET", f"{ROOT}/accounts", self._accounts),
            ("GET", account, self._account),
            ("GET", f"{ROOT}/orders", self._all_orders),
            ("GET", orders, self._orders),
            ("POST", orders, self._place),
            ("GET", one, self._order),
            ("PUT", one, self._replace),
            ("DELETE", one, self._cancel),
            ("POST", f"{account}/previewOrder", self._preview),
            ("GET", trades, self._transactions),
            ("GET", f"{trades}/{{transaction_id}}", self._transaction),
            ("GET", f"{ROOT}/userPreference", self._preference),
        ):
            router.add(method, pattern, _told(handler), "trader")

    def _numbers(self, request: Request, _: Mapping[str, str]) -> Response:
        pairs = [
            {"accountNumber": each.number, "hashValue": each.hash_value}
            for each in self._desk.accounts.values()
        ]
        return json_response(200, pairs)

    def _accounts(self, request: Request, _: Mapping[str, str]) -> Response:
        self._desk.catch_up()
        positions, quotes = _with_positions(request), self._desk.quotes()
        every = self._desk.accounts.values()
        return json_response(200, [account_form(each, quotes, positions) for each in every])

    def _account(self, request: Request, values: Mapping[str, str]) -> Response:
        account = self._of(values)
        self._desk.catch_up()
        form = account_form(account, self._desk.quotes(), _with_positions(request))
        return json_response(200, form)

    def _all_orders(self, request: Request, _: Mapping[str, str]) -> Response:
        listed = [
            order
            for account in self._desk.accounts.values()
            for order in self._listed(request, account, 60)
        ]
        return json_response(200, listed)

    def _orders(self, request: Request, values: Mapping[str, str]) -> Response:
        return json_response(200, self._listed(request, self._of(values), 366))

    def _listed(self, request: Request, account: Account, most_days: int) -> list[dict[str, Any]]:
        """Return the orders of a range; the market's date counts, not this machine's.

        A client's default range ends now by its own clock, which may be years after the replay's:
        a range that reaches past the market's now is open to its end, and one that lies wholly
        after it is taken to mean the present.
        """
        first, last = _range(request, "fromEnteredTime", "toEnteredTime", 366)
        if first > self._market.now_ns:
            first = self._market.now_ns - most_days * _DAY_NS
        status = request.query.get("status", "").strip()
        most = request.query.get("maxResults", "").strip() or str(MOST)
        if not most.isdigit():
            raise OrderRefused("maxResults must be a whole number")
        found = [
            order_form(self._desk, account, record)
            for record in self._desk.records(account)
            if first <= record.entered_ns <= last
        ]
        if status:
            found = [order for order in found if order.get("status") == status]
        return found[: int(most)]

    def _place(self, request: Request, values: Mapping[str, str]) -> Response:
        """Take an order: 201 even if it will be rejected a second later. [O]"""
        account = self._of(values)
        order_id = self._desk.place(account, _json(request))
        return _created(account, order_id)

    def _order(self, request: Request, values: Mapping[str, str]) -> Response:
        account = self._of(values)
        record = self._desk.record(account, _whole(values["order_id"]))
        if record is None:
            return trader_error(404, "Order not found")
        return json_response(200, order_form(self._desk, account, record))

    def _replace(self, request: Request, values: Mapping[str, str]) -> Response:
        """Replace an order; one that is gone is 400. [O]"""
        account = self._of(values)
        number = _whole(values["order_id"])
        if self._desk.record(account, number) is None:
            return trader_error(404, "Order not found")
        return _created(account, self._desk.replace(account, number, _json(request)))

    def _cancel(self, request: Request, values: Mapping[str, str]) -> Response:
        """Cancel an order: 200 without a body; one that is over is 400. [?]"""
        account = self._of(values)
        number = _whole(values["order_id"])
        if self._desk.record(account, number) is None:
            return trader_error(404, "Order not found")
        self._desk.cancel(account, number)
        return Response(200)

    def _preview(self, request: Request, values: Mapping[str, str]) -> Response:
        account = self._of(values)
        self._desk.catch_up()
        return json_response(200, preview_form(self._desk, account, _json(request)))

    def _transactions(self, request: Request, values: Mapping[str, str]) -> Response:
        account = self._of(values)
        self._desk.catch_up()
        first, last = _range(request, "startDate", "endDate", 366)
        if first > self._market.now_ns:
            first = self._market.now_ns - 60 * _DAY_NS
        types = request.query.get("types", "TRADE").split(",")
        symbol = request.query.get("symbol", "").strip().upper()
        found = [
            transaction_form(account, trade)
            for trade in account.trades
            if "TRADE" in types and first <= trade.ns <= last and symbol in ("", trade.symbol)
        ]
        return json_response(200, found[:MOST])

    def _transaction(self, request: Request, values: Mapping[str, str]) -> Response:
        account = self._of(values)
        self._desk.catch_up()
        number = _whole(values["transaction_id"])
        found = [trade for trade in account.trades if trade.activity_id == number]
        if not found:
            return trader_error(404, "Transaction not found")
        return json_response(200, transaction_form(account, found[0]))

    def _preference(self, request: Request, _: Mapping[str, str]) -> Response:
        """Answer one object, not the published array. [O]"""
        first = next(iter(self._desk.accounts.values()))
        digest = sha256(b"simulated customer " + first.number.encode()).hexdigest()
        accounts = [
            {
                "accountNumber": each.number,
                "primaryAccount": each is first,
                "type": "BROKERAGE",
                "nickName": each.nick_name,
                "displayAcctId": f"...{each.number[-3:]}",
                "autoPositionEffect": False,
                "accountColor": "Green",
            }
            for each in self._desk.accounts.values()
        ]
        streamer = {
            "streamerSocketUrl": self.streamer_url or "wss://streamer-api.schwab.com/ws",
            "schwabClientCustomerId": digest,
            "schwabClientCorrelId": str(UUID(digest[:32])),
            "schwabClientChannel": "N9",
            "schwabClientFunctionId": "APIAPP",
        }
        offers = [{"level2Permissions": True, "mktDataPermission": "NP"}]
        body = {"accounts": accounts, "streamerInfo": [streamer], "offers": offers}
        return json_response(200, body)

    def _of(self, values: Mapping[str, str]) -> Account:
        """Find an account by its hash; a plain number is refused. [O]"""
        for account in self._desk.accounts.values():
            if account.hash_value == values["hash"]:
                return account
        raise OrderRefused("Invalid account number")


def _told(handler: Any) -> Any:
    """Turn refusals into the trader side's 400."""

    def answer(request: Request, values: Mapping[str, str]) -> Response:
        try:
            response: Response = handler(request, values)
        except (OrderRefused, InputError) as error:
            text = str(error)
            return trader_error(400, text, text)
        return response

    return answer


def _created(account: Account, order_id: int) -> Response:
    response = Response(201)
    response.headers["Location"] = LOCATION.format(account.hash_value, order_id)
    return response


def _json(request: Request) -> Any:
    try:
        return msgspec.json.decode(request.body)
    except msgspec.DecodeError as error:
        raise OrderRefused("the body is no JSON") from error


def _whole(text: str) -> int:
    if not text.isdigit():
        raise OrderRefused(f"{text} must be a whole number")
    return int(text)


def _with_positions(request: Request) -> bool:
    fields = request.query.get("fields", "").strip()
    if fields not in ("", "positions"):
        raise OrderRefused("fields must be positions")
    return fields == "positions"


def _range(request: Request, first: str, last: str, days: int) -> tuple[int, int]:
    start, end = (moment_ns(request.query.get(name, "")) for name in (first, last))
    if start is None or end is None:
        raise OrderRefused(f"{first} and {last} must be like yyyy-MM-dd'T'HH:mm:ss.SSSZ")
    if end < start or end - start > days * _DAY_NS:
        raise OrderRefused(f"{last} must be up to a year after {first}")
    return start, end
