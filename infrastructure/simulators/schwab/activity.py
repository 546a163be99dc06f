"""Account activity as data: what a streamer tells about orders, in the observed order. [O]"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

from infrastructure.matching.events import Filled, StatusChanged
from infrastructure.matching.live_order import LiveOrder
from infrastructure.matching.status import Status
from infrastructure.simulators.schwab.account import shares_in
from infrastructure.simulators.schwab.replay_rows import NEW_YORK

PLACED: Final = ("ExecutionRequested", "ExecutionRequestCreated", "ExecutionRequestCompleted")


@dataclass(frozen=True, slots=True)
class ActivityEvent:
    """One message about one order.

    Attributes:
        account_number: Whose, in full.
        message_type: Such as "OrderCreated".
        data: The message; a streamer sends it as JSON text.
        ns: When, nanoseconds UTC.
    """

    account_number: str
    message_type: str
    data: Mapping[str, Any]
    ns: int

    def __repr__(self) -> str:
        return f"ActivityEvent({self.message_type!r}, ns={self.ns})"


class ActivityListener(Protocol):
    """Hear of account activity."""

    def __call__(self, event: ActivityEvent) -> None:
        """Take one event; it is called from the thread that caused it."""


def decimal_form(value: Decimal | int) -> dict[str, Any]:
    """Return `{"lo", "signScale"}`: lo x 10^-(signScale >> 1), negative when odd. [O]"""
    number = Decimal(value).normalize()
    sign, digits, exponent = number.as_tuple()
    scale = max(-int(exponent), 0)
    lo = int("".join(map(str, digits))) * 10 ** max(int(exponent), 0)
    if lo == 0:
        return {}
    form: dict[str, Any] = {"lo": str(lo)}
    if scale or sign:
        form["signScale"] = scale << 1 | sign
    return form


def time_form(ns: int) -> dict[str, str]:
    """Return an Eastern time as `{"DateTimeString": "2024-08-12 09:30:00.000"}`. [O]"""
    moment = datetime.fromtimestamp(ns / 1e9, UTC).astimezone(ZoneInfo(NEW_YORK))
    return {"DateTimeString": moment.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]}


def data_of(
    kind: str, live: LiveOrder, account_number: str, ns: int, fill: Filled | None = None
) -> dict[str, Any]:
    """Return one message of an order.

    Args:
        kind: The message's type.
        live: The order.
        account_number: Whose.
        ns: When.
        fill: Of an OrderFillCompleted.
    """
    name, body = _body(kind, live, ns, fill)
    return {
        "SchwabOrderID": str(live.order_id),
        "AccountNumber": account_number,
        "BaseEvent": {"EventType": kind, name: body},
    }


def _body(kind: str, live: LiveOrder, ns: int, fill: Filled | None) -> tuple[str, dict[str, Any]]:
    lifecycle = {"LifecycleSchwabOrderID": str(live.order_id)}
    if kind in ("OrderCreated", "ChangeCreated"):
        name = (
            "OrderCreatedEventEquityOrder"
            if kind == "OrderCreated"
            else "ChangeCreatedEventEquityOrder"
        )
        extra = lifecycle
        if live.replaces_id is not None:
            extra = lifecycle | {"ParentSchwabOrderID": str(live.replaces_id)}
        return name, {"EventType": kind, "Order": {"Order": _order(live) | extra}}
    if kind in ("OrderAccepted", "ChangeAccepted"):
        return f"{kind}Event", lifecycle | {
            "CreatedTimeStamp": time_form(ns),
            "Status": "Open",
            "TradingSessionCodeOnOrderEntry": "REG",
            "QuoteOnOrderEntry": [],
        }
    if kind == "ExecutionRequested":
        route = {"RouteName": "SIMULATED", "RoutedQuantity": decimal_form(live.remaining)}
        asked = "Cancel" if live.is_over else "New"
        return "ExecutionRequestedEventRoutedInfo", {
            "RouteSequenceNumber": 1,
            "RouteInfo": route | {"RouteRequestedType": asked},
            "RouteRequestedBy": "RR_Broker",
            "LegId": str(live.order_id),
        }
    if kind == "ExecutionRequestCompleted":
        return f"{kind}Event", {"ResponseType": "Accepted", "LegId": str(live.order_id)}
    if kind == "CancelAccepted":
        return "CancelAcceptedEvent", lifecycle | {
            "CancelTimeStamp": time_form(ns),
            "LegCancelRequestInfoList": [],
            "CancelRequestType": "ClientCancel",
        }
    if kind == "ExecutionCreated":
        return "ExecutionCreatedEventExecutionInfo", {
            "ExecutionInfo": {"ExecutionTransType": "UROut", "CancelType": "ClientCancel"}
        }
    if kind == "OrderUROutCompleted":
        system = live.status.value == "REJECTED"
        return "OrderUROutCompletedEvent", {
            "CancelQuantity": decimal_form(live.dropped),
            "LeavesQuantity": decimal_form(0),
            "LegSubStatus": "LegSubStatusCanceled",
            "OutCancelType": "SystemReject" if system else "ClientCancel",
        }
    if kind == "OrderFillCompleted" and fill is not None:
        return "OrderFillCompletedEventOrderLegQuantityInfo", _filled(live, fill)
    return f"{kind}Event", lifecycle


def _order(live: LiveOrder) -> dict[str, Any]:
    words = live.order.kind.value.title().replace("_", "")
    instruction: dict[str, Any] = {"Type": f"ES_{words}"}
    if live.order.most_paid is not None:
        limit = {"Type": f"ES_{words}", "LimitPrice": decimal_form(abs(live.order.most_paid))}
        instruction["LimitExecutionStrategy"] = limit
    legs = [
        {
            "LegID": str(live.order_id),
            "LegParentSchwabOrderID": str(live.order_id),
            "Quantity": decimal_form(live.order.quantity * leg.ratio),
            "LeavesQuantity": decimal_form(live.remaining * leg.ratio),
            "BuySellCode": "Buy" if leg.side > 0 else "Sell",
            "Security": {"Symbol": leg.symbol},
        }
        for leg in live.order.legs
    ]
    return {
        "LifecycleCreatedTimestamp": time_form(live.entered_ns),
        "EntryTimestamp": time_form(live.entered_ns),
        "SourceOMS": "ngOMS",
        "FirmID": "CHAS",
        "AssetOrderEquityOrderLeg": {
            "OrderInstruction": {"ExecutionStrategy": instruction},
            "AssetType": "MajorAssetType_Equity",
            "TimeInForce": live.order.duration.value,
            "OrderTypeCode": live.order.kind.value,
            "OrderLegs": legs,
        },
    }


def _filled(live: LiveOrder, fill: Filled) -> dict[str, Any]:
    done = [each for each in live.fills if each.ns <= fill.ns and each.remaining >= fill.remaining]
    running = sum(each.quantity for each in done)
    paid = sum((each.prices[0] * each.quantity for each in done), Decimal(0))
    principal = fill.prices[0] * fill.quantity * shares_in(live.order.legs[0].symbol)
    return {
        "LegId": str(live.order_id),
        "LegStatus": "LegClosed" if fill.remaining == 0 else "LegOpen",
        "QuantityInfo": {
            "CumulativeQuantity": decimal_form(running),
            "LeavesQuantity": decimal_form(fill.remaining),
            "AveragePrice": decimal_form(round(paid / running, 6)),
        },
        "LegSubStatus": "LegSubStatusFilled",
        "ExecutionInfo": {
            "ExecutionSequenceNumber": len(done),
            "ExecutionQuantity": decimal_form(fill.quantity),
            "ExecutionPrice": decimal_form(fill.prices[0]),
            "ExecutionTimeStamp": time_form(fill.ns),
            "ExecutionTransType": "Fill",
            "RouteName": "SIMULATED",
            "PrincipalAmmount": decimal_form(principal),
        },
    }


def messages_of(event: StatusChanged, live: LiveOrder) -> tuple[str, ...]:
    """Return the observed messages of one step. [O]"""
    if event.before is None:
        if live.replaces_id is not None:
            return ("ChangeCreated", "ChangeAccepted")
        return ("OrderCreated", "OrderAccepted")
    if event.after is Status.WORKING:
        return ("OrderMonitorCreated",) if live.replaces_id is not None else PLACED
    if event.after in (Status.CANCELED, Status.REPLACED, Status.EXPIRED):
        return (
            "CancelAccepted",
            "ExecutionRequested",
            "ExecutionRequestCompleted",
            "ExecutionCreated",
            "OrderUROutCompleted",
        )
    if event.after is Status.REJECTED:
        return ("CancelAccepted", "OrderUROutCompleted")
    return ()
