"""How fast the stream's client receives, decodes and merges, beside `websockets` and schwab-py.

Every client connects to the same server in another process and gets the same frames; what counts
is the processor time of the client's process, from its first frame to its last.
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
from typing import Any, Final

import msgspec

from infrastructure.schwab.streamer.frames import decode_frame
from infrastructure.schwab.streamer.services import SPECS, Service
from infrastructure.schwab.streamer.socket import Patience, open_socket
from infrastructure.schwab.streamer.state import ServiceState
from system.algo_trader.benchmarks.report import BenchRow
from system.algo_trader.benchmarks.stream_frames import frames

RATIO: Final = 1.5
"""How many times faster than `websockets` with msgspec and the same merge we have to be."""

FRAME_SIZES: Final = (5, 20, 50)
UPDATES: Final = 100_000
REPEATS: Final = 3

State = dict[str, dict[str, Any]]
Label = Callable[[dict[str, Any], dict[str, Any]], None]


def run(updates: int = UPDATES) -> list[BenchRow]:
    """Measure frames of several sizes.

    Args:
        updates: Updates in all, for each size.
    """
    rows: list[BenchRow] = []
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
        rows.append(_row(name, best, "websockets + msgspec, same merge", other, RATIO))
        decoded = updates / min(_seconds_to_merge(made) for _ in range(REPEATS))
        label = _labels_of_schwab_py()
        theirs = None
        if label is not None:
            theirs = updates / min(_seconds_of_schwab_py(label, made) for _ in range(REPEATS))
        name = f"decode and merge the same, without a socket, {size} a frame"
        rows.append(_row(name, decoded, "schwab-py decodes and labels", theirs, None))
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
    state = ServiceState(SPECS[Service.LEVELONE_EQUITIES])
    started: list[float] = []

    def take(payload: memoryview | bytes) -> None:
        if not started:
            started.append(time.process_time())
        for data in decode_frame(payload).data:
            state.merge(data.content)

    socket = await open_socket(f"ws://127.0.0.1:{port}", take, patience=Patience())
    await socket.closed()
    seconds = time.process_time() - started[0]
    return seconds, state.records()


async def receive_by_websockets(port: int) -> tuple[float, State]:
    """Return the peer's processor seconds and the merged state."""
    import websockets

    state: State = {}
    decode = msgspec.json.Decoder().decode
    started = 0.0
    url = f"ws://127.0.0.1:{port}"
    async with websockets.connect(url, compression=None, max_size=None) as socket:
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


def _seconds_to_merge(made: list[bytes]) -> float:
    state = ServiceState(SPECS[Service.LEVELONE_EQUITIES])
    start = time.process_time()
    for frame in made:
        for data in decode_frame(frame).data:
            state.merge(data.content)
    return time.process_time() - start


def _labels_of_schwab_py() -> Label | None:
    """Return schwab-py's own labelling of an update, None where it is not installed."""
    try:
        from schwab.streaming import StreamClient
    except ImportError:
        return None
    label: Label = StreamClient.LevelOneEquityFields.relabel_message
    return label


def _seconds_of_schwab_py(label: Label, made: list[bytes]) -> float:
    """Return what schwab-py's own decoder and labels take for the same frames."""
    start = time.process_time()
    for frame in made:
        for data in json.loads(frame)["data"]:
            for update in data["content"]:
                label(update, dict(update))
    return time.process_time() - start


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
