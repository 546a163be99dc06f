"""Frames taken in, before and after the compiled kernels take over."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from infrastructure.schwab.streamer.continuity import Gap, GapReason
from infrastructure.schwab.streamer.delivery import EventQueue
from infrastructure.schwab.streamer.intake import Intake
from infrastructure.schwab.streamer.policy import StreamCounts
from infrastructure.schwab.streamer.services import Service
from infrastructure.schwab.streamer.updates import Batch

DEADLINE_S = 30


def frame(*entries: tuple[str, list[dict[str, Any]]]) -> bytes:
    data = [
        {"service": service, "timestamp": 7, "command": "SUBS", "content": content}
        for service, content in entries
    ]
    return msgspec.json.encode({"data": data})


def intake(compiled_after: int | None = None, limit: int = 1000) -> Intake:
    return Intake(EventQueue(limit), StreamCounts(), compiled_after)


async def events_of(taken: Intake) -> list[Any]:
    taken._events.close()
    events = []
    while (event := await taken._events.get()) is not None:
        events.append(event)
    return events


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(test())  # type: ignore[arg-type]


FRAMES = [
    frame(("LEVELONE_EQUITIES", [{"key": "AAPL", "delayed": False, "1": 10.5, "15": "Apple Inc"}])),
    frame(("LEVELONE_EQUITIES", [{"key": "AAPL", "1": 10.25}, {"key": "IBM", "4": 3}])),
    frame(("NYSE_BOOK", [{"key": "IBM", "1": 5, "2": [], "3": []}])),
    frame(
        ("LEVELONE_FOREX", [{"key": "EUR/USD", "1": 1.1}]),
        ("LEVELONE_EQUITIES", [{"key": "AAPL", "4": 7, "15": "Äpple"}]),
    ),
    frame(("LEVELONE_OPTIONS", [{"key": "AAPL  130316C00430000", "28": 0.52340912}])),
    frame(("LEVELONE_EQUITIES", [{"key": "AAPL", "15": "Apple Incorporated", "32": "Normal"}])),
]


@pytest.mark.parametrize("at", range(len(FRAMES) + 1))
def test_kernels_that_take_over_at_any_frame_change_nothing_for_the_reader(at: int) -> None:
    async def test() -> None:
        plain, compiled = intake(), intake()
        for number, payload in enumerate(FRAMES):
            if number == at:
                await compiled.load()
            for one in (plain, compiled):
                one.read(payload, number + 1)
        for service in Service:
            assert compiled.states[service].records() == plain.states[service].records()
        seen = [await events_of(one) for one in (compiled, plain)]
        told = [
            [(one.spec.service, one.timestamp_ms, one.received_ns, one.updates) for one in events]
            for events in seen
        ]
        assert told[0] == told[1]
        assert [len(one) for one in seen[0]] == [len(one) for one in seen[1]]
        assert [list(one.named()) for one in seen[0]] == [list(one.named()) for one in seen[1]]
        assert compiled._counts.updates == plain._counts.updates == 8
        # The book and the letter past ASCII are left to msgspec.
        assert compiled._counts.compiled == len([n for n in (0, 1, 4, 5) if n >= at])

    run(test)


def test_a_busy_stream_loads_the_kernels_by_itself_and_keeps_its_state() -> None:
    async def test() -> None:
        taken = intake(compiled_after=3)
        async with asyncio.timeout(DEADLINE_S):
            while not taken._counts.compiled:
                taken.read(FRAMES[1], 1)
                await asyncio.sleep(0)
        state = taken.states[Service.LEVELONE_EQUITIES]
        assert state.latest("AAPL") == {"key": "AAPL", "bid_price": 10.25}
        assert state.keys() == ("AAPL", "IBM")

    run(test)


def test_without_a_compiler_the_stream_stays_with_msgspec(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        monkeypatch.setitem(sys.modules, "infrastructure.schwab.streamer.board", None)
        taken = intake()
        await taken.load()
        taken.read(FRAMES[1], 1)
        assert taken.states[Service.LEVELONE_EQUITIES].keys() == ("AAPL", "IBM")
        assert taken._counts.compiled == 0

    run(test)


def test_a_gap_ends_before_the_batch_that_the_kernels_read() -> None:
    async def test() -> None:
        taken = intake()
        await taken.load()
        taken.read(FRAMES[1], 1_000_000_000)
        taken.continuity[Service.LEVELONE_EQUITIES].connection_lost(2_000_000_000)
        taken.read(FRAMES[1], 4_000_000_000)
        kinds = [type(one) for one in await events_of(taken)]
        assert len(kinds) == 3
        assert kinds[1] is Gap
        watch = taken.continuity[Service.LEVELONE_EQUITIES]
        assert watch.last_received_ns == 4_000_000_000

    run(test)


@pytest.mark.parametrize("key", [None, 5, ["AAPL"], {"a": 1}])
def test_an_entry_whose_key_is_no_text_is_counted_and_left_out(key: Any) -> None:
    async def test() -> None:
        for compiled in (False, True):
            taken = intake()
            if compiled:
                await taken.load()
            taken.read(
                frame(
                    ("LEVELONE_EQUITIES", [{"key": "IBM", "1": 1.5}, {"key": key, "1": 2.5}]),
                    ("LEVELONE_FOREX", [{"key": "EUR/USD", "1": 1.1}]),
                ),
                1,
            )
            assert taken._counts.bad_frames == 1
            assert len(taken.states[Service.LEVELONE_EQUITIES]) == 0
            assert taken.states[Service.LEVELONE_FOREX].keys() == ("EUR/USD",)

    run(test)


def test_a_slow_reader_of_compiled_frames_gets_the_newest_of_every_field() -> None:
    async def test() -> None:
        taken = intake(limit=2)
        await taken.load()
        for number in range(5):
            payload = frame(
                ("LEVELONE_EQUITIES", [{"key": "AAPL", "1": number, str(number + 2): 1}])
            )
            taken.read(payload, number)
        *ahead, last = await events_of(taken)
        assert [one.updates[0]["1"] for one in ahead] == [0, 1]
        assert isinstance(last, Batch)
        assert last.updates == ({"key": "AAPL", "1": 4, "4": 1, "5": 1, "6": 1},)
        assert last.conflated == taken._events.conflated == 2
        assert {gap.reason for gap in ahead if isinstance(gap, Gap)} <= {GapReason.OVERFLOW}

    run(test)
