"""A slow reader's keys are conflated each by itself."""

from __future__ import annotations

import asyncio

from infrastructure.schwab.streamer.continuity import Gap
from infrastructure.schwab.streamer.delivery import EventQueue
from infrastructure.schwab.streamer.events import Disconnected, StreamEvent
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


def filled() -> EventQueue:
    """Return a queue in which events of every kind wait: whole, conflated, and overflown."""
    queue = EventQueue(limit=2)
    for number in range(12):
        update: Update = {"key": "A", "seq": number, "1": number}
        queue.put(Batch(SPECS[Service.CHART_EQUITY], number, number, (update,)))
        queue.put(Disconnected(number, "lost"))
        queue.put(Batch(EQUITIES, number, number, ({"key": f"K{number % 3}", "1": number},)))
    return queue


def test_one_call_takes_all_that_waits_in_the_order_of_single_ones() -> None:
    async def read() -> None:
        singly, together = filled(), filled()
        singly.close()
        one_by_one: list[StreamEvent] = []
        while (event := await singly.get()) is not None:
            one_by_one.append(event)
        assert await together.get_many() == one_by_one
        assert {type(event) for event in one_by_one} == {Batch, Disconnected, Gap}
        assert len(together) == 0
        waiting = asyncio.create_task(together.get_many())
        await asyncio.sleep(0)
        assert not waiting.done()
        later = Batch(EQUITIES, 1, 1, ({"key": "A", "1": 1.0},))
        together.put(later)
        together.put(later)
        assert await waiting == [later, later]
        together.close()
        assert await together.get_many() == []

    asyncio.run(read())


def test_the_bound_holds_after_all_was_taken_at_once() -> None:
    async def read() -> None:
        queue = EventQueue(limit=2)
        for _ in range(3):
            for number in range(2):
                queue.put(Batch(EQUITIES, number, number, ({"key": "A", "1": number},)))
            assert len(await queue.get_many()) == 2
        assert queue.conflated == 0

    asyncio.run(read())
