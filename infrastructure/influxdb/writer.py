"""Deliver a spool to InfluxDB: several requests in flight, retries with backoff, rejects kept."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Protocol

from infrastructure.errors import RetryableError, StackError, WriteRejected
from infrastructure.influxdb.spool import Block, Spool
from infrastructure.logging import get_logger
from infrastructure.supervision.files import told_in_a_sentence

IN_FLIGHT = 8
FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 10.0
_log = get_logger(__name__)


class LineSink(Protocol):
    """Send line protocol: the part of `BaseInfluxDBClient` that the writer needs."""

    def write_lines(
        self, lines: bytes | Iterable[bytes], *, no_sync: bool = False, accept_partial: bool = True
    ) -> object:
        """Write whole lines; return when the server has acknowledged them."""


class SpoolWriter:
    """Send what a spool holds until it is empty, whatever happens meanwhile.

    A block leaves the spool when the server has acknowledged it, or has named the lines that it
    refuses; those are in the quarantine file by then, as JSON lines with the reason. Any other
    failure keeps the block, and it is tried again after growing waits.

    Args:
        spool: What to send; `put` goes on meanwhile from any thread.
        sink: Where to.
        quarantine: The file of refused lines.
        in_flight: Requests under way at once.
        no_sync: Whether the server may acknowledge before its disk has the rows: faster, and a
            crash of the server then loses its last second.
        first_wait_s: The first wait after a failure, seconds.
    """

    def __init__(
        self,
        spool: Spool,
        sink: LineSink,
        quarantine: Path,
        *,
        in_flight: int = IN_FLIGHT,
        no_sync: bool = False,
        first_wait_s: float = FIRST_WAIT_S,
    ) -> None:
        self._spool = spool
        self._sink = sink
        self._quarantine = quarantine
        self._in_flight = in_flight
        self._no_sync = no_sync
        self._first_wait_s = first_wait_s
        self._stop = threading.Event()
        self._file_lock = threading.Lock()
        self.last_failure: StackError | None = None

    def stop(self) -> None:
        """End `run` after the requests under way; what is left stays in the spool."""
        self._stop.set()

    def run(self) -> bool:
        """Send until the spool is empty or `stop` is called; return whether it is empty."""
        pause_s = self._first_wait_s
        with ThreadPoolExecutor(self._in_flight, "spool-writer") as pool:
            while not self._stop.is_set():
                blocks = self._spool.oldest(self._in_flight)
                if not blocks:
                    return True
                sent: list[Future[bool]] = [pool.submit(self._send, block) for block in blocks]
                wait(sent)
                if all(future.result() for future in sent):
                    pause_s = self._first_wait_s
                else:
                    self._stop.wait(pause_s)
                    pause_s = min(2 * pause_s, LONGEST_WAIT_S)
        return not len(self._spool)

    def _send(self, block: Block) -> bool:
        try:
            self._sink.write_lines(block.lines, no_sync=self._no_sync, accept_partial=True)
        except WriteRejected as error:
            if not error.line_errors:
                return self._failed(error)
            self._keep(block, error)
        except StackError as error:
            return self._failed(error)
        self._spool.delivered(block.number)
        return True

    def _failed(self, error: StackError) -> bool:
        level = _log.debug if isinstance(error, RetryableError) else _log.warning
        level("a block stays in the spool: %s", error)
        self.last_failure = error
        return False

    def _keep(self, block: Block, error: WriteRejected) -> None:
        """Put refused lines in quarantine, on disk before their block leaves the spool."""
        lines = block.lines.splitlines()
        rows = [
            {
                "line": lines[entry.line_number - 1].decode(errors="replace")
                if 0 < entry.line_number <= len(lines)
                else entry.original_line,
                "reason": entry.message,
            }
            for entry in error.line_errors
        ]
        text = "".join(json.dumps(row) + "\n" for row in rows)
        with self._file_lock, told_in_a_sentence(self._quarantine):
            known = self._quarantine.read_text("utf-8") if self._quarantine.exists() else ""
            if text in known:
                return
            number = os.open(self._quarantine, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            with os.fdopen(number, "a", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
