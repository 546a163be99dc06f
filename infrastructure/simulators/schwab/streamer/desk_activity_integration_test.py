"""An order placed by REST is told by the streamer, in the observed order."""

from __future__ import annotations

import json

from infrastructure.simulators.schwab.desk import Desk
from infrastructure.simulators.schwab.streamer.socket_server_integration_test import (
    DEADLINE_S,
    Wire,
)

ORDER = {
    "session": "NORMAL",
    "duration": "GOOD_TILL_CANCEL",
    "orderType": "LIMIT",
    "price": "1.00",
    "orderStrategyType": "SINGLE",
    "orderLegCollection": [
        {
            "instruction": "BUY",
            "quantity": 1,
            "instrument": {"symbol": "AAPL", "assetType": "EQUITY"},
        }
    ],
}


def test_a_placed_order_is_told_to_who_listens(desk: Desk) -> None:
    wire = Wire(desk)
    root = f"{desk.simulator.base_url}/trader/v1"
    with wire.log_in() as socket:
        wire.say(socket, "ACCT_ACTIVITY", "SUBS", keys="Account Activity", fields="0,1,2,3")
        numbers = desk.session.get(f"{root}/accounts/accountNumbers").json()
        assert wire.preference["accounts"][0]["accountNumber"] == numbers[0]["accountNumber"]
        url = f"{root}/accounts/{numbers[0]['hashValue']}/orders"
        assert desk.session.post(url, json=ORDER).status_code == 201
        told: list[dict[str, str]] = []
        while len(told) < 3:
            for part in json.loads(socket.recv(DEADLINE_S)).get("data", ()):
                told += part["content"]
    assert [item["2"] for item in told[:3]] == ["SUBSCRIBED", "OrderCreated", "OrderAccepted"]
    assert told[1]["1"] == numbers[0]["accountNumber"]
    assert json.loads(told[1]["3"])["BaseEvent"]["EventType"] == "OrderCreated"
