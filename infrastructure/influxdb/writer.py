"""Deliver a spool to InfluxDB: several requests in flight, retries with backoff, rejects kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from infrastructure.errors import BugError, RetryableError, StackError, WriteRejected
from infrastructure.influxdb.line_quarantine import keep_refused
from infrastructure.influxdb.spool import Block, Spool, Waiting
from infrastructure.logging import get_logger

IN_FLIGHT: Final = 8
BATCH_BYTES: Final = 4 * 1024 * 1024
FIRST_WAIT_S: Final = 0.2
LONGEST_WAIT_S: Final = 10.0
ROOM_WAIT_S: Final = 30.0
PATIENCE: Final = 4
"""Failures in a row after which the server counts as failing; a shorter fault is waited out."""
POISON: Final = (400, 413)
"""Answers that a block gets for what it is: to send it again changes nothing."""
_log = get_logger(__name__)


class LineSink(Protocol):
    """Send line protocol: the part of `BaseInfluxDBClient` that the writer needs."""

    def write_lines(
        self, lines: bytes | Iterable[bytes], *, no_sync: bool = False, accept_partial: bool = True
    ) -> object:
        """Write whole lines; return when the server has acknowledged them."""


@dataclass(slots=True)
class Receipt:
    """Follow blocks that the spool has acknowledged. Read it under `SpoolWriter.settled` only.

    Attributes:
        points: Lines that were acknowledged.
        bytes: Their bytes.
        blocks: How many blocks carried them.
        refused: Lines that the server refused, each in quarantine with its reason.
        waiting: The blocks that have not arrived, with their lines.
        reason: Why the first refused line was refused; empty without one.
    """

    points: int = 0
    bytes: int = 0
    blocks: int = 0
    refused: int = 0
    waiting: dict[int, int] = field(default_factory=dict)
    reason: str = ""


class SpoolWriter:
    """Send what a spool holds, whatever happens meanwhile; small blocks go together.

    A block leaves the spool when the server has acknowledged it, or has named the lines that it
    refuses; those are in the quarantine file by then, as JSON lines with the reason. Any other
    failure keeps the block, and it is tried again after growing waits, one request at a time
    until one arrives.

    Args:
        spool: What to send.
        sink: Where to.
        quarantine: The file of refused lines.
        in_flight: Requests under way at once; a slow one holds back no other.
        batch_bytes: The most that small blocks add up to in one request.
        first_wait_s: The first wait after a failure, seconds.
    """

    def __init__(
        self,
        spool: Spool,
        sink: LineSink,
        quarantine: Path,
        *,
        in_flight: int = IN_FLIGHT,
        batch_bytes: int = BATCH_BYTES,
        first_wait_s: float = FIRST_WAIT_S,
    ) -> None:
        self._spool = spool
        self._sink = sink
        self._quarantine = quarantine
        self._in_flight = in_flight
        self._batch_bytes = batch_bytes
        self._first_wait_s = first_wait_s
        self._pause_s = first_wait_s
        self._state = threading.Condition()
        self._pool: ThreadPoolExecutor | None = None
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._under_way: set[int] = set()
        self._requests = 0
        self._not_before = 0.0
        self._receipts: dict[int, Receipt] = {}
        self._alone: set[int] = set()
        self._hasty: set[int] = set()
        self._failures = 0
        self._failed_at = 0.0
        self.last_failure: StackError | None = None
        self.failing: StackError | None = None

    def write(
        self,
        blocks: Iterable[bytes],
        *,
        no_sync: bool = False,
        room_wait_s: float = ROOM_WAIT_S,
    ) -> Receipt:
        """Acknowledge blocks: they are on disk, and are sent now or by a later process.

        Args:
            blocks: Whole lines, each with its time; each block below the server's limit.
            no_sync: Whether the server may acknowledge before its disk has the rows: faster, and a
                crash of the server then loses its last second. It holds for this process only.
            room_wait_s: How long to wait for room in a full spool: this is the backpressure.

        Raises:
            DiskFull: If there is no room in time; what was written before is acknowledged.
        """
        self.start()
        receipt = Receipt()

        def announce(number: int, points: int) -> None:
            # The block may arrive before `put` returns, so its receipt is known before it is sent.
            if no_sync:
                self._hasty.add(number)
            receipt.waiting[number] = points
            self._receipts[number] = receipt
            receipt.points += points

        for block in blocks:
            if not block.strip():
                continue
            self._spool.put(block, wait_s=room_wait_s, announce=announce)
            receipt.bytes += len(block)
            receipt.blocks += 1
            with self._state:
                self._state.notify_all()
        return receipt

    def settled(self, receipt: Receipt, timeout_s: float | None = None) -> Receipt:
        """Return a copy of a receipt once its blocks have arrived, or the server is failing.

        Args:
            receipt: What `write` returned.
            timeout_s: The longest wait; None waits as long as the server is not failing.
        """
        with self._state:
            self._state.wait_for(
                lambda: not receipt.waiting or self.failing is not None or self._stopping, timeout_s
            )
            return Receipt(receipt.points, receipt.bytes, receipt.blocks, receipt.refused,
                           dict(receipt.waiting), receipt.reason)  # fmt: skip

    def drain(self, timeout_s: float | None = None) -> Waiting:
        """Try at once to send all that waits; return what is left when the server takes no more."""
        self.start()
        with self._state:
            self._succeeded()
            self._state.notify_all()
            self._state.wait_for(
                lambda: not len(self._spool) or self.failing is not None or self._stopping,
                timeout_s,
            )
        return self._spool.waiting()

    def run(self) -> bool:
        """Send until the spool is empty or `stop` is called; return whether it is empty."""
        self.start()
        with self._state:
            self._state.wait_for(lambda: self._stopping or not len(self._spool))
        self.close()
        return not len(self._spool)

    def start(self) -> None:
        """Begin to send in the background; nothing if that has begun or been stopped."""
        with self._state:
            if self._thread is not None or self._stopping:
                return
            self._pool = ThreadPoolExecutor(self._in_flight, "spool-writer")
            self._thread = threading.Thread(target=self._dispatch, name="spool", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Send nothing new; what is left stays in the spool."""
        with self._state:
            self._stopping = True
            self._state.notify_all()

    def close(self) -> None:
        """Stop, and wait for the requests under way."""
        self.stop()
        if self._thread is not None:
            self._thread.join()
        if self._pool is not None:
            self._pool.shutdown()

    def _dispatch(self) -> None:
        while True:
            with self._state:
                self._wait_for_a_turn()
                if self._stopping:
                    return
                batch = self._next_batch()
                self._under_way.update(block.number for block in batch)
                self._requests += bool(batch)
                if not batch:
                    self._state.wait(timeout=1.0)
                    continue
            assert self._pool is not None
            self._pool.submit(self._send, batch)

    def _wait_for_a_turn(self) -> None:
        while not self._stopping:
            pause_s = self._not_before - time.monotonic()
            allowed = 1 if self._failures else self._in_flight
            idle = len(self._spool) <= len(self._under_way)
            if idle or self._requests >= allowed:
                self._state.wait()
            elif pause_s > 0:
                self._state.wait(pause_s)
            else:
                return

    def _next_batch(self) -> list[Block]:
        try:
            batch = self._spool.next_batch(self._batch_bytes, self._under_way)
        except StackError as error:
            self._failed(error, time.monotonic())
            return []
        if not batch:
            return batch
        first = batch[0].number
        together = 1
        while together < len(batch) and first not in self._alone:
            number = batch[together].number
            if number in self._alone or (number in self._hasty) != (first in self._hasty):
                break
            together += 1
        return batch[:together]

    def _send(self, batch: list[Block]) -> None:
        began = time.monotonic()
        try:
            failure = self._attempt(batch)
        except StackError as error:
            failure = error
        except Exception as error:  # Whoever waits has to be told, whatever it is.
            _log.exception("sending to InfluxDB failed")
            failure = BugError(f"sending to InfluxDB failed: {error!r}")
        with self._state:
            self._requests -= 1
            self._under_way.difference_update(block.number for block in batch)
            if failure is None:
                self._succeeded()
            else:
                self._failed(failure, began)
            self._state.notify_all()

    def _attempt(self, batch: list[Block]) -> StackError | None:
        """Send blocks, and forget those that are settled; return why they are not."""
        hasty = batch[0].number in self._hasty
        try:
            self._sink.write_lines(_joined(batch), no_sync=hasty, accept_partial=True)
        except WriteRejected as error:
            return self._settle_refused(batch, error)
        self._arrived(batch)
        return None

    def _failed(self, error: StackError, began: float) -> None:
        level = _log.debug if isinstance(error, RetryableError) else _log.warning
        level("blocks stay in the spool: %s", error)
        self.last_failure = error
        if not isinstance(error, RetryableError):
            self.failing = error
        if self._failures and began < self._failed_at:
            # Requests that were under way together fail together: that is one failure.
            return
        self._failed_at = time.monotonic()
        self._failures += 1
        if self._failures >= PATIENCE:
            self.failing = error
        self._not_before = self._failed_at + self._pause_s
        self._pause_s = min(2 * self._pause_s, LONGEST_WAIT_S)

    def _succeeded(self) -> None:
        self._failures, self.failing = 0, None
        self._pause_s, self._not_before = self._first_wait_s, 0.0

    def _settle_refused(self, batch: list[Block], error: WriteRejected) -> StackError | None:
        """Quarantine the lines that are named; find out by sending one by one where none is."""
        if error.line_errors:
            keep_refused(self._quarantine, _joined(batch), error.line_errors)
        elif error.context.get("status") not in POISON:
            return error
        elif len(batch) > 1:
            with self._state:
                self._alone.update(block.number for block in batch)
            return None
        else:
            keep_refused(self._quarantine, batch[0].lines, (), reason=error.message)
        self._arrived(batch, error)
        return None

    def _arrived(self, batch: list[Block], error: WriteRejected | None = None) -> None:
        with self._state:
            self._spool.delivered(*(block.number for block in batch))
            numbers = [] if error is None else [each.line_number for each in error.line_errors]
            first = 0
            for block in batch:
                self._alone.discard(block.number)
                self._hasty.discard(block.number)
                lines = _line_count(block.lines)
                mine = [number for number in numbers if first < number <= first + lines]
                first += lines
                receipt = self._receipts.pop(block.number, None)
                if receipt is None:
                    continue
                points = receipt.waiting.pop(block.number)
                if error is not None:
                    receipt.refused += len(mine) if error.line_errors else points
                    receipt.reason = receipt.reason or error.message


def _joined(batch: list[Block]) -> bytes:
    if len(batch) == 1:
        return batch[0].lines
    return b"".join(
        block.lines if block.lines.endswith(b"\n") else block.lines + b"\n" for block in batch
    )


def _line_count(lines: bytes) -> int:
    return lines.count(b"\n") + (not lines.endswith(b"\n"))
