"""Under any order of updates, commands and faults the ledger is what was sent and withheld."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.simulators.schwab.streamer.ledger import SENT, Item, Ledger
from infrastructure.simulators.schwab.streamer.rules import StreamRules, unconflated
from infrastructure.simulators.schwab.streamer.testing import EQUITIES, Bench, Client

KEYS = ("K1", "K2", "K3")
SERVICES = (EQUITIES, "CHART_EQUITY", "NYSE_BOOK")
FIELDS = {EQUITIES: "0,1,2,15", "CHART_EQUITY": "0,1,2", "NYSE_BOOK": "0,1,2"}

steps = st.one_of(
    st.tuples(st.just("tell"), st.sampled_from(SERVICES), st.sampled_from(KEYS)),
    st.tuples(st.just("tell"), st.sampled_from(SERVICES), st.sampled_from(KEYS)),
    st.tuples(st.just("pass"), st.sampled_from((0.1, 0.5, 1.5)), st.none()),
    st.tuples(
        st.just("fault"),
        st.sampled_from(
            ("drop", "duplicate", "corrupt", "extra", "interval", "cut", "half", "close")
        ),
        st.sampled_from(SERVICES),
    ),
    st.tuples(st.just("view"), st.sampled_from(SERVICES), st.none()),
    st.tuples(st.just("unsubscribe"), st.sampled_from(SERVICES), st.sampled_from(KEYS)),
)


class Watched:
    """A client that subscribes everything, comes back after each cut, and counts what it sees."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.seen: Counter[tuple[str, str]] = Counter()
        self.copies = 0
        self.state: dict[tuple[str, str], dict[str, Any]] = {}
        self.unreadable = 0
        self._seqs: set[tuple[int, str, int]] = set()
        self.log_in()

    def log_in(self) -> None:
        self.client = Client(self.bench.streamer)
        self.client.log_in()
        for service in SERVICES:
            keys = ",".join(KEYS)
            self.client.say(self.client.command(service, "SUBS", keys=keys, fields=FIELDS[service]))
        self.read()

    def read(self) -> None:
        for text in self.client.texts():
            try:
                frame = json.loads(text)
            except json.JSONDecodeError:
                self.unreadable += 1
                continue
            for part in frame.get("data", ()):
                for item in part["content"]:
                    self.take(part["service"], item)

    def take(self, service: str, item: dict[str, Any]) -> None:
        seq = item.get("seq")
        if seq is not None:
            mark = (self.client.session.number, service, seq)
            if mark in self._seqs:
                self.copies += 1
                return
            self._seqs.add(mark)
        self.seen[service, item["key"]] += 1
        self.state.setdefault((service, item["key"]), {}).update(item)

    def come_back(self) -> None:
        """Read what still comes, lose the socket and log in again if a fault has cut it."""
        self.read()
        if self.client.session.cut is not None:
            self.client.close()
            self.log_in()


def do(watched: Watched, step: tuple[str, Any, Any]) -> None:
    bench, (kind, what, more) = watched.bench, step
    faults = bench.streamer.faults
    if kind == "tell":
        bench.source.tell(bench.streamer, what, more)
    elif kind == "pass":
        bench.pass_s(what)
        watched.read()
    elif kind == "view":
        watched.client.say(watched.client.command(what, "VIEW", fields="0,1,2,3"))
    elif kind == "unsubscribe":
        watched.client.say(watched.client.command(what, "UNSUBS", keys=more))
    elif what in ("drop", "duplicate"):
        getattr(faults, f"{what}_frames")("CHART_EQUITY")
    elif what in ("corrupt", "extra"):
        faults.corrupt_frames(more, extra=what == "extra")
    elif what == "interval":
        bench.streamer.drop_interval(1.2)
    elif what == "cut":
        bench.streamer.drop_connections()
    elif what == "half":
        bench.streamer.half_open()
    else:
        bench.streamer.close_connections(1011)


@pytest.mark.parametrize("interval", ["conflated", "unconflated"])
@settings(max_examples=60, deadline=None)
@given(script=st.lists(steps, max_size=40), patience=st.integers(1, 8))
def test_ledger_is_sent_and_withheld_under_any_faults(
    interval: str, script: list[tuple[str, Any, Any]], patience: int
) -> None:
    rules = StreamRules(empty_s=None)
    if interval == "unconflated":
        rules = StreamRules(empty_s=None, interval_s=unconflated())
    watched = Watched(Bench(rules))
    for number, step in enumerate(script):
        do(watched, step)
        if number % patience == 0:
            watched.come_back()
    # The faults end, the client comes back, and time passes.
    watched.bench.streamer.faults.clear()
    watched.bench.pass_s(1.5)
    watched.come_back()
    watched.log_in()
    watched.bench.pass_s(1.5)
    watched.read()

    ledger = watched.bench.streamer.ledger
    sent: Counter[tuple[str, str]] = Counter()
    for service in SERVICES:
        for key in KEYS:
            runs = ledger.runs(service, key)
            # The runs tile the numbers from 1 on, without a hole.
            expected = 1
            for run in runs:
                assert run.first_number == expected
                expected = run.last_number + 1
                if run.fate == SENT:
                    sent[service, key] += run.items
    assert sent == watched.seen
    assert watched.copies == len(ledger.copies())
    # A client that is connected has the simulator's own state.
    for service in (EQUITIES, "NYSE_BOOK"):
        for key in KEYS:
            state = watched.bench.streamer.board.state(service, key)
            assert state is not None
            wanted = [number for number in FIELDS[service].split(",") if number in state.values]
            mine = watched.state[service, key]
            assert {n: mine[n] for n in wanted} == {n: state.values[n] for n in wanted}


def test_runs_join_neighbours_of_one_fate_and_connection() -> None:
    ledger = Ledger()
    items = [Item("S", "K", seq, 1_000 + seq, 1, 1) for seq in range(4)]
    ledger.record(items[:2])
    ledger.record(items[2:3], "dropped frame")
    ledger.record(items[3:])
    runs = ledger.runs("S", "K")
    assert [(r.fate, r.first_seq, r.last_seq, r.first_ms, r.last_ms) for r in runs] == [
        (SENT, 0, 1, 1_000, 1_001),
        ("dropped frame", 2, 2, 1_002, 1_002),
        (SENT, 3, 3, 1_003, 1_003),
    ]
    summary = ledger.as_json()
    assert (summary["sent"], summary["withheld"]) == (3, 1)
