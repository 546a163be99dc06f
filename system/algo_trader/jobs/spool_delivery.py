"""What waits in the spool for InfluxDB: counted, and sent if a server runs already."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from infrastructure.errors import StackError
from infrastructure.influxdb.line_quarantine import refused_count
from infrastructure.influxdb.spool_slots import waiting_in
from system.algo_trader.realm import Realm
from system.algo_trader.services import INFLUXDB, Services
from system.algo_trader.settings import AppSettings


@dataclass(frozen=True, slots=True)
class SpoolState:
    """Say how the spool is.

    Attributes:
        sent: Points that waited and are in InfluxDB now.
        waiting: Points that still wait.
        bytes: Their bytes on disk.
        refused: Lines in quarantine.
        reason: Why points still wait, empty when none do.
    """

    sent: int
    waiting: int
    bytes: int
    refused: int
    reason: str

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON output."""
        return asdict(self)

    @property
    def sentence(self) -> str:
        """Say it in a sentence."""
        parts = [f"{self.sent:,} points that waited are in InfluxDB now"] if self.sent else []
        if self.waiting:
            parts.append(f"{self.waiting:,} points ({self.bytes:,} bytes) wait: {self.reason}")
        if self.refused:
            parts.append(f"{self.refused:,} refused lines are in quarantine")
        return "; ".join(parts) or "nothing waits for InfluxDB"


def spool_state(realm: Realm) -> SpoolState:
    """Count what waits; nothing is sent.

    Raises:
        OperatorError: If the spool cannot be read.
    """
    from infrastructure.clients.influxdb_client_durable import QUARANTINE

    waiting = waiting_in(realm.spool)
    reason = "the next command that writes to InfluxDB sends them" if waiting.points else ""
    refused = refused_count(realm.spool / QUARANTINE)
    return SpoolState(0, waiting.points, waiting.bytes, refused, reason)


def deliver(settings: AppSettings, realm: Realm) -> SpoolState:
    """Send what waits if InfluxDB runs; none is started for it. Return how the spool is then.

    Raises:
        OperatorError: If the spool cannot be read.
    """
    before = spool_state(realm)
    if not before.waiting:
        return before
    reason = _send(settings, realm)
    after = spool_state(realm)
    sent = max(0, before.waiting - after.waiting)
    return SpoolState(sent, after.waiting, after.bytes, after.refused,
                      (reason or after.reason) if after.waiting else "")  # fmt: skip


def _send(settings: AppSettings, realm: Realm) -> str:
    """Send, and return why not all of it could be sent."""
    from system.algo_trader.clients.influxdb_client import AlgoTraderInfluxDBClient

    with Services(settings, realm) as services:
        [row] = services.status((INFLUXDB,))
        if row.state != "running":
            return f"InfluxDB is {row.state}"
        try:
            url, token = services.influxdb_url(), services.influxdb_token()
            with AlgoTraderInfluxDBClient(url, realm, token) as client:
                client.ensure_tables()
                client.deliver_waiting()
                return "" if client.failing is None else client.failing.message
        except StackError as error:
            return error.message
