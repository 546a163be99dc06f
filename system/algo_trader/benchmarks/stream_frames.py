"""Frames of level one for the benchmarks of the streamer, and a server that sends them.

    python -m system.algo_trader.benchmarks.stream_frames FRAMES UPDATES_A_FRAME

prints the port of a WebSocket server on loopback that sends all frames to whoever connects, as
fast as they are taken, and closes.

The mix is that of a trading day: of ten updates seven move a quote's side (price, size, venue and
time), two are trades (price, size, volume, changes in percent, and the derived marks), and one
moves sizes only. The first update of a key holds every field, texts included, as Schwab's does.
"""

from __future__ import annotations

import asyncio
import random
import sys
from typing import Any, Final

import msgspec

from infrastructure.schwab.streamer.services import SPECS, Service

SEED: Final = 7
KEYS: Final = 500
"""As many as Schwab streams of a service."""
_AT_ONCE: Final = 64
_TODAY_MS: Final = 1_700_000_000_000
_VENUES: Final = ("P", "Q", "Z", "K", "N", "V")
_MICS: Final = ("ARCX", "XNAS", "BATS", "EDGX", "XNYS", "IEXG")
_TEXTS: Final = {"description": "Some Company Incorporated Common Stock", "exchange_name": "NASDAQ"}


def frames(count: int, updates: int) -> list[bytes]:
    """Return seeded frames of LEVELONE_EQUITIES.

    Args:
        count: How many frames.
        updates: Updates in each.
    """
    source = random.Random(SEED)
    seen: set[str] = set()
    return [_frame(source, number, updates, seen) for number in range(count)]


def _frame(source: random.Random, number: int, updates: int, seen: set[str]) -> bytes:
    content = [_update(source, seen) for _ in range(updates)]
    data = {
        "service": "LEVELONE_EQUITIES",
        "timestamp": _TODAY_MS + number,
        "command": "SUBS",
        "content": content,
    }
    return msgspec.json.encode({"data": [data]})


def _update(source: random.Random, seen: set[str]) -> dict[str, Any]:
    key = f"SYM{source.randrange(KEYS):03d}"
    if key not in seen:
        seen.add(key)
        return _whole(source, key)
    update: dict[str, Any] = {"key": key}
    kind = source.randrange(10)
    if kind < 7:
        price, size, venue, mic, time = source.choice(((1, 4, 7, 40, 37), (2, 5, 6, 39, 38)))
        update[str(price)] = _price(source)
        update[str(size)] = source.randrange(1, 30)
        if source.random() < 0.5:
            pick = source.randrange(len(_VENUES))
            update[str(venue)], update[str(mic)] = _VENUES[pick], _MICS[pick]
        update["34"] = update[str(time)] = _TODAY_MS + source.randrange(10**7)
    elif kind < 9:
        update["3"] = update["29"] = update["33"] = _price(source)
        update["8"] = source.randrange(10**8)
        update["9"] = update["30"] = source.randrange(1, 900)
        update["18"] = update["31"] = update["44"] = round(source.uniform(-5, 5), 2)
        update["42"] = update["43"] = update["45"] = round(source.uniform(-5, 5), 8)
        update["35"] = update["36"] = _TODAY_MS + source.randrange(10**7)
    else:
        update["4"], update["5"] = source.randrange(1, 30), source.randrange(1, 30)
        update["34"] = _TODAY_MS + source.randrange(10**7)
    return update


def _whole(source: random.Random, key: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "key": key,
        "delayed": False,
        "assetMainType": "EQUITY",
        "assetSubType": "COE",
        "cusip": f"{source.randrange(10**9):09d}",
    }
    for field in SPECS[Service.LEVELONE_EQUITIES].fields[1:]:
        value: Any = _price(source)
        if field.kind == "i":
            value = source.randrange(10**6)
        elif field.kind == "b":
            value = source.random() < 0.5
        elif field.kind == "s":
            value = _TEXTS.get(field.name, source.choice(_VENUES))
        made[str(field.number)] = value
    return made


def _price(source: random.Random) -> float:
    return round(100 + source.random() * 50, 2)


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
