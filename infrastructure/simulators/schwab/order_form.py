"""Orders and previews as live accounts see them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from infrastructure.matching.live_order import LiveOrder
from infrastructure.matching.status import Status
from infrastructure.simulators.schwab.account import Account, shares_in
from infrastructure.simulators.schwab.order_desk import OrderDesk
from infrastructure.simulators.schwab.order_reading import OrderRefused
from infrastructure.simulators.schwab.order_record import OrderRecord

_SENT: Final = (
    "session",
    "duration",
    "orderType",
    "price",
    "stopPrice",
    "stopPriceLinkBasis",
    "stopPriceLinkType",
    "stopPriceOffset",
    "stopType",
    "specialInstruction",
    "taxLotMethod",
)
_NUMBERS: Final = ("price", "stopPrice", "stopPriceOffset")


def stamp(ns: int) -> str:
    """Return a trader's time: `2025-03-07T22:34:50+0000`, without milliseconds or colon. [O]"""
    return datetime.fromtimestamp(ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")


def instrument_form(symbol: str, asset_type: str) -> dict[str, Any]:
    """Return an order leg's or a position's instrument."""
    form: dict[str, Any] = {"assetType": asset_type, "symbol": symbol}
    if asset_type == "OPTION":
        form["putCall"] = "CALL" if symbol[12] == "C" else "PUT"
        form["underlyingSymbol"] = symbol[:6].rstrip()
    return form


def order_form(desk: OrderDesk, account: Account, record: OrderRecord) -> dict[str, Any]:
    """Return one order with what stands below it; a group has only its children. [O]"""
    live = desk.live(account, record.order_id)
    children = [
        order_form(desk, account, child)
        for number in record.children
        if (child := desk.record(account, number)) is not None
    ]
    strategy = record.body.get("orderStrategyType", "SINGLE")
    if live is None:
        return {"orderStrategyType": strategy, "childOrderStrategies": children}
    form = _sent(record.body) | {
        "complexOrderStrategyType": record.body.get("complexOrderStrategyType", "NONE"),
        "quantity": float(live.order.quantity),
        "filledQuantity": float(live.filled),
        "remainingQuantity": float(live.remaining),
        "requestedDestination": "AUTO",
        "destinationLinkName": "AutoRoute",
        "orderLegCollection": _legs(record.body),
        "orderStrategyType": strategy,
        "orderId": live.order_id,
        "cancelable": _is_changeable(live),
        "editable": _is_changeable(live),
        "status": live.status.value,
        "enteredTime": stamp(live.entered_ns),
        "tag": "API_SIMULATED",
        "accountNumber": int(account.number),
    }
    if live.close_time_ns is not None:
        form["closeTime"] = stamp(live.close_time_ns)
    if live.status is Status.REJECTED:
        form["statusDescription"] = live.reason
    if live.fills:
        form["orderActivityCollection"] = _activities(live)
    if children:
        form["childOrderStrategies"] = children
    return form


def preview_form(desk: OrderDesk, account: Account, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the preview of an order that could be read."""
    ticket = desk.check(body)
    # Of a group the first order is shown; what Schwab shows is not known. [?]
    order = ticket.order or next((each.order for each in ticket.children if each.order), None)
    if order is None:
        raise OrderRefused("a group of groups cannot be previewed")
    quotes = {leg.symbol: desk.quote(leg.symbol) for leg in order.legs}
    known = {symbol: quote for symbol, quote in quotes.items() if quote is not None}
    refusal = account.refusal(order, known)
    value = 0.0
    legs = []
    for number, leg in enumerate(order.legs, start=1):
        quote = known[leg.symbol]
        price = quote.ask if leg.side > 0 else quote.bid
        quantity = leg.ratio * order.quantity
        value += float(price or 0) * leg.side * quantity * shares_in(leg.symbol)
        legs.append(
            {
                "askPrice": float(quote.ask or 0),
                "bidPrice": float(quote.bid or 0),
                "lastPrice": float(quote.last or 0),
                "markPrice": float(quote.price("MARK") or 0),
                "assetType": "OPTION" if shares_in(leg.symbol) > 1 else "EQUITY",
                "finalSymbol": leg.symbol,
                "legId": number,
                "instruction": _legs(body)[number - 1]["instruction"] if ticket.order else None,
                "projectedCommission": 0.0,
                "quantity": float(quantity),
            }
        )
    if order.most_paid is not None:
        value = float(order.most_paid) * order.quantity * shares_in(order.legs[0].symbol)
    power = float(account.buying_power(desk.quotes()))
    reject = {"activityMessage": refusal, "originalSeverity": "REJECT"}
    result: dict[str, Any] = {
        "accepts": [],
        "alerts": [],
        "rejects": [],
        "reviews": [],
        "warns": [],
    }
    return {
        "orderId": 0,
        "orderStrategy": {
            "accountNumber": account.number,
            "advancedOrderType": "NONE",
            "duration": order.duration.value,
            "session": order.session.value,
            "orderType": body.get("orderType"),
            "orderStrategyType": body.get("orderStrategyType", "SINGLE"),
            "orderLegs": [{k: v for k, v in leg.items() if v is not None} for leg in legs],
            "orderValue": abs(value),
            "orderBalance": {
                "orderValue": abs(value),
                "projectedAvailableFund": float(account.cash) - value,
                "projectedBuyingPower": power - max(value, 0.0),
                "projectedCommission": 0.0,
            },
            "quantity": float(order.quantity),
            "filledQuantity": 0.0,
            "remainingQuantity": float(order.quantity),
            "status": "ACCEPTED" if refusal is None else "REJECTED",
        },
        "orderValidationResult": result | ({} if refusal is None else {"rejects": [reject]}),
        "commissionAndFee": {
            "commission": {"commissionLegs": []},
            "fee": {"feeLegs": []},
            "trueCommission": {"commissionLegs": []},
        },
    }


def _sent(body: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: body[name] for name in _SENT if body.get(name) is not None}
    return kept | {name: float(kept[name]) for name in _NUMBERS if name in kept}


def _legs(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = []
    for number, leg in enumerate(body.get("orderLegCollection") or [], start=1):
        kind = leg["instrument"]["assetType"]
        found.append(
            {
                "orderLegType": kind,
                "legId": number,
                "instrument": instrument_form(leg["instrument"]["symbol"].upper(), kind),
                "instruction": leg["instruction"],
                "positionEffect": leg.get("positionEffect", "AUTOMATIC"),
                "quantity": float(leg["quantity"]),
            }
        )
    return found


def _is_changeable(live: LiveOrder) -> bool:
    pending = (Status.NEW, Status.PENDING_CANCEL, Status.PENDING_REPLACE)
    return not live.is_over and live.status not in pending


def _activities(live: LiveOrder) -> list[dict[str, Any]]:
    return [
        {
            "activityType": "EXECUTION",
            "activityId": live.order_id * 100 + number,
            "executionType": "FILL",
            "quantity": float(fill.quantity),
            "orderRemainingQuantity": float(fill.remaining),
            "executionLegs": [
                {
                    "legId": leg_number,
                    "quantity": float(fill.quantity * leg.ratio),
                    "mismarkedQuantity": 0.0,
                    "price": float(price),
                    "time": stamp(fill.ns),
                    "instrumentId": leg_number,
                }
                for leg_number, (leg, price) in enumerate(
                    zip(live.order.legs, fill.prices, strict=True), start=1
                )
            ],
        }
        for number, fill in enumerate(live.fills, start=1)
    ]
