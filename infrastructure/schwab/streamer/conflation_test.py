"""A slow reader's keys are conflated each by itself."""

from __future__ import annotations

import asyncio

from infrastructure.schwab.streamer.delivery import EventQueue
from infrastructure.schwab.streamer.services import SPECS, Service
from infrastructure.schwab.streamer.state import Batch, Update

EQUITIES = SPECS[Service.LEVELONE_EQUITIES]


def test_conflation_keeps_each_keys_own_values() -> None:
    queue = EventQueue(limit=1)
    rounds: list[tuple[Update, ...]] = [
        ({"key": "A", "1": 0.5},),
        ({"key": "A", "1": 1.0}, {"key": "B", "1": 10.0, "2": 11.0}),
        ({"key": "B", "1": 12.0},),
        ({"key": "A", "3": 3.0},),
    ]
    for number, updates in enumerate(rounds):
        queue.put(Batch(EQUITIES, number, number, updates))
    queue.close()

    async def read() -> list[Update]:
        seen: list[Update] = []
        while (event := await queue.get()) is not None:
            assert isinstance(event, Batch)
            seen += event.updates
        return seen

    first, *conflated = asyncio.run(read())
    assert first == {"key": "A", "1": 0.5}
    assert {update["key"]: update for update in conflated} == {
        "A": {"key": "A", "1": 1.0, "3": 3.0},
        "B": {"key": "B", "1": 12.0, "2": 11.0},
    }
    assert queue.conflated == 2
