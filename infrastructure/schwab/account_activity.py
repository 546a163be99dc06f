"""What the ACCT_ACTIVITY service tells about orders, decoded.

The message of an item is JSON text of its own. Decimals are `{"lo", "signScale"}` and times are
US/Eastern wall time (schwab-api.md §3, seen on the wire). Items may come out of an order's
lifecycle, and a type may be new: whatever is not known here stays readable in `event`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from infrastructure.clock import ns_from_utc
from infrastructure.schwab.accounts import masked

EASTERN = ZoneInfo("America/New_York")


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution of a leg.

    Attributes:
        leg_id: Which leg, as Schwab names it.
        execution_id: Its id, None where none is given.
        quantity: Shares or contracts of this execution.
        price: Its price.
        cumulative: Executed of the leg so far, this one included.
        leaves: Still open of the leg.
        time_ns: When, nanoseconds UTC; None where no time is given.
    """

    leg_id: str | None
    execution_id: str | None
    quantity: Decimal
    price: Decimal
    cumulative: Decimal
    leaves: Decimal
    time_ns: int | None


@dataclass(frozen=True, slots=True)
class Activity:
    """One item of the service.

    Attributes:
        message_type: Such as OrderCreated; empty for plain text.
        account: The account number, never in a repr.
        text: The message as it came where it is no JSON, such as `Feature not supported`.
        order_id: The order, None where none is named.
        parent_order_id: The order that this one takes the place of, None without one.
        fill: Of an execution, else None.
        canceled: Shares or contracts that a cancel took out, None where it is none.
        event: The event's own part, decoded JSON.
    """

    message_type: str
    account: str = field(repr=False)
    text: str = ""
    order_id: int | None = None
    parent_order_id: int | None = None
    fill: Fill | None = None
    canceled: Decimal | None = None
    event: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def masked_account(self) -> str:
        """The account's last three digits."""
        return masked(self.account)


def parse_activity(account: str, message_type: str, data: str) -> Activity:
    """Return an item of ACCT_ACTIVITY: its fields 1, 2 and 3.

    Never raises: what cannot be read stays in `text`, since an order's event is not to be lost.
    """
    try:
        message = msgspec.json.decode(data)
    except msgspec.DecodeError:
        return Activity(message_type, account, text=data)
    if not isinstance(message, dict):
        return Activity(message_type, account, text=data)
    event = _event(message.get("BaseEvent"))
    return Activity(
        message_type,
        account or str(message.get("AccountNumber") or ""),
        order_id=_id(message.get("SchwabOrderID")),
        parent_order_id=_id(_found(event, "ParentSchwabOrderID")),
        fill=_fill(event) if message_type == "OrderFillCompleted" else None,
        canceled=_canceled(event) if message_type == "OrderUROutCompleted" else None,
        event=event,
    )


def parse_decimal(form: Mapping[str, Any]) -> Decimal:
    """Return the number of `{"lo", "signScale"}`: lo x 10^-(signScale >> 1), negative when odd.

    A missing `lo` is 0 and a missing `signScale` is scale 0; `lo` may pass 64 bits.

    Raises:
        ValueError: If either is no whole number.
    """
    low, sign_scale = int(form.get("lo", 0)), int(form.get("signScale", 0))
    return Decimal((sign_scale & 1, Decimal(low).as_tuple().digits, -(sign_scale >> 1)))


def parse_time(form: Mapping[str, Any]) -> int | None:
    """Return nanoseconds UTC of `{"DateTimeString"}`, None of an empty one.

    The hour that a clock change repeats is taken as its first.

    Raises:
        ValueError: If the text is no time.
    """
    text = form.get("DateTimeString")
    if not text:
        return None
    moment = datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=EASTERN)
    return ns_from_utc(moment.astimezone(UTC))


def _event(base: Any) -> Mapping[str, Any]:
    if not isinstance(base, dict):
        return {}
    parts = [value for name, value in base.items() if name != "EventType"]
    return parts[0] if len(parts) == 1 and isinstance(parts[0], dict) else base


def _fill(event: Mapping[str, Any]) -> Fill | None:
    amounts, execution = event.get("QuantityInfo"), event.get("ExecutionInfo")
    if not isinstance(amounts, dict) or not isinstance(execution, dict):
        return None
    leg, named = event.get("LegId"), execution.get("ExecutionId")
    try:
        return Fill(
            leg_id=None if leg is None else str(leg),
            execution_id=None if named is None else str(named),
            quantity=parse_decimal(execution.get("ExecutionQuantity") or {}),
            price=parse_decimal(execution.get("ExecutionPrice") or {}),
            cumulative=parse_decimal(amounts.get("CumulativeQuantity") or {}),
            leaves=parse_decimal(amounts.get("LeavesQuantity") or {}),
            time_ns=parse_time(execution.get("ExecutionTimeStamp") or {}),
        )
    except (ValueError, TypeError, AttributeError):
        # Another form than the known one: the reader still has the event.
        return None


def _canceled(event: Mapping[str, Any]) -> Decimal | None:
    form = event.get("CancelQuantity")
    try:
        return parse_decimal(form) if isinstance(form, dict) else None
    except ValueError:
        return None


def _found(value: Any, name: str) -> Any:
    """Return the first value of a name, wherever it stands below."""
    if isinstance(value, dict):
        if name in value:
            return value[name]
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            found = _found(each, name)
            if found is not None:
                return found
    return None


def _id(value: Any) -> int | None:
    text = str(value)
    return int(text) if text.isdecimal() else None
