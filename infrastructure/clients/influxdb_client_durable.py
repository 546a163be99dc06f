"""A client of InfluxDB 3 whose written columns survive an outage of the server and our own end."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from infrastructure.clients.influxdb_client import BaseInfluxDBClient, WriteReport
from infrastructure.clock import Clock
from infrastructure.config import Secret
from infrastructure.errors import StackError
from infrastructure.influxdb.encode import NotANumber, encode_lines
from infrastructure.influxdb.line_quarantine import refused_count
from infrastructure.influxdb.schema import TableSchema
from infrastructure.influxdb.session import TIMEOUT_S
from infrastructure.influxdb.spool import Waiting
from infrastructure.influxdb.spool_slots import open_slot, waiting_in
from infrastructure.influxdb.writer import IN_FLIGHT, ROOM_WAIT_S, SpoolWriter

SPOOL_LIMIT_BYTES: Final = 1024**3
"""An hour of whole option chains of 20 000 contracts a minute fits three times."""
SETTLE_S: Final = 60.0
QUARANTINE: Final = "refused.jsonl"


class DurableInfluxDBClient(BaseInfluxDBClient):
    """Write columns through a spool on disk: acknowledged is what is in it.

    Args:
        url: `http://host:port` or `https://host:port`.
        database: The database that is written and queried.
        spool: The folder of the database's spools; made at the first write.
        token: The server's token; None where it asks for none.
        timeout_s: Seconds that one request may take.
        clock: Measures the waits between attempts of queries.
        spool_limit_bytes: The most that this process may keep waiting.
        room_wait_s: How long a write waits for room in a full spool.

    Raises:
        ConfigError: If the URL is not one of a server.
    """

    def __init__(
        self,
        url: str,
        database: str,
        spool: Path,
        *,
        token: Secret | None = None,
        timeout_s: float = TIMEOUT_S,
        clock: Clock | None = None,
        spool_limit_bytes: int = SPOOL_LIMIT_BYTES,
        room_wait_s: float = ROOM_WAIT_S,
    ) -> None:
        super().__init__(url, database, token=token, timeout_s=timeout_s, clock=clock)
        self._spool_folder = spool
        self._spool_limit = spool_limit_bytes
        self._room_wait_s = room_wait_s
        self._writer_lock = threading.Lock()
        self._opened: tuple[Any, BaseInfluxDBClient, SpoolWriter] | None = None

    @property
    def quarantine(self) -> Path:
        """The file of the lines that the server refused."""
        return self._spool_folder / QUARANTINE

    @property
    def failing(self) -> StackError | None:
        """Why the server takes nothing now; None while it does, or when nothing was sent."""
        return None if self._opened is None else self._opened[2].failing

    def waiting(self) -> Waiting:
        """Return what this process and others have acknowledged and not delivered.

        Raises:
            OperatorError: If the spool cannot be read.
        """
        return waiting_in(self._spool_folder)

    def refused(self) -> int:
        """Return how many lines are in quarantine."""
        return refused_count(self.quarantine)

    def deliver_waiting(self, timeout_s: float | None = SETTLE_S) -> Waiting:
        """Send what waits, that of dead processes too; return what this process could not send.

        Raises:
            CorruptStore: If a spool is damaged.
            OperatorError: If the file system refuses.
        """
        if self._opened is None and not self.waiting().blocks:
            return Waiting(0, 0, 0)
        return self._writer().drain(timeout_s)

    def write_columns(
        self,
        schema: TableSchema,
        table: pa.Table,
        *,
        no_sync: bool = False,
        not_a_number: NotANumber = "refuse",
    ) -> WriteReport:
        """Write Arrow columns; return once the server has them, or has failed to take them.

        What has not arrived by then waits in the spool and is sent later, by this process or the
        next one: `waiting` of the report counts it. Lines that the server refuses are in
        `quarantine`.

        Args:
            schema: The table's declaration, which the columns must match.
            table: `time`, every tag and any of the fields; each row (tags and time) once.
            no_sync: Whether the server may answer before they are on its disk.
            not_a_number: Whether NaN and infinities are refused, or written as nulls.

        Raises:
            InputError: If the columns do not match the declaration.
            DiskFull: If the spool has no room; what is acknowledged by then is sent.
            CorruptStore: If the spool is damaged.
            OperatorError: If the file system refuses.
        """
        writer = self._writer()
        blocks = encode_lines(schema, table, not_a_number=not_a_number)
        receipt = writer.write(blocks, no_sync=no_sync, room_wait_s=self._room_wait_s)
        done = writer.settled(receipt, SETTLE_S)
        waiting = sum(done.waiting.values())
        return WriteReport(
            done.points - waiting - done.refused, done.bytes, done.blocks, waiting, done.refused
        )

    def close(self) -> None:
        """Close all connections; what was acknowledged and has not arrived stays in the spool."""
        with self._writer_lock:
            opened, self._opened = self._opened, None
        if opened is not None:
            spool, sink, writer = opened
            writer.close()
            sink.close()
            spool.close()
        super().close()

    def _writer(self) -> SpoolWriter:
        with self._writer_lock:
            if self._opened is None:
                spool = open_slot(self._spool_folder, self._spool_limit)
                sink = BaseInfluxDBClient(
                    self.url,
                    self.database,
                    token=self.token,
                    timeout_s=self.timeout_s,
                    attempts=1,
                    in_flight=IN_FLIGHT,
                )
                self._opened = (spool, sink, SpoolWriter(spool, sink, self.quarantine))
            return self._opened[2]
