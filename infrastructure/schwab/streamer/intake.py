"""What arrives on a stream: merged into the states, watched for gaps, handed to the reader."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from infrastructure.logging import get_logger
from infrastructure.schwab.streamer.continuity import Continuity
from infrastructure.schwab.streamer.delivery import EventQueue
from infrastructure.schwab.streamer.frames import Data, Frame, decode_frame
from infrastructure.schwab.streamer.policy import StreamCounts
from infrastructure.schwab.streamer.services import SPECS, Delivery, Service
from infrastructure.schwab.streamer.state import ServiceState
from infrastructure.schwab.streamer.updates import Batch, FrameBatch

if TYPE_CHECKING:
    from infrastructure.schwab.streamer.board import Board, Entry

_log = get_logger("schwab.streamer")


class Intake:
    """Take frames in; all methods but `load` are for one event loop.

    Level-one frames are read by msgspec until so many updates have come that compiled kernels are
    worth their loading. They are loaded in a thread, and take over between two frames.

    Args:
        events: Receives batches and gaps.
        counts: Counts what comes.
        compiled_after: Level-one updates before the kernels are loaded; never when None.
    """

    def __init__(
        self, events: EventQueue, counts: StreamCounts, compiled_after: int | None
    ) -> None:
        self._events = events
        self._counts = counts
        self._compiled_after = compiled_after
        self.states = {service: ServiceState(spec) for service, spec in SPECS.items()}
        self.continuity = {service: Continuity(spec) for service, spec in SPECS.items()}
        self._board: Board | None = None
        self._level_one = 0
        self._loading: asyncio.Task[Board] | None = None
        self._taking_over: asyncio.Task[None] | None = None

    def read(self, payload: memoryview | bytes, received_ns: int) -> Frame | None:
        """Take a message in; return the frame if it may hold replies or heartbeats.

        Raises:
            ValueError: If it is no frame; then nothing has changed.
        """
        if self._board is not None:
            entries = self._board.read(payload)
            if entries is not None:
                self._counts.compiled += 1
                self._merged(entries, payload, received_ns)
                return None
        frame = decode_frame(payload)
        for data in frame.data:
            self._place(data, received_ns)
        return frame

    async def load(self) -> None:
        """Let the compiled kernels take over, after loading them in a thread.

        A machine that cannot load the compiler stays with msgspec, and the log says so.
        """
        if self._board is not None:
            return
        if self._loading is None:
            self._loading = asyncio.create_task(asyncio.to_thread(_loaded_board))
        try:
            board = await asyncio.shield(self._loading)
        except (ImportError, OSError) as error:
            _log.warning("level-one frames are read without compiled kernels: %s", error)
            return
        if self._board is None:
            self._move(board)

    def _move(self, board: Board) -> None:
        from infrastructure.schwab.streamer.board import BOARD_SERVICES, BoardRecords

        for service in BOARD_SERVICES:
            self.states[service].move(BoardRecords(board, service))
        self._board = board

    def _merged(self, entries: list[Entry], payload: memoryview | bytes, received_ns: int) -> None:
        frame: bytes | None = None
        for number, entry in enumerate(entries):
            for gap in self.continuity[entry.service].heard(received_ns):
                self._events.put(gap)
            if entry.count:
                self._counts.updates += entry.count
                frame = bytes(payload) if frame is None else frame
                self._events.put(
                    FrameBatch(
                        SPECS[entry.service],
                        entry.timestamp_ms,
                        received_ns,
                        frame,
                        number,
                        entry.count,
                    )
                )

    def _place(self, data: Data, received_ns: int) -> None:
        if data.service not in Service.__members__ or not all(
            isinstance(one.get("key"), str) for one in data.content
        ):
            self._counts.bad_frames += 1
            _log.warning("the stream sent data of %r that cannot be placed", data.service)
            return
        spec = SPECS[Service(data.service)]
        updates, gaps = self.continuity[spec.service].take(data.content, received_ns)
        for gap in gaps:
            self._events.put(gap)
        if not updates:
            return
        self._counts.updates += len(updates)
        self.states[spec.service].merge(updates)
        self._events.put(Batch(spec, data.timestamp, received_ns, tuple(updates)))
        if spec.delivery is Delivery.CHANGE and self._board is None:
            self._count_level_one(len(updates))

    def _count_level_one(self, updates: int) -> None:
        self._level_one += updates
        after = self._compiled_after
        if after is not None and self._taking_over is None and self._level_one >= after:
            self._taking_over = asyncio.create_task(self.load())


def _loaded_board() -> Board:
    """Import the kernels, compile or load them by reading one frame, and return a fresh board."""
    from infrastructure.schwab.streamer.board import Board

    board = Board()
    board.read(_EXAMPLE)
    return Board()


_EXAMPLE = b'{"data":[{"service":"LEVELONE_FOREX","content":[{"key":"EUR/USD","1":1.5}]}]}'
