"""Recorded frames reach who listens to their keys, letter for letter where all is wanted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infrastructure.clock import SystemClock, VirtualClock
from infrastructure.errors import CorruptStore, InputError, UsageError
from infrastructure.recording.frame_file import FrameWriter
from infrastructure.simulators.schwab.command import parser
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.streamer.arguments import market_clock, stream_options
from infrastructure.simulators.schwab.streamer.frame_replay import FrameReplay
from infrastructure.simulators.schwab.streamer.pace import StartedTime
from infrastructure.simulators.schwab.streamer.streamer import Streamer
from infrastructure.simulators.schwab.streamer.testing import (
    EQUITIES,
    START_NS,
    Client,
    OneToken,
    items_of,
)

ALL = ",".join(map(str, range(52)))
SECOND = 10**9


def data(service: str, *items: dict[str, Any]) -> str:
    # The blanks show whether a frame is passed on or written anew.
    part = {"service": service, "timestamp": 5, "command": "SUBS", "content": list(items)}
    return json.dumps({"data": [part]})


FULL = data(
    EQUITIES,
    {"key": "A", "delayed": False, "1": 1.0, "2": 2.0},
    {"key": "B", "delayed": False, "1": 10.0},
)
CHANGE = data(EQUITIES, {"key": "A", "1": 1.5})
ANSWER = '{"response": [{"service": "ADMIN", "command": "LOGIN", "content": {"code": 0}}]}'
BROKEN = '{"data": [{"serv"'
BAR = data("CHART_EQUITY", {"seq": 7, "key": "A", "1": 3, "2": 4.0})
BOOK = data("NYSE_BOOK", {"key": "A", "1": 9, "2": [], "3": []})


class Stage:
    """A streamer that replays a file on a clock that a test moves."""

    def __init__(self, path: Path, *frames: tuple[float, str]) -> None:
        with FrameWriter(path, {}) as writer:
            for seconds, text in frames:
                writer.write(START_NS + round(seconds * SECOND), text)
        self.clock = VirtualClock(START_NS)
        self.replay = FrameReplay(path)
        time = StartedTime(self.replay.start_ns, self.clock)
        self.streamer = Streamer(OneToken(), time, self.clock, [self.replay])
        self.replay.relay = self.streamer.relay

    def client(self, keys: str, service: str = EQUITIES, fields: str = ALL) -> Client:
        client = Client(self.streamer)
        client.log_in()
        client.ask(service, "SUBS", keys=keys, fields=fields)
        return client

    def pass_s(self, seconds: float) -> None:
        self.clock.advance(seconds=seconds)
        self.streamer.pump()


def test_who_wants_all_gets_the_frames_letter_for_letter_at_their_pace(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "f", (0, ANSWER), (0, FULL), (2, CHANGE))
    client = stage.client("A,B")
    stage.pass_s(0)
    assert client.texts() == [FULL]
    stage.pass_s(1.9)
    assert client.texts() == []
    stage.pass_s(0.1)
    assert client.texts() == [CHANGE]
    assert stage.replay.is_over


def test_the_replay_begins_with_its_first_listener(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "f", (0, FULL))
    stage.pass_s(100)
    assert not stage.replay.is_over
    client = stage.client("A,B")
    stage.pass_s(0)
    assert client.texts() == [FULL]


def test_others_get_their_keys_and_fields_only(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "f", (0, FULL), (1, CHANGE))
    client = stage.client("A,C", fields="0,1")
    stage.pass_s(1)
    assert client.items(EQUITIES) == [
        {"key": "A", "delayed": False, "1": 1.0},
        {"key": "A", "1": 1.5},
    ]


def test_who_comes_late_gets_all_of_a_key_first(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "f", (0, FULL), (1, CHANGE), (2, CHANGE))
    first = stage.client("B")
    stage.pass_s(1)
    first.texts()
    stage.streamer.receive(
        first.session,
        json.dumps(first.command(EQUITIES, "ADD", keys="A", fields=ALL)),
    )
    late = items_of(first.frames(), EQUITIES)
    assert late == [{"key": "A", "delayed": False, "1": 1.5, "2": 2.0}]
    stage.pass_s(1)
    assert first.texts() == [CHANGE]


def test_sequences_are_counted_anew_for_each_connection(tmp_path: Path) -> None:
    later = BAR.replace('"seq": 7', '"seq": 0')
    stage = Stage(tmp_path / "f", (0, BAR), (1, later))
    client = stage.client("A", "CHART_EQUITY", "0,1,2,3,4,5,6,7,8")
    stage.pass_s(1)
    assert [item["seq"] for item in client.items("CHART_EQUITY")] == [0, 1]


def test_whole_services_and_unreadable_frames_are_passed_on(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "f", (0, BOOK), (1, BROKEN))
    client = stage.client("A", "NYSE_BOOK", "0,1,2,3")
    stage.pass_s(1)
    assert client.texts() == [BOOK, BROKEN]


def test_a_long_silence_is_shortened_to_a_minute(tmp_path: Path) -> None:
    stage = Stage(tmp_path / "f", (0, FULL), (86_400, CHANGE))
    client = stage.client("A,B")
    stage.pass_s(60)
    assert client.texts()[:2] == [FULL, CHANGE]


def test_the_command_line_names_the_file_and_its_speed(
    tmp_path: Path, bokeh_market: ReplayMarket
) -> None:
    stage = Stage(tmp_path / "f", (0, FULL))
    assert stage.replay.keys == ((EQUITIES, "A"), (EQUITIES, "B"))
    line = parser()
    for speed, steps in (("1x", False), ("100x", False), ("max", True)):
        options = line.parse_args(["--frames", str(tmp_path / "f"), "--speed", speed])
        chosen = stream_options(options, bokeh_market, market_clock(options))
        assert chosen.frames is not None
        assert chosen.time is not None
        assert chosen.time.now_ns >= START_NS
        assert (chosen.step is not None) == steps
        assert isinstance(chosen.clock, SystemClock)
    both = line.parse_args(["--frames", "f", "--ticks", "g"])
    with pytest.raises(UsageError, match="two sources"):
        stream_options(both, bokeh_market, VirtualClock(0))


def test_a_file_without_data_is_refused(tmp_path: Path) -> None:
    with FrameWriter(tmp_path / "f", {}) as writer:
        writer.write(1, ANSWER)
    with pytest.raises(InputError, match="no frame with data"):
        FrameReplay(tmp_path / "f")
    with pytest.raises(InputError, match="cannot be read"):
        FrameReplay(tmp_path / "missing")
    (tmp_path / "other").write_bytes(b"hello")
    with pytest.raises(CorruptStore):
        FrameReplay(tmp_path / "other")
