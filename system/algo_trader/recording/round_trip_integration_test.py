"""Record the simulator, replay the file: the client ends where the recording ended."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infrastructure.clock import SystemClock
from infrastructure.config import Secret
from infrastructure.recording.frame_file import FrameWriter, read_frames
from infrastructure.schwab.streamer.commands import StreamerInfo
from infrastructure.schwab.streamer.frames import decode_frame
from infrastructure.schwab.streamer.services import SPECS, Service
from infrastructure.schwab.streamer.state import ServiceState
from infrastructure.schwab.streamer.streamer import SchwabStreamer
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.simulator import SchwabSimulator
from infrastructure.simulators.schwab.streamer.frame_replay import FrameReplay
from infrastructure.simulators.schwab.streamer.pace import (
    ScaledClock,
    StartedTime,
    SteppedClock,
)
from infrastructure.simulators.schwab.streamer.room import StreamOptions
from infrastructure.simulators.schwab.streamer.rules import StreamRules, unconflated
from infrastructure.simulators.schwab.streamer.synthetic_ticks import SyntheticTicks
from system.algo_trader.conformance.stream_cases import STREAM_KEYS
from system.algo_trader.recording.recorder import Recorder
from system.algo_trader.recording.redaction import FrameRedactor

DEADLINE_S = 60.0
OPTION = "AAPL  130419C00450000"
Keys = dict[Service, tuple[str, ...]]
State = dict[Service, dict[str, dict[str, Any]]]


def details(simulator: SchwabSimulator) -> StreamerInfo:
    identity = simulator.streamer.identity
    return StreamerInfo(
        simulator.stream_url,
        identity.customer_id,
        identity.correlation_id,
        identity.channel,
        identity.function_id,
    )


def a_token(simulator: SchwabSimulator) -> Secret:
    return Secret(simulator.grants.client_credentials()["access_token"])


def state_of(streamer: SchwabStreamer, keys: Keys) -> State:
    """What is known of each key; sequence numbers are a connection's own."""
    return {
        service: {key: without_seq(item) for key, item in streamer.state(service).records().items()}
        for service in keys
        if service is not Service.ACCT_ACTIVITY
    }


def without_seq(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name != "seq"}


async def recorded(simulator: SchwabSimulator, path: Path, keys: Keys, frames: int) -> State:
    """Record until so many frames are in the file and every key has data."""
    token, info = a_token(simulator), details(simulator)
    with FrameWriter(path, {}) as writer:
        redact = FrameRedactor([info.customer_id, info.correl_id], account_activity=True)
        recorder = Recorder(writer, redact, lambda: info, lambda _: token, SystemClock())
        running = asyncio.create_task(recorder.run(keys, None))
        async with asyncio.timeout(DEADLINE_S):
            while recorder.counts.kept < frames or not has_all(recorder.streamer, keys):
                await asyncio.sleep(0.02)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return state_of(recorder.streamer, keys)


def has_all(streamer: SchwabStreamer, keys: Keys) -> bool:
    return all(
        service is Service.ACCT_ACTIVITY or len(streamer.state(service)) == len(named)
        for service, named in keys.items()
    )


async def replayed(path: Path, keys: Keys, end: State) -> tuple[State, int]:
    """Replay a file as fast as it is taken; return the client's state and its gaps' count."""
    replay = FrameReplay(path)
    clock = SteppedClock(replay.start_ns)
    options = StreamOptions(
        time=StartedTime(replay.start_ns, clock),
        step=clock.step,
        clock=SystemClock(),
        frames=replay,
    )
    with SchwabSimulator(ReplayMarket.from_bokeh(), stream=options) as simulator:
        token, info = a_token(simulator), details(simulator)
        streamer = SchwabStreamer(lambda: info, lambda _: token)
        running = asyncio.create_task(streamer.run())
        for service, named in keys.items():
            await streamer.subscribe(service, named)
        async with asyncio.timeout(DEADLINE_S):
            while not replay.is_over or state_of(streamer, keys) != end:
                await asyncio.sleep(0.02)
        await streamer.stop()
        await running
        return state_of(streamer, keys), streamer.counts.bad_frames


def offline(path: Path, keys: Keys) -> State:
    """Decode a file without any stream, by the client's decoder and merge."""
    states = {service: ServiceState(SPECS[service]) for service in keys}
    for frame in read_frames(path):
        for part in decode_frame(frame.text.encode()).data:
            states[Service(part.service)].merge(part.content)
    return {
        service: {key: without_seq(item) for key, item in state.records().items()}
        for service, state in states.items()
        if service is not Service.ACCT_ACTIVITY
    }


def test_the_synthetic_feed_comes_back_as_it_was(tmp_path: Path) -> None:
    market = ReplayMarket.from_bokeh()
    ticks = SyntheticTicks(20, 2_000, market.now_ns)
    options = StreamOptions(StreamRules(interval_s=unconflated()), sources=[ticks])
    keys: Keys = {Service.LEVELONE_EQUITIES: ticks.symbols}
    path = tmp_path / "frames"
    with SchwabSimulator(market, stream=options) as simulator:
        end = asyncio.run(recorded(simulator, path, keys, 300))
    assert len(end[Service.LEVELONE_EQUITIES]) == 20
    assert offline(path, keys) == end
    assert asyncio.run(replayed(path, keys, end)) == (end, 0)


def test_all_thirteen_services_come_back_as_they_were(tmp_path: Path) -> None:
    named = dict(STREAM_KEYS) | {
        "LEVELONE_OPTIONS": OPTION,
        "OPTIONS_BOOK": OPTION,
        "LEVELONE_FUTURES_OPTIONS": "./OZCZ23C565",
    }
    keys: Keys = {Service(service): (key,) for service, key in named.items()}
    assert len(keys) == 13
    market = ReplayMarket.from_bokeh(from_open=True, clock=ScaledClock(SystemClock(), 60))
    path = tmp_path / "frames"
    with SchwabSimulator(market) as simulator:
        end = asyncio.run(recorded(simulator, path, keys, 200))
        identity = simulator.streamer.identity
        account = next(iter(simulator.orders.accounts))
    assert offline(path, keys) == end
    assert asyncio.run(replayed(path, keys, end)) == (end, 0)
    texts = "".join(frame.text for frame in read_frames(path))
    for word in (identity.customer_id, identity.correlation_id, account):
        assert word not in texts
