"""Each day another fault of each side is planted; the soak test plants them all."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from infrastructure.clock import SystemClock
from system.algo_trader.planted_faults.planted_fault import CopiedTree, PlantedFault, planted_faults

DAY_NS = 86_400 * 10**9
# What the copied tests import: named here, so that they are there wherever this test runs.
NEEDED = (
    "infrastructure.clients.schwab_client",
    "infrastructure.schwab.streamer.streamer",
    "infrastructure.simulators.schwab.simulator",
    "infrastructure.simulators.schwab.streamer.testing",
)


def todays(faults: list[PlantedFault], now_ns: int) -> list[PlantedFault]:
    """Return one fault of each side, others each day until all were planted."""
    sides = [[fault for fault in faults if fault.side == side] for side in ("client", "simulator")]
    return [side[now_ns // DAY_NS % len(side)] for side in sides]


def test_ten_days_plant_every_fault() -> None:
    faults = planted_faults()
    planted = {fault for day in range(10) for fault in todays(faults, day * DAY_NS)}
    assert planted == set(faults)


def test_what_the_tests_need_is_here() -> None:
    assert find_spec("hypothesis") is not None
    assert find_spec("requests_mock") is not None
    assert find_spec("websockets") is not None
    assert all(find_spec(name) is not None for name in NEEDED)


@pytest.mark.timeout(600)
def test_todays_faults_are_noticed(tmp_path: Path) -> None:
    faults = todays(planted_faults(), SystemClock().now_ns())
    tree = CopiedTree(tmp_path)
    assert tree.failing([fault.test for fault in faults]) is None
    assert [fault.what for fault in faults if not tree.is_noticed(fault)] == []
