"""What a gate judges by, with stores of its own. For tests."""

from __future__ import annotations

from pathlib import Path

from infrastructure.clock import SystemClock
from system.algo_trader.api.access.audit import Audit
from system.algo_trader.api.access.browser_session import Sessions
from system.algo_trader.api.access.doorkeeper import Doorkeeper
from system.algo_trader.api.access.key_store import KeyStore
from system.algo_trader.api.access.origin_guard import allowed_hosts
from system.algo_trader.api.http.figures import Figures
from system.algo_trader.api.http.gate import Admission


def admission_in(folder: Path, owner_secret: str = "") -> Admission:
    """Return what judges requests to 127.0.0.1:8877; keys and audit lie in a folder."""
    clock = SystemClock()
    return Admission(
        Doorkeeper(KeyStore(folder / "api_keys.json", clock), owner_secret, clock),
        Sessions(clock),
        Audit(folder / "api_audit.jsonl", clock),
        Figures(),
        allowed_hosts("127.0.0.1", 8877),
    )
