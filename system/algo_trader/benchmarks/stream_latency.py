"""How long an update takes from the sender's socket to the merged state, and whether any is lost.

The sender paces 20,000 updates a second from another process and stamps each with the monotonic
clock, which the processes of a machine share, before it encodes its frame. Ours is the whole
client: signing in, the socket, the merge, the gap watch, the queue and a reader; the clock is read
when the reader has the batch, and the state holds it by then. The peer is `websockets` with
msgspec and the same merge; its clock is read right after the merge, without queue or reader.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from infrastructure.config import Secret
from infrastructure.schwab.streamer.commands import StreamerInfo
from infrastructure.schwab.streamer.policy import StreamPolicy
from infrastructure.schwab.streamer.services import Service
from infrastructure.schwab.streamer.streamer import SchwabStreamer
from infrastructure.schwab.streamer.updates import Batch
from system.algo_trader.benchmarks.report import BenchRow, Direction
from system.algo_trader.benchmarks.stream_feed import END, KEYS, NUMBER, SENT_AT, SERVICE, feeding

RATE: Final = 20_000
SECONDS: Final = 5.0
FRAME_SIZES: Final = (1, 5, 20)
P99_MS: Final = 5.0
_WARM_UP_S: Final = 0.5
"""Latencies of the first updates, while the sender and we start, are left out; losses are not."""
_DEADLINE_S: Final = 60.0
_KEPT_RATE: Final = 0.98
PEER: Final = "websockets + msgspec, same merge"


@dataclass(slots=True)
class Arrivals:
    """What has arrived of a feed; noting it costs as little as can be.

    Attributes:
        blocks: Number and stamp of each update, a block a frame.
        arrived_ns: The monotonic clock when the state held each block.
        sent: How many updates the sender says there were; None before the end.
    """

    # Not in the repr: asyncio makes one of a finished task's result.
    blocks: list[Sequence[Sequence[float]] | npt.NDArray[np.float64]] = field(
        default_factory=list, repr=False
    )
    arrived_ns: list[int] = field(default_factory=list, repr=False)
    sent: int | None = None

    def take(self, block: Sequence[Sequence[float]] | npt.NDArray[np.float64], now_ns: int) -> None:
        """Note updates that the state holds now."""
        self.blocks.append(block)
        self.arrived_ns.append(now_ns)

    @property
    def rows(self) -> npt.NDArray[np.int64]:
        """Number, stamp and arrival of each update, shape (updates, 3)."""
        whole = np.concatenate([np.array(one, np.float64) for one in self.blocks])
        arrived = np.repeat(np.array(self.arrived_ns), [len(one) for one in self.blocks])
        return np.column_stack([whole.astype(np.int64), arrived])

    @property
    def received(self) -> int:
        """How many updates came."""
        return sum(map(len, self.blocks))

    @property
    def lost(self) -> int:
        """How many numbers are missing."""
        return (self.sent or 0) - len(np.unique(self.rows[:, 0]))

    @property
    def rate(self) -> float:
        """Updates a second that the sender really sent."""
        stamps = self.rows[:, 1]
        return float((stamps < stamps[-1]).sum() / (stamps[-1] - stamps[0]) * 1e9)

    def percentile_ms(self, share: float) -> float:
        """Return a percentile of the delays after the warm-up, in milliseconds."""
        _, stamps, arrived = self.rows.T
        kept = stamps >= stamps[0] + _WARM_UP_S * 1e9
        return float(np.percentile((arrived - stamps)[kept], share)) / 1e6


def run(
    rate: int = RATE, seconds: float = SECONDS, sizes: Sequence[int] = FRAME_SIZES
) -> list[BenchRow]:
    """Measure the whole client, then the peer, for so many seconds each, at each size of frame."""
    rows: list[BenchRow] = []
    for size in sizes:
        with feeding(rate, seconds, size) as port:
            ours = asyncio.run(stream(port))
        with feeding(rate, seconds, size) as port:
            peer = asyncio.run(stream_by_websockets(port))
        rows += _rows(ours, peer, f"at {rate:,} updates/s, {size} a frame", rate, seconds)
    return rows


def _rows(ours: Arrivals, peer: Arrivals, what: str, rate: int, seconds: float) -> list[BenchRow]:
    sent, kept = ours.sent or 0, _KEPT_RATE
    figures: list[tuple[str, str, float, Direction, float | None, float]] = [
        (
            f"{name} socket to state",
            "ms",
            ours.percentile_ms(share),
            "at most",
            budget,
            peer.percentile_ms(share),
        )
        for name, share, budget in (("p50", 50, None), ("p99", 99, P99_MS))
    ]
    figures += [
        ("updates sent a second", "updates/s", ours.rate, "at least", rate * kept, peer.rate),
        ("updates sent", "updates", sent, "at least", rate * seconds * kept, peer.sent or 0),
        ("updates received", "updates", ours.received, "at least", sent, peer.received),
        ("updates lost, by their numbers,", "updates", ours.lost, "at most", 0, peer.lost),
    ]
    return [
        BenchRow(f"{name} {what}", unit, mine, direction, budget, PEER, theirs)
        for name, unit, mine, direction, budget, theirs in figures
    ]


async def stream(port: int, deadline_s: float = _DEADLINE_S) -> Arrivals:
    """Return what our client receives of a feed."""
    info = StreamerInfo(f"ws://127.0.0.1:{port}/ws", "customer", "correl", "N9", "APIAPP")
    policy = StreamPolicy(compiled_after=0)
    streamer = SchwabStreamer(lambda: info, lambda forced: Secret("token"), policy=policy)
    await streamer.warm_up()
    await streamer.subscribe(Service(SERVICE), [*KEYS, END])
    running = asyncio.create_task(streamer.run())
    arrivals = Arrivals()
    try:
        async with asyncio.timeout(deadline_s):
            while arrivals.sent is None:
                for event in await streamer.events.get_many():
                    if isinstance(event, Batch):
                        now_ns = time.monotonic_ns()
                        columns = event.columns((NUMBER, SENT_AT))
                        if columns.keys[-1] == END:
                            arrivals.sent = int(columns.values[-1, 0])
                        else:
                            arrivals.take(columns.values, now_ns)
    finally:
        await streamer.stop()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return arrivals


async def stream_by_websockets(port: int) -> Arrivals:
    """Return what the peer receives of a feed."""
    import websockets

    arrivals = Arrivals()
    state: dict[str, dict[str, Any]] = {}
    decode = msgspec.json.Decoder().decode
    url = f"ws://127.0.0.1:{port}/ws"
    async with websockets.connect(url, compression=None, max_size=None, open_timeout=60) as socket:
        request = {"service": SERVICE, "command": "SUBS", "requestid": "1"}
        await socket.send(msgspec.json.encode({"requests": [request]}).decode())
        async for text in socket:
            for data in decode(text).get("data", ()):
                for update in data["content"]:
                    state.setdefault(update["key"], {}).update(update)
                now_ns = time.monotonic_ns()
                content = data["content"]
                if content[-1]["key"] == END:
                    arrivals.sent = content[-1][str(NUMBER)]
                    return arrivals
                pairs = [(one[str(NUMBER)], one[str(SENT_AT)]) for one in content]
                arrivals.take(pairs, now_ns)
    return arrivals
