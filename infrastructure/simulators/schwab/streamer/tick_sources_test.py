"""Ticks out of files and invented ones, and the clocks that move them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from infrastructure.clock import VirtualClock
from infrastructure.errors import InputError, UsageError
from infrastructure.simulators.schwab.command import parser
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.streamer.arguments import market_clock, stream_options
from infrastructure.simulators.schwab.streamer.pace import ScaledClock, StartedTime, SteppedClock
from infrastructure.simulators.schwab.streamer.rules import StreamRules, unconflated
from infrastructure.simulators.schwab.streamer.sources import Source
from infrastructure.simulators.schwab.streamer.streamer import Streamer
from infrastructure.simulators.schwab.streamer.synthetic_ticks import SyntheticTicks
from infrastructure.simulators.schwab.streamer.testing import (
    EQUITIES,
    START_NS,
    Client,
    OneToken,
    items_of,
)
from infrastructure.simulators.schwab.streamer.tick_file import TickFile

ROWS = """ts_event,symbol,price,size,bid,ask,bid_size,ask_size
2013-03-01T14:30:00.000Z,ABC,,,10.00,10.02,300,500
2013-03-01T14:30:00.250Z,ABC,10.02,100,,,,
2013-03-01T14:30:00.250Z,ABC,10.01,200,,,,
2013-03-01T14:30:01.000Z,XYZ,50,7,,,,
2013-03-01T14:30:02.000Z,ABC,,,10.01,,400,
"""


def client_of(source: Source, start_ns: int) -> tuple[Client, VirtualClock]:
    clock = VirtualClock(start_ns)
    rules = StreamRules(empty_s=None, interval_s=unconflated())
    streamer = Streamer(OneToken(), StartedTime(start_ns, clock), clock, [source], rules=rules)
    client = Client(streamer)
    client.log_in()
    return client, clock


def played(source: Source, start_ns: int, keys: str, strides: list[float]) -> list[dict[str, Any]]:
    client, clock = client_of(source, start_ns)
    client.ask(EQUITIES, "SUBS", keys=keys, fields="0,1,2,3,4,5,8,9,34,35")
    items = items_of(client.rest, EQUITIES)
    for stride in strides:
        clock.advance(seconds=stride)
        client.streamer.pump()
        items += client.items(EQUITIES)
    return items


@pytest.fixture(params=["csv", "parquet"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / f"ticks.{request.param}"
    if request.param == "csv":
        path.write_text(ROWS)
        return path
    none = None
    first = 1_362_148_200_000_000_000
    columns = {
        "ts_event": [
            first,
            first + 250_000_000,
            first + 250_000_000,
            first + 10**9,
            first + 2 * 10**9,
        ],
        "symbol": ["ABC", "ABC", "ABC", "XYZ", "ABC"],
        "price": [none, 10.02, 10.01, 50.0, none],
        "size": [none, 100, 200, 7, none],
        "bid": [10.0, none, none, none, 10.01],
        "ask": [10.02, none, none, none, none],
        "bid_size": [300, none, none, none, 400],
        "ask_size": [500, none, none, none, none],
    }
    pq.write_table(pa.table(columns), path)
    return path


def test_rows_of_a_file_come_in_their_order_when_their_time_comes(file: Path) -> None:
    ticks = TickFile(file)
    assert ticks.start_ns == START_NS
    assert ticks.symbols == ("ABC", "XYZ")
    items = played(ticks, ticks.start_ns, "ABC", [0.0, 0.25, 1.0, 1.0])
    assert items[0]["3"] == 0.0  # nothing has traded yet
    assert [
        {
            number: value
            for number, value in item.items()
            if number in ("1", "2", "3", "4", "8", "9")
        }
        for item in items[1:]
    ] == [
        {"1": 10.0, "2": 10.02, "4": 300},
        {"3": 10.02, "8": 100, "9": 100},
        {"3": 10.01, "8": 300, "9": 200},
        {"1": 10.01, "4": 400},
    ]
    assert items[2]["35"] == START_NS // 10**6 + 250


def test_a_later_subscription_sees_where_the_file_stands(file: Path) -> None:
    ticks = TickFile(file)
    client, clock = client_of(ticks, ticks.start_ns)
    clock.advance(seconds=5)
    client.streamer.pump()
    client.ask(EQUITIES, "SUBS", keys="ABC", fields="0,1,3,8")
    (full,) = items_of(client.rest, EQUITIES)
    assert (full["1"], full["3"], full["8"]) == (10.01, 10.01, 300)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("ts_event,price\n2013-03-01T14:30:00Z,1\n", "ticks need a time"),
        ("ts_event,symbol\n2013-03-01T14:30:00Z,A\n", "ticks need a time"),
        ("ts_event,symbol,price\n2013-03-01T14:30:00,A,1\n", "without a zone"),
        ("ts_event,symbol,price\n2013-03-01T14:30:00Z,A,x\n", "not a number"),
        ("ts_event,symbol,price\nnever,A,1\n", "cannot be read"),
        ("ts_event,symbol,price\n", "no rows"),
    ],
)
def test_files_that_are_no_ticks_are_refused_by_reason(
    tmp_path: Path, text: str, reason: str
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=reason):
        TickFile(path)


def test_synthetic_ticks_are_the_same_for_one_seed_however_time_is_stepped() -> None:
    def ticks(seed: int, strides: list[float]) -> list[dict[str, Any]]:
        source = SyntheticTicks(20, 2_000, START_NS, seed)
        return played(source, START_NS, ",".join(source.symbols), strides)

    fine = ticks(3, [0.1] * 20)
    # 20 full frames and every tick of two seconds; one of them falls on the very end.
    assert len(fine) == 20 + 4_001
    coarse = ticks(3, [0.7, 1.3])
    assert fine == coarse
    assert fine != ticks(4, [2.0])


def test_synthetic_ticks_keep_the_spread_and_count_the_volume() -> None:
    source = SyntheticTicks(5, 1_000, START_NS, 1)
    volumes: dict[str, int] = {}
    state: dict[str, dict[str, Any]] = {}
    for item in played(source, START_NS, ",".join(source.symbols), [1.0]):
        known = state.setdefault(item["key"], {})
        known.update(item)
        assert round(known["2"] - known["1"], 6) == 0.02
        assert known["8"] == volumes.get(item["key"], 0) + known["9"]
        volumes[item["key"]] = known["8"]


def test_a_market_of_max_speed_steps_only_while_somebody_listens_and_keeps_up() -> None:
    clock = SteppedClock(START_NS, step_s=0.5)
    time_of = StartedTime(START_NS, clock)
    source = SyntheticTicks(2, 10, START_NS, 1)
    rules = StreamRules(empty_s=None, interval_s=unconflated(), high_water_bytes=2_000)
    real = VirtualClock(0)
    streamer = Streamer(OneToken(), time_of, real, [source], rules=rules, step=clock.step)
    client = Client(streamer)
    client.log_in()
    assert not streamer.pump()
    assert time_of.now_ns == START_NS
    client.ask(EQUITIES, "SUBS", keys="SIM0000,SIM0001", fields="0,1,2,3,8,9,34,35")
    while streamer.pump():
        pass
    stopped = time_of.now_ns
    assert stopped > START_NS
    assert client.frames()
    assert streamer.pump()
    assert time_of.now_ns > stopped


def test_a_scaled_clock_runs_some_times_as_fast() -> None:
    clock = VirtualClock(1_000)
    fast = ScaledClock(clock, 60)
    clock.advance(seconds=2)
    assert fast.monotonic_ns() == 120 * 10**9
    assert fast.now_ns() == 1_000 + 120 * 10**9
    fast.sleep(60)
    assert clock.monotonic_ns() == 3 * 10**9
    with pytest.raises(InputError, match="above 0"):
        ScaledClock(clock, 0)


def test_the_command_line_chooses_source_and_speed(file: Path, bokeh_market: ReplayMarket) -> None:
    line = parser()
    options = line.parse_args(["--ticks", str(file), "--speed", "max", "--unconflated"])
    clock = market_clock(options)
    chosen = stream_options(options, bokeh_market, clock)
    assert chosen.step is not None
    assert chosen.time is not None
    assert chosen.time.now_ns == START_NS
    assert set(chosen.rules.interval_s.values()) == {0.0}
    options = line.parse_args(["--synthetic-ticks", "3", "100", "--speed", "10"])
    chosen = stream_options(options, bokeh_market, market_clock(options))
    assert isinstance(chosen.sources[0] if chosen.sources else None, SyntheticTicks)
    assert chosen.step is None
    with pytest.raises(UsageError, match="or max"):
        market_clock(line.parse_args(["--speed", "slow"]))
    both = line.parse_args(["--ticks", str(file), "--synthetic-ticks", "1", "1"])
    with pytest.raises(UsageError, match="two sources"):
        stream_options(both, bokeh_market, VirtualClock(0))
