"""What names a person leaves a frame, and market data stay letter for letter."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from system.algo_trader.recording.redaction import FrameRedactor

MARKET = '{"data":[ {"service":"LEVELONE_EQUITIES","timestamp":1,"content":[{"key":"A","1":2}]}]}'
EVENT = {
    "SchwabOrderID": "1234567890123",
    "AccountNumber": "87654321",
    "BaseEvent": {
        "EventType": "OrderCreated",
        "OrderCreatedEventEquityOrder": {
            "Type": "ES_Limit",
            "Jane": "Doe",
            "87654321": 1,
            "LimitPrice": {"lo": "438000000", "signScale": 12},
            "Security": {"Symbol": "ZZTOP", "MajorAssetType": "MajorAssetType_Equity"},
            "When": {"DateTimeString": "2026-01-05 10:11:12.131"},
            "Status": "87654321",
        },
    },
}


def activity(text: str) -> str:
    item = {"seq": 3, "key": "f0e1d2c3", "1": "87654321", "2": "OrderCreated", "3": text}
    parts = [
        {"service": "ACCT_ACTIVITY", "timestamp": 1, "command": "SUBS", "content": [item]},
        {"service": "NYSE_BOOK", "timestamp": 1, "command": "SUBS", "content": [{"key": "IBM"}]},
    ]
    return json.dumps({"data": parts})


PERSONAL = ("87654321", "1234567890123", "438000000", "ZZTOP", "Doe", "f0e1d2c3", "2026-01-05")


def test_market_data_stay_as_they_came() -> None:
    assert FrameRedactor(["87654321"])(MARKET) == MARKET


def test_account_activity_is_left_out_and_the_rest_of_its_frame_stays() -> None:
    kept = FrameRedactor([])(activity(json.dumps(EVENT)))
    assert kept is not None
    assert [part["service"] for part in json.loads(kept)["data"]] == ["NYSE_BOOK"]


def test_asked_for_it_keeps_its_shape_and_its_kinds_only() -> None:
    kept = FrameRedactor([], account_activity=True)(activity(json.dumps(EVENT)))
    assert kept is not None
    assert not any(word in kept for word in PERSONAL)
    item = json.loads(kept)["data"][1]["content"][0]
    assert (item["seq"], item["2"]) == (3, "OrderCreated")
    inside = json.loads(item["3"])["BaseEvent"]
    assert inside["EventType"] == "OrderCreated"
    order = inside["OrderCreatedEventEquityOrder"]
    assert order["Type"] == "ES_Limit"
    assert order["LimitPrice"] == {"lo": "0", "signScale": 0}
    assert order["Security"] == {"Symbol": "", "MajorAssetType": "MajorAssetType_Equity"}
    assert order["Status"] == "0"


def test_plain_text_of_an_account_is_emptied() -> None:
    kept = FrameRedactor([], account_activity=True)(activity("call Jane Doe of 87654321"))
    assert kept is not None
    assert not any(word in kept for word in PERSONAL)


def test_an_answer_to_login_keeps_its_status_alone() -> None:
    answer = {
        "service": "ADMIN",
        "command": "LOGIN",
        "requestid": "0",
        "SchwabClientCorrelId": "11112222-3333",
        "timestamp": 1,
        "secret": "x9",
        "content": {"code": 0, "msg": "server=s0635dc6-4;status=NP", "who": "Jane"},
    }
    kept = FrameRedactor([])(json.dumps({"response": [answer]}))
    assert kept is not None
    for word in ("11112222", "x9", "s0635dc6", "Jane"):
        assert word not in kept
    assert json.loads(kept)["response"][0]["content"] == {
        "code": 0,
        "msg": "server=redacted;status=NP",
    }


def test_a_frame_with_a_known_number_is_left_out_whatever_it_is() -> None:
    redact = FrameRedactor(["87654321"])
    assert redact(MARKET.replace('"A"', '"87654321"')) is None
    assert redact('{"data": 87654321') is None
    assert redact('{"data": broken') == '{"data": broken'
    assert FrameRedactor([], account_activity=True)('{"data": broken') is None


def test_heartbeats_stay_and_other_notices_go() -> None:
    beat = '{"notify":[{"heartbeat":"1"}]}'
    assert FrameRedactor([])(beat) == beat
    assert FrameRedactor([])('{"notify":[{"service":"ADMIN","content":{"msg":"Jane"}}]}') is None


@pytest.mark.parametrize("text", ["[]", "1", '"x"', "{}", '{"data":1}', '{"response":[7]}'])
def test_what_is_no_frame_is_left_out(text: str) -> None:
    assert FrameRedactor([])(text) is None


SECRET = "SEKRET7"
values: Any = st.recursive(
    st.sampled_from([SECRET, f"x{SECRET}", 7654321, 31337.5, None, True]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["Symbol", "Type", "Name", "7654321", "lo"]), inner)
    ),
    max_leaves=12,
)


@given(values)
def test_no_event_whatever_its_shape_tells_a_value(event: Any) -> None:
    kept = FrameRedactor([], account_activity=True)(activity(json.dumps(event)))
    assert kept is not None
    assert not any(word in kept for word in (SECRET, "7654321", "31337"))
