"""Every fault of the list turns its test red, one at a time."""

from __future__ import annotations

from pathlib import Path

from system.algo_trader.planted_faults.planted_fault import CopiedTree, planted_faults


def test_every_planted_fault_is_noticed(tmp_path: Path) -> None:
    faults = planted_faults()
    tree = CopiedTree(tmp_path)
    assert tree.failing(sorted({fault.test for fault in faults})) is None
    table = {fault.what: tree.is_noticed(fault) for fault in faults}
    for what, noticed in table.items():
        print(f"{'noticed' if noticed else 'MISSED '}  {what}")
    assert [what for what, noticed in table.items() if not noticed] == []
