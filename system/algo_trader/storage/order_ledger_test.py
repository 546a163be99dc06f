from pathlib import Path

import pytest

from infrastructure.errors import CorruptStore
from infrastructure.schwab.orders.ledger import Claim, MemoryLedger, OrderLedger
from system.algo_trader.storage.order_ledger import KEPT_NS, FileOrderLedger


def claim(key: str, sent_ns: int = 1) -> Claim:
    return Claim(key=key, fingerprint="f", sent_ns=sent_ns)


@pytest.fixture(params=["memory", "file"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> OrderLedger:
    return MemoryLedger() if request.param == "memory" else FileOrderLedger(tmp_path / "l.json")


def test_a_key_is_claimed_once_and_free_after_its_release(ledger: OrderLedger) -> None:
    assert ledger.claim(claim("a")) is None
    assert ledger.claim(claim("a", 2)) == claim("a", 1)
    ledger.settle(Claim(key="a", fingerprint="f", sent_ns=1, state="placed", order_id=7))
    assert ledger.order_ids() == {7}
    held = ledger.claim(claim("a", 3))
    assert held is not None
    assert (held.state, held.order_id) == ("placed", 7)
    ledger.release("a")
    ledger.release("never there")
    assert ledger.order_ids() == frozenset()
    assert ledger.claim(claim("a", 4)) is None


def test_a_file_outlives_its_process_is_private_and_forgets_after_a_year(tmp_path: Path) -> None:
    path = tmp_path / "orders" / "l.json"
    FileOrderLedger(path).claim(claim("old"))
    assert path.stat().st_mode & 0o777 == 0o600
    assert FileOrderLedger(path).claim(claim("old")) is not None
    FileOrderLedger(path).claim(claim("new", KEPT_NS + 2))
    assert FileOrderLedger(path).claim(claim("old", KEPT_NS + 2)) is None


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"a": 1}', b"\xff"])
def test_a_damaged_file_lets_nothing_be_placed(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "l.json"
    path.write_bytes(content)
    with pytest.raises(CorruptStore, match="orders list"):
        FileOrderLedger(path).claim(claim("a"))
    assert path.read_bytes() == content
