"""One fault of each side is planted on every run; the soak test plants them all."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Final

import pytest

from system.algo_trader.planted_faults.planted_fault import CopiedTree, planted_faults

CHOSEN: Final = ("a period is sent together with a range", "sequence numbers have holes")
"""Always the same two: their tests take a second and need no package but pytest and msgspec."""
NEEDED: Final = (
    "msgspec",
    "infrastructure.schwab.history",
    "infrastructure.simulators.schwab.conftest",
    "infrastructure.simulators.schwab.streamer.testing",
)
"""What the copied tests import: named here, so that they are there wherever this test runs."""


def test_what_the_tests_need_is_here() -> None:
    assert [name for name in NEEDED if find_spec(name) is None] == []


@pytest.mark.timeout(300)
def test_a_fault_of_each_side_is_noticed(tmp_path: Path) -> None:
    chosen = [fault for fault in planted_faults() if fault.what in CHOSEN]
    assert {fault.side for fault in chosen} == {"client", "simulator"}
    tree = CopiedTree(tmp_path)
    assert tree.failing([fault.test for fault in chosen]) is None
    assert [fault.what for fault in chosen if not tree.is_noticed(fault)] == []
