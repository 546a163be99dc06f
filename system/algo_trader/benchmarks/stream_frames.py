"""Frames of level one for the benchmark of the streamer, and a server that sends them.

    python -m system.algo_trader.benchmarks.stream_frames FRAMES UPDATES_A_FRAME

prints the port of a WebSocket server on loopback that sends all frames to whoever connects, as
fast as they are taken, and closes.
"""

from __future__ import annotations

import asyncio
import random
import sys
from typing import Any, Final

import msgspec

SEED: Final = 7
KEYS: Final = 1000
_PRICES: Final = (1, 2, 3, 33)
_SIZES: Final = (4, 5, 8, 9)
_TIMES: Final = (34, 35, 37, 38)
_CHANGED: Final = 5
_AT_ONCE: Final = 64
_TODAY_MS: Final = 1_700_000_000_000


def frames(count: int, updates: int) -> list[bytes]:
    """Return seeded frames of LEVELONE_EQUITIES, each update with five changed fields.

    Args:
        count: How many frames.
        updates: Updates in each.
    """
    source = random.Random(SEED)
    return [_frame(source, number, updates) for number in range(count)]


def _frame(source: random.Random, number: int, updates: int) -> bytes:
    content = [_update(source) for _ in range(updates)]
    data = {
        "service": "LEVELONE_EQUITIES",
        "timestamp": _TODAY_MS + number,
        "command": "SUBS",
        "content": content,
    }
    return msgspec.json.encode({"data": [data]})


def _update(source: random.Random) -> dict[str, Any]:
    update: dict[str, Any] = {"key": f"SYM{source.randrange(KEYS):04d}"}
    for field in source.sample((*_PRICES, *_SIZES, *_TIMES), _CHANGED):
        if field in _PRICES:
            update[str(field)] = round(100 + source.random() * 50, 2)
        elif field in _SIZES:
            update[str(field)] = source.randrange(1, 900)
        else:
            update[str(field)] = _TODAY_MS + source.randrange(10**6)
    return update


async def serve(made: list[bytes]) -> None:
    """Send the frames to each client until the process ends."""
    import websockets

    texts = [one.decode() for one in made]

    async def send(socket: Any) -> None:
        for start in range(0, len(texts), _AT_ONCE):
            for text in texts[start : start + _AT_ONCE]:
                await socket.send(text)
        await socket.close()

    async with websockets.serve(send, "127.0.0.1", 0, compression=None) as running:
        print(next(iter(running.sockets)).getsockname()[1], flush=True)
        await asyncio.Future()


if __name__ == "__main__":
    asyncio.run(serve(frames(int(sys.argv[1]), int(sys.argv[2]))))
