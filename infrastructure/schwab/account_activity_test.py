"""Account activity as Schwab sends it: decimals, Eastern times, and what is new or no JSON."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.clock import ns_from_utc
from infrastructure.schwab.account_activity import (
    parse_activity,
    parse_decimal,
    parse_time,
)

FILL = {
    "SchwabOrderID": "1003012345678",
    "AccountNumber": "12345678",
    "BaseEvent": {
        "EventType": "OrderFillCompleted",
        "OrderFillCompletedEventOrderLegQuantityInfo": {
            "EventType": "OrderFillCompleted",
            "LegId": "1003012345678",
            "LegStatus": "LegClosed",
            "QuantityInfo": {
                "ExecutionID": "7",
                "CumulativeQuantity": {"lo": "3000000", "signScale": 12},
                "LeavesQuantity": {},
                "AveragePrice": {"lo": "1625000", "signScale": 12},
            },
            "ExecutionInfo": {
                "ExecutionId": "7",
                "ExecutionQuantity": {"lo": "2000000", "signScale": 12},
                "ExecutionPrice": {"lo": "16255", "signScale": 8},
                "ExecutionTimeStamp": {"DateTimeString": "2024-08-12 09:30:00.125"},
            },
        },
    },
}


@pytest.mark.parametrize(
    ("form", "value"),
    [
        ({"lo": "16255", "signScale": 8}, "1.6255"),
        ({"lo": "500", "signScale": 5}, "-5.00"),
        ({"lo": "12"}, "12"),
        ({"signScale": 12}, "0"),
        ({}, "0"),
        ({"lo": "18446744073709551617", "signScale": 2}, "1844674407370955161.7"),
    ],
)
def test_decimals_are_read_by_their_sign_and_scale(form: dict[str, Any], value: str) -> None:
    assert parse_decimal(form) == Decimal(value)


@given(st.integers(0, 10**30), st.integers(0, 20), st.booleans())
def test_a_decimal_is_its_digits_shifted(low: int, scale: int, negative: bool) -> None:
    found = parse_decimal({"lo": str(low), "signScale": scale << 1 | negative})
    assert Fraction(found) == Fraction(-low if negative else low, 10**scale)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2024-08-12 09:30:00.125", datetime(2024, 8, 12, 13, 30, 0, 125000, UTC)),
        ("2024-12-02 09:30:00.000", datetime(2024, 12, 2, 14, 30, tzinfo=UTC)),
        ("2024-11-03 01:30:00.000", datetime(2024, 11, 3, 5, 30, tzinfo=UTC)),
    ],
)
def test_times_are_eastern_in_summer_and_winter(text: str, utc: datetime) -> None:
    assert parse_time({"DateTimeString": text}) == ns_from_utc(utc)


def test_no_time_is_none() -> None:
    assert parse_time({}) is None


def test_a_fill_says_what_was_executed_and_what_is_open() -> None:
    found = parse_activity("12345678", "OrderFillCompleted", json.dumps(FILL))
    assert found.order_id == 1003012345678
    fill = found.fill
    assert fill is not None
    assert (fill.quantity, fill.price) == (Decimal(2), Decimal("1.6255"))
    assert (fill.cumulative, fill.leaves) == (Decimal(3), Decimal(0))
    assert fill.time_ns == ns_from_utc(datetime(2024, 8, 12, 13, 30, 0, 125000, UTC))
    assert "12345678" not in repr(found).replace("1003012345678", "")
    assert found.masked_account == "...678"


def test_a_cancel_and_a_replacement_name_quantity_and_parent() -> None:
    out = {
        "SchwabOrderID": "5",
        "BaseEvent": {
            "EventType": "OrderUROutCompleted",
            "OrderUROutCompletedEvent": {"CancelQuantity": {"lo": "10"}, "LeavesQuantity": {}},
        },
    }
    assert parse_activity("1", "OrderUROutCompleted", json.dumps(out)).canceled == 10
    change = {
        "SchwabOrderID": "6",
        "BaseEvent": {
            "EventType": "ChangeCreated",
            "ChangeCreatedEventEquityOrder": {
                "Order": {"Order": {"ParentSchwabOrderID": "5", "LifecycleSchwabOrderID": "4"}}
            },
        },
    }
    assert parse_activity("1", "ChangeCreated", json.dumps(change)).parent_order_id == 5


@pytest.mark.parametrize(
    ("kind", "data"),
    [("SUBSCRIBED", ""), ("", "Feature not supported"), ("OrderCreated", "[1]")],
)
def test_what_is_no_message_stays_text(kind: str, data: str) -> None:
    found = parse_activity("1", kind, data)
    assert (found.message_type, found.text, found.order_id) == (kind, data, None)


def test_an_unknown_type_or_form_keeps_its_event() -> None:
    strange = {"SchwabOrderID": "9", "BaseEvent": {"EventType": "X", "XEvent": {"A": 1}}}
    found = parse_activity("1", "OrderMonitorUpdated", json.dumps(strange))
    assert (found.order_id, found.event) == (9, {"A": 1})
    broken = json.loads(json.dumps(FILL).replace('"lo": "16255"', '"lo": "cheap"'))
    kept = parse_activity("1", "OrderFillCompleted", json.dumps(broken))
    assert kept.fill is None
    assert "ExecutionInfo" in kept.event
