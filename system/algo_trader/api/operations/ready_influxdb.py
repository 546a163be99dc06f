"""InfluxDB for those who only read: its tables are there before the first question."""

from __future__ import annotations

import threading

from system.algo_trader.clients.influxdb_client import AlgoTraderInfluxDBClient
from system.algo_trader.runtime import Runtime


class ReadyInfluxDB:
    """Return a run's client of InfluxDB; the first question makes the tables that are missing.

    Args:
        runtime: Of this process.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._lock = threading.Lock()
        self._has_tables = False

    def __call__(self) -> AlgoTraderInfluxDBClient:
        """Return the client.

        Raises:
            StackError: If InfluxDB gives no answer.
        """
        with self._lock:
            client = self._runtime.influxdb
            if not self._has_tables:
                client.ensure_tables()
                self._has_tables = True
            return client
