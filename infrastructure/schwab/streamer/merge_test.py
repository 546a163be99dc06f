"""The merged state of every service beside a naive one, over random sequences of frames."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.schwab.streamer.continuity import Gap, GapReason
from infrastructure.schwab.streamer.delivery import EventQueue
from infrastructure.schwab.streamer.intake import Intake
from infrastructure.schwab.streamer.policy import StreamCounts
from infrastructure.schwab.streamer.services import SPECS, Service
from infrastructure.schwab.streamer.updates import Batch

CHANGE = [one for one in Service if one.startswith("LEVELONE")]
SEQUENCED = [one for one in Service if one.startswith("CHART")] + [Service.ACCT_ACTIVITY]

PRICES = st.floats(0, 1e5).map(lambda price: round(price, 2))
MAKERS = st.fixed_dictionaries(
    {"0": st.sampled_from(["NSDQ", "ARCX", "memx"]), "1": st.integers(1, 900), "2": st.integers(0)}
)
LEVELS = st.lists(
    st.fixed_dictionaries(
        {"0": PRICES, "1": st.integers(1), "2": st.integers(1), "3": st.lists(MAKERS, max_size=2)}
    ),
    max_size=3,
)
ITEMS = st.lists(
    st.fixed_dictionaries({"symbol": st.sampled_from(["A", "B"]), "lastPrice": PRICES}), max_size=2
)
BY_KIND: dict[str, st.SearchStrategy[Any]] = {
    "f": PRICES | st.none(),
    "i": st.integers(0, 2**53) | st.none(),
    "b": st.booleans(),
    "s": st.text(max_size=12),
    "o": LEVELS | ITEMS,
}


@dataclass
class Naive:
    """Write every value where it belongs, one after the other."""

    known: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    doubled: int = 0
    missing: int = 0
    applied: list[dict[str, Any]] = field(default_factory=list)

    def take(self, service: Service, update: dict[str, Any]) -> None:
        of_service = self.known.setdefault(service, {})
        if service in SEQUENCED:
            last = self.last.get(service)
            if last is not None and update["seq"] <= last:
                self.doubled += 1
                return
            self.missing += 0 if last is None else update["seq"] - last - 1
            self.last[service] = update["seq"]
        if service not in CHANGE:
            of_service[update["key"]] = {}
        for word, value in update.items():
            of_service.setdefault(update["key"], {})[word] = value
        self.applied.append(update)


@st.composite
def updates(draw: st.DrawFn, service: Service) -> dict[str, Any]:
    """Make an update with some fields of its service."""
    every = SPECS[service].fields[1:]
    fields = draw(st.lists(st.sampled_from(every), max_size=6, unique=True))
    update: dict[str, Any] = {"key": draw(st.sampled_from(["AAPL", "IBM", "EUR/USD"]))}
    if service in SEQUENCED:
        update["seq"] = draw(st.integers(0, 30))
    return update | {str(one.number): draw(BY_KIND[one.kind]) for one in fields}


@st.composite
def entries(draw: st.DrawFn) -> tuple[Service, list[dict[str, Any]]]:
    """Make an entry of a frame."""
    service = draw(st.sampled_from(Service))
    return service, draw(st.lists(updates(service), max_size=3))


FRAMES = st.lists(st.lists(entries(), min_size=1, max_size=3), max_size=6)


@settings(max_examples=80, deadline=None)
@given(FRAMES, st.integers(0, 6))
def test_the_state_of_every_service_is_what_writing_every_value_in_order_gives(
    frames: list[list[tuple[Service, list[dict[str, Any]]]]], compiled_from: int
) -> None:
    async def take() -> tuple[Intake, list[Any]]:
        queue = EventQueue(100_000)
        intake = Intake(queue, StreamCounts(), None)
        for number, frame in enumerate(frames):
            if number == compiled_from:
                await intake.load()
            data = [
                {"service": service, "timestamp": number, "command": "SUBS", "content": content}
                for service, content in frame
            ]
            intake.read(msgspec.json.encode({"data": data}), number + 1)
        queue.close()
        events = []
        while (event := await queue.get()) is not None:
            events.append(event)
        return intake, events

    naive = Naive()
    for frame in frames:
        for service, content in frame:
            for update in content:
                naive.take(service, update)
    intake, events = asyncio.run(take())
    for service in Service:
        state = intake.states[service]
        assert state.records() == naive.known.get(service, {})
        for key, record in naive.known.get(service, {}).items():
            names = {str(one.number): one.name for one in SPECS[service].fields}
            assert state.latest(key) == {names.get(word, word): v for word, v in record.items()}
    told = [update for one in events if isinstance(one, Batch) for update in one.updates]
    assert told == naive.applied
    assert sum(one.duplicates for one in intake.continuity.values()) == naive.doubled
    gaps = [one for one in events if isinstance(one, Gap)]
    assert {gap.reason for gap in gaps} <= {GapReason.SEQUENCE}
    assert sum(gap.missing or 0 for gap in gaps) == naive.missing
