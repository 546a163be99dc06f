"""Read an order's JSON into a ticket of the matching engine, and refuse as Schwab does."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import reduce
from math import gcd
from typing import Any, Final, cast

from infrastructure.errors import InputError
from infrastructure.matching.order import (
    Basis,
    Duration,
    Kind,
    Leg,
    Order,
    Ticket,
    TradingSession,
    Trail,
)

BUYS: Final = frozenset({"BUY", "BUY_TO_COVER", "BUY_TO_OPEN", "BUY_TO_CLOSE"})
SELLS: Final = frozenset({"SELL", "SELL_SHORT", "SELL_TO_OPEN", "SELL_TO_CLOSE"})
NET: Final = {"NET_DEBIT": 1, "NET_CREDIT": -1, "NET_ZERO": 0}
_BASES: Final = {"LAST": "LAST", "BID": "BID", "ASK": "ASK", "MARK": "MARK"}
_TICK: Final = Decimal("0.01")


class OrderRefused(Exception):
    """An order's JSON is not good; the text is for the 400 answer."""


def read_ticket(body: Any) -> Ticket:
    """Read an order of any strategy: SINGLE, TRIGGER with children, OCO.

    Raises:
        OrderRefused: If a value is missing or none that is taken.
    """
    if not isinstance(body, Mapping):
        raise OrderRefused("the body must be an order")
    if "requestedDestination" in body:
        # Refused in 2024 (schwab-py #43). [O]
        raise OrderRefused("requestedDestination is not accepted")
    strategy = body.get("orderStrategyType", "SINGLE")
    raw = body.get("childOrderStrategies") or []
    if not isinstance(raw, list):
        raise OrderRefused("childOrderStrategies must be a list")
    children = tuple(read_ticket(child) for child in raw)
    try:
        if strategy == "OCO":
            return Ticket(None, children)
        if strategy == "SINGLE" and not children:
            return Ticket(_order(body))
        if strategy == "TRIGGER" and children:
            return Ticket(_order(body), children)
    except InputError as error:
        raise OrderRefused(str(error)) from error
    raise OrderRefused(f"orderStrategyType {strategy} with {len(children)} children is not taken")


def tickets_with_bodies(ticket: Ticket, body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return a body and those of its children, parents first, as the ticket's numbers go."""
    found = [body]
    children = body.get("childOrderStrategies") or []
    for child, its_body in zip(ticket.children, children, strict=True):
        found += tickets_with_bodies(child, its_body)
    return found


def _order(body: Mapping[str, Any]) -> Order:
    legs_json = body.get("orderLegCollection")
    if not isinstance(legs_json, list) or not legs_json:
        raise OrderRefused("orderLegCollection must have at least one leg")
    legs = [_leg(leg) for leg in legs_json]
    units = reduce(gcd, (quantity for _, _, quantity, _ in legs))
    is_equity = any(kind == "EQUITY" for _, _, _, kind in legs)
    kind, sign = _kind(body, legs[0][1], len(legs))
    return Order(
        tuple(
            Leg(symbol, 1 if side > 0 else -1, quantity // units)
            for symbol, side, quantity, _ in legs
        ),
        units,
        kind,
        _limit(body, sign, is_equity and len(legs) == 1),
        _price(body, "stopPrice"),
        _trail(body) if kind in (Kind.TRAILING_STOP, Kind.TRAILING_STOP_LIMIT) else None,
        _duration(body),
        _one_of(body, "session", TradingSession, "NORMAL"),
        "ALL_OR_NONE" in str(body.get("specialInstruction") or ""),
    )


def _leg(leg: Any) -> tuple[str, int, int, str]:
    instrument = leg.get("instrument") if isinstance(leg, Mapping) else None
    if not isinstance(instrument, Mapping) or not instrument.get("symbol"):
        raise OrderRefused("every leg needs an instrument with a symbol")
    kind = str(instrument.get("assetType"))
    if kind not in ("EQUITY", "OPTION", "COLLECTIVE_INVESTMENT"):
        raise OrderRefused(f"Invalid value '{kind}' of assetType: shares and options only")
    instruction = leg.get("instruction")
    if instruction not in BUYS | SELLS:
        raise OrderRefused(f"Invalid value '{instruction}' of instruction")
    number = _number(leg.get("quantity"), "quantity")
    if number != number.to_integral_value() or number < 1:
        raise OrderRefused(f"quantity {number} must be a whole number of at least 1")
    symbol = str(instrument["symbol"]).upper()
    return symbol, 1 if instruction in BUYS else -1, int(number), kind


def _kind(body: Mapping[str, Any], side: int, count: int) -> tuple[Kind, int]:
    text = str(body.get("orderType"))
    if text in NET:
        return Kind.LIMIT, NET[text]
    if text not in Kind.__members__:
        raise OrderRefused(f"Invalid value '{text}' of orderType")
    if count > 1 and text == "LIMIT":
        raise OrderRefused("an order of several legs is NET_DEBIT, NET_CREDIT, NET_ZERO or MARKET")
    return Kind(text), side


def _limit(body: Mapping[str, Any], sign: int, is_share: bool) -> Decimal | None:
    if body.get("orderType") == "NET_ZERO":
        return Decimal(0)
    price = _price(body, "price")
    if price is None:
        return None
    digits = 2 if price >= 1 else 4
    if is_share and price != round(price, digits):
        raise OrderRefused(f"price {price} has more than {digits} decimals")
    return sign * price


def _trail(body: Mapping[str, Any]) -> Trail:
    offset = _number(body.get("stopPriceOffset"), "stopPriceOffset")
    link = str(body.get("stopPriceLinkType", "VALUE"))
    basis = _BASES.get(str(body.get("stopPriceLinkBasis", "LAST")))
    if link not in ("VALUE", "PERCENT", "TICK") or basis is None or offset <= 0:
        raise OrderRefused("a trailing stop needs stopPriceLinkBasis, stopPriceLinkType and Offset")
    return Trail(
        offset * _TICK if link == "TICK" else offset, link == "PERCENT", cast(Basis, basis)
    )


def _duration(body: Mapping[str, Any]) -> Duration:
    """Read the duration; of the others Schwab says `Invalid value '...'`. [O]"""
    text = str(body.get("duration", "DAY"))
    if text not in ("DAY", "GOOD_TILL_CANCEL", "FILL_OR_KILL"):
        raise OrderRefused(f"Invalid value '{text}'")
    return Duration(text)


def _one_of(
    body: Mapping[str, Any], name: str, kind: type[TradingSession], default: str
) -> TradingSession:
    text = str(body.get(name, default))
    if text not in kind.__members__:
        raise OrderRefused(f"Invalid value '{text}' of {name}")
    return kind(text)


def _price(body: Mapping[str, Any], name: str) -> Decimal | None:
    """Read a price, a number or a text such as "10.00". [O]"""
    if body.get(name) is None:
        return None
    price = _number(body[name], name)
    if price <= 0:
        raise OrderRefused(f"{name} {price} must be above 0")
    return price


def _number(value: Any, name: str) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation as error:
        raise OrderRefused(f"Invalid value '{value}' of {name}") from error
    if isinstance(value, bool) or not number.is_finite():
        raise OrderRefused(f"Invalid value '{value}' of {name}")
    return number
