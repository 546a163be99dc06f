"""How fast the stream's client receives, decodes and merges, beside `websockets` and schwab-py.

Every client connects to the same server in another process and gets the same frames; what counts
is the processor time of the client's process, from its first frame to its last.

The peer is what a careful user of the two libraries writes: `websockets` without compression,
which hands over text; `msgspec.json.decode` of it into plain objects; and the merge that we do: a
dictionary a symbol, whose values each update overwrites. It checks nothing. After each run both
must hold the same record of every symbol, to the last field, or the benchmark fails.

A reader costs more than the state alone. Two more lines say how much, without a socket: one that
takes from every frame the columns it needs, and one that takes every update as an object.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Final

import msgspec

from infrastructure.schwab.streamer.board import Board, BoardRecords
from infrastructure.schwab.streamer.services import SPECS, Service
from infrastructure.schwab.streamer.socket import Patience, open_socket
from infrastructure.schwab.streamer.updates import FrameBatch
from system.algo_trader.benchmarks.report import BenchRow
from system.algo_trader.benchmarks.stream_frames import frames

RATIO: Final = 1.5
"""How many times faster than `websockets` with msgspec and the same merge we have to be."""

FRAME_SIZES: Final = (1, 5, 20, 50, 150)
READ_SIZE: Final = 20
READ_FIELDS: Final = (1, 2, 3, 4, 5, 8, 9)
UPDATES: Final = 100_000
REPEATS: Final = 3
PEER: Final = "websockets + msgspec, same merge"

State = dict[str, dict[str, Any]]
Label = Callable[[dict[str, Any], dict[str, Any]], None]


def run(updates: int = UPDATES) -> list[BenchRow]:
    """Measure frames of several sizes.

    Args:
        updates: Updates in all, for each size.
    """
    rows: list[BenchRow] = []
    label = _labels_of_schwab_py()
    for size in FRAME_SIZES:
        made = frames(updates // size, size)
        with serving(len(made), size) as port:
            ours, peer = [], []
            for _ in range(REPEATS):
                ours.append(asyncio.run(receive(port)))
                peer.append(asyncio.run(receive_by_websockets(port)))
        states = [state for _, state in (*ours, *peer)]
        if any(state != states[0] for state in states):
            raise AssertionError("the two clients do not hold the same state")
        name = f"receive, decode and merge {updates:,} updates, {size} a frame"
        best, other = (updates / min(seconds for seconds, _ in each) for each in (ours, peer))
        rows.append(_row(name, best, PEER, other, RATIO))
        decoded = updates / _least(_merge, made)
        theirs = None if label is None else updates / _least(partial(_by_schwab_py, label), made)
        name = f"decode and merge the same, without a socket, {size} a frame"
        rows.append(_row(name, decoded, "schwab-py decodes and labels", theirs, None))
        if size == READ_SIZE:
            other = updates / _least(_by_msgspec, made)
            name = f"decode, merge and read {{}}, without a socket, {size} a frame"
            peer_name = "msgspec, same merge"
            for what, work in (
                ("every frame's columns", _merge_and_read_columns),
                ("every update as an object", _merge_and_read_objects),
            ):
                mine = updates / _least(work, made)
                rows.append(_row(name.format(what), mine, peer_name, other, None))
    return rows


@contextmanager
def serving(count: int, size: int) -> Iterator[int]:
    """Run the server of the frames in another process; yield its port."""
    server = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "system.algo_trader.benchmarks.stream_frames",
            str(count),
            str(size),
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(place for place in sys.path if place)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        yield int(server.stdout.readline())
    finally:
        server.kill()
        server.wait()


async def receive(port: int) -> tuple[float, State]:
    """Return our processor seconds and the merged state."""
    board = Board()
    started: list[float] = []
    left = 0

    def take(payload: memoryview | bytes) -> None:
        nonlocal left
        if not started:
            started.append(time.process_time())
        left += board.read(payload) is None

    socket = await open_socket(f"ws://127.0.0.1:{port}", take, patience=Patience(60.0, 60.0, 60.0))
    await socket.closed()
    seconds = time.process_time() - started[0]
    if left:
        raise AssertionError(f"{left} frames were not read")
    records = BoardRecords(board, Service.LEVELONE_EQUITIES)
    keys = records.keys()
    return seconds, {key: records.record(key) or {} for key in keys}


async def receive_by_websockets(port: int) -> tuple[float, State]:
    """Return the peer's processor seconds and the merged state."""
    import websockets

    state: State = {}
    decode = msgspec.json.Decoder().decode
    started = 0.0
    url = f"ws://127.0.0.1:{port}"
    async with websockets.connect(url, compression=None, max_size=None, open_timeout=60) as socket:
        async for text in socket:
            started = started or time.process_time()
            for data in decode(text)["data"]:
                for update in data["content"]:
                    record = state.get(update["key"])
                    if record is None:
                        state[update["key"]] = update
                    else:
                        record.update(update)
    return time.process_time() - started, state


def _least(work: Callable[[list[bytes]], None], made: list[bytes]) -> float:
    seconds = []
    for _ in range(REPEATS):
        start = time.process_time()
        work(made)
        seconds.append(time.process_time() - start)
    return min(seconds)


def _merge(made: list[bytes]) -> None:
    board = Board()
    for frame in made:
        board.read(frame)


def _merge_and_read_columns(made: list[bytes]) -> None:
    board = Board()
    for frame in made:
        for batch in _batches(board, frame):
            batch.columns(READ_FIELDS)


def _merge_and_read_objects(made: list[bytes]) -> None:
    board = Board()
    for frame in made:
        for batch in _batches(board, frame):
            for update in batch.updates:
                update["key"]


def _batches(board: Board, frame: bytes) -> Iterator[FrameBatch]:
    for number, entry in enumerate(board.read(frame) or ()):
        spec = SPECS[entry.service]
        yield FrameBatch(spec, entry.timestamp_ms, 0, frame, number, entry.count)


def _by_msgspec(made: list[bytes]) -> None:
    state: State = {}
    decode = msgspec.json.Decoder().decode
    for frame in made:
        _merge_objects(state, decode(frame))


def _merge_objects(state: State, frame: dict[str, Any]) -> None:
    for data in frame["data"]:
        for update in data["content"]:
            record = state.get(update["key"])
            if record is None:
                state[update["key"]] = update
            else:
                record.update(update)


def _labels_of_schwab_py() -> Label | None:
    """Return schwab-py's own labelling of an update, None where it is not installed."""
    try:
        from schwab.streaming import StreamClient
    except ImportError:
        return None
    label: Label = StreamClient.LevelOneEquityFields.relabel_message
    return label


def _by_schwab_py(label: Label, made: list[bytes]) -> None:
    """Decode and label as schwab-py does."""
    for frame in made:
        for data in json.loads(frame)["data"]:
            for update in data["content"]:
                label(update, dict(update))


def _row(
    name: str, ours: float, peer_name: str, peer: float | None, ratio_budget: float | None
) -> BenchRow:
    return BenchRow(
        name=name,
        unit="updates/s",
        ours=ours,
        direction="at least",
        peer_name=peer_name,
        peer=peer,
        ratio_budget=ratio_budget,
    )
