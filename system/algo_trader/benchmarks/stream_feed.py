"""A paced feed of level one in a process of its own, every update numbered and stamped.

    python -m system.algo_trader.benchmarks.stream_feed UPDATES_A_SECOND SECONDS UPDATES_A_FRAME

prints the port of a WebSocket server on loopback. It answers commands as Schwab's streamer does,
and from the first SUBS on sends frames at an even pace. Field 8 (the volume) of every update is
its number, from 0; field 34 (the quote's time) is the monotonic clock in nanoseconds, read before
the frame is encoded and sent. A last update of the key END says in field 8 how many there were.
"""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec

NUMBER: Final = 8
SENT_AT: Final = 34
END: Final = "END"
KEYS: Final = tuple(f"SYM{number:03d}" for number in range(499))
SERVICE: Final = "LEVELONE_EQUITIES"


@contextmanager
def feeding(rate: int, seconds: float, size: int) -> Iterator[int]:
    """Run a feed in another process; yield its port.

    Args:
        rate: Updates a second.
        seconds: How long it sends.
        size: Updates a frame.
    """
    server = subprocess.Popen(
        [sys.executable, "-m", __name__, str(rate), str(seconds), str(size)],
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


async def serve(rate: int, seconds: float, size: int) -> None:
    """Serve until the process ends."""
    import websockets

    async def talk(socket: Any) -> None:
        async for text in socket:
            for request in msgspec.json.decode(text)["requests"]:
                reply = {key: request[key] for key in ("service", "command", "requestid")}
                content = {"code": 0, "msg": "ok"}
                answer = {"response": [{**reply, "timestamp": 0, "content": content}]}
                await socket.send(msgspec.json.encode(answer).decode())
                if request["command"] == "SUBS":
                    await send(socket, rate, seconds, size)

    async with websockets.serve(talk, "127.0.0.1", 0, compression=None) as running:
        print(next(iter(running.sockets)).getsockname()[1], flush=True)
        await asyncio.Future()


async def send(socket: Any, rate: int, seconds: float, size: int) -> None:
    """Send the feed; a frame that is late is sent at once."""
    source = random.Random(7)
    total = round(rate * seconds / size) * size
    begin = time.monotonic()
    for number in range(0, total, size):
        ahead = begin + number / rate - time.monotonic()
        if ahead > 0:
            await asyncio.sleep(ahead)
        await socket.send(_frame([_update(source, number + one) for one in range(size)]))
    await socket.send(_frame([{"key": END, str(NUMBER): total}]))


def _update(source: random.Random, number: int) -> dict[str, Any]:
    price = round(100 + source.random() * 50, 2)
    side = number % 2
    return {
        "key": KEYS[number % len(KEYS)],
        str(1 + side): price,
        str(4 + side): 1 + number % 30,
        str(7 - side): "P",
        str(NUMBER): number,
        str(SENT_AT): time.monotonic_ns(),
    }


def _frame(content: list[dict[str, Any]]) -> str:
    data = {"service": SERVICE, "timestamp": 0, "command": "SUBS", "content": content}
    return msgspec.json.encode({"data": [data]}).decode()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])))
