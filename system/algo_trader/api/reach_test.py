"""No operation of the service and no process that it starts can trade."""

from __future__ import annotations

from typing import Final

from system.algo_trader.api.operations.catalogue import OPERATIONS
from system.algo_trader.processes.order import VERBS
from system.algo_trader.services import NAMES as SERVERS

TRADING: Final = ("order", "trading", "account", "portfolio", "arming")


def test_no_operation_and_no_process_trades() -> None:
    for operation in OPERATIONS:
        assert not any(word in operation.path for word in (*TRADING, "buy", "sell"))
    for words in VERBS.values():
        assert not set(words) & {"orders", "order", "trade", "portfolio", "arm"}
    assert set(SERVERS) == {"redis", "influxdb"}
