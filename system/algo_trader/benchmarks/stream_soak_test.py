"""A long day of the stream's client: 20,000 updates a second, nothing lost, no memory gained.

STREAM_SOAK_S in the environment says how many seconds it lasts, ten minutes without it.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from typing import Any

import pytest

from infrastructure.config import Secret
from infrastructure.schwab.streamer.commands import StreamerInfo
from infrastructure.schwab.streamer.continuity import Gap
from infrastructure.schwab.streamer.events import Disconnected
from infrastructure.schwab.streamer.policy import StreamPolicy
from infrastructure.schwab.streamer.services import Service
from infrastructure.schwab.streamer.streamer import SchwabStreamer
from infrastructure.schwab.streamer.updates import Batch
from system.algo_trader.benchmarks.stream_feed import END, KEYS, NUMBER, SERVICE, feeding

SECONDS = float(os.environ.get("STREAM_SOAK_S", "600"))
RATE = 20_000
SIZE = 20
WARM_UP = RATE * 10
MOST_GROWTH = 0.05
GRACE_S = 120


def rss_bytes() -> int:
    """Return the memory of this process, as `ps` tells it in KiB."""
    told = subprocess.check_output(["ps", "-o", "rss=", "-p", str(os.getpid())])
    return int(told) * 1024


def test_minutes_at_20_000_updates_a_second_lose_nothing_and_gain_no_memory(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with feeding(RATE, SECONDS, SIZE) as port:
        figures = asyncio.run(asyncio.wait_for(soak(port), SECONDS + GRACE_S))
    with capsys.disabled():
        print(f"\n{figures}")
    assert figures["lost"] == 0
    assert figures["received"] == figures["sent"] == round(RATE * SECONDS)
    assert figures["conflated"] == figures["gaps"] == figures["bad_frames"] == 0
    assert figures["connections"] == 1
    assert figures["newest"] == figures["sent"] - 1
    assert figures["growth"] < MOST_GROWTH


async def soak(port: int) -> dict[str, Any]:
    info = StreamerInfo(f"ws://127.0.0.1:{port}/ws", "customer", "correl", "N9", "APIAPP")
    policy = StreamPolicy(compiled_after=0)
    streamer = SchwabStreamer(lambda: info, lambda forced: Secret("token"), policy=policy)
    await streamer.warm_up()
    await streamer.subscribe(Service(SERVICE), [*KEYS, END])
    running = asyncio.create_task(streamer.run())
    sent, received, lost, gaps, before, most = None, 0, 0, 0, 0, 0
    while sent is None:
        event = await streamer.events.get()
        gaps += isinstance(event, Gap | Disconnected)
        if not isinstance(event, Batch):
            continue
        columns = event.columns((NUMBER,))
        if columns.keys[-1] == END:
            sent = int(columns.values[-1, 0])
            continue
        for number in columns.values[:, 0].tolist():
            lost += int(number) - received
            received = int(number) + 1
        if received % WARM_UP == 0:
            now = rss_bytes()
            before = before or now
            most = max(most, now)
    state = streamer.state(Service(SERVICE))
    newest = max(row[0] for row in state.columns((NUMBER,)).values.tolist() if row[0] < sent)
    await streamer.stop()
    await running
    return {
        "seconds": SECONDS,
        "sent": sent,
        "received": received - lost,
        "lost": lost,
        "gaps": gaps,
        "conflated": streamer.events.conflated,
        "bad_frames": streamer.counts.bad_frames,
        "compiled_frames": streamer.counts.compiled,
        "connections": streamer.counts.connections,
        "newest": newest,
        "rss_mib": round(before / 2**20, 1),
        "rss_most_mib": round(most / 2**20, 1),
        "growth": most / before - 1,
    }
