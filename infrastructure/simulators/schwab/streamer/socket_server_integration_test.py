"""The streamer on the wire, by a WebSocket client of another kind: the library's threaded one."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from infrastructure.clock import VirtualClock
from infrastructure.simulators.schwab.desk import REAL_NOW_NS, Desk
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.simulator import SchwabSimulator
from infrastructure.simulators.schwab.streamer.pace import SteppedClock
from infrastructure.simulators.schwab.streamer.room import StreamOptions
from infrastructure.simulators.schwab.streamer.rules import StreamRules, unconflated
from infrastructure.simulators.schwab.streamer.synthetic_ticks import SyntheticTicks
from infrastructure.simulators.schwab.tls import self_signed
from infrastructure.simulators.schwab.wire_check import differences

DEADLINE_S = 10.0
EQUITIES = "LEVELONE_EQUITIES"


class Wire:
    """A signed-in user with one WebSocket."""

    def __init__(self, desk: Desk, **more: Any) -> None:
        self.desk = desk
        self.token = desk.sign_in()["access_token"]
        answer = desk.session.get(f"{desk.simulator.base_url}/trader/v1/userPreference")
        assert answer.status_code == 200
        self.preference: dict[str, Any] = answer.json()
        self.info = self.preference["streamerInfo"][0]
        self.more = more

    def connect(self) -> AbstractContextManager[ClientConnection]:
        url = self.info["streamerSocketUrl"]
        opened: AbstractContextManager[ClientConnection] = connect(
            url, open_timeout=DEADLINE_S, close_timeout=1, **self.more
        )
        return opened

    def say(self, socket: ClientConnection, service: str, name: str, **parameters: str) -> None:
        command = {
            "service": service,
            "command": name,
            "requestid": "1",
            "SchwabClientCustomerId": self.info["schwabClientCustomerId"],
            "SchwabClientCorrelId": self.info["schwabClientCorrelId"],
            "parameters": parameters,
        }
        socket.send(json.dumps({"requests": [command]}))

    def ask(self, socket: ClientConnection, service: str, name: str, **parameters: str) -> Any:
        self.say(socket, service, name, **parameters)
        while True:
            frame = json.loads(socket.recv(DEADLINE_S))
            if "response" in frame:
                return frame["response"][0]["content"]

    @contextmanager
    def log_in(self) -> Iterator[ClientConnection]:
        parameters = {
            "Authorization": self.token,
            "SchwabClientChannel": self.info["schwabClientChannel"],
            "SchwabClientFunctionId": self.info["schwabClientFunctionId"],
        }
        with self.connect() as socket:
            assert self.ask(socket, "ADMIN", "LOGIN", **parameters)["code"] == 0
            yield socket

    def fault(self, name: str, **more: Any) -> requests.Response:
        url = f"{self.desk.simulator.base_url}/simulator/streamer/faults"
        return self.desk.session.post(url, json={"fault": name} | more)


@pytest.fixture
def wire(desk: Desk) -> Wire:
    return Wire(desk)


def closed_with(socket: ClientConnection) -> tuple[int | None, list[Any]]:
    """Read until the end and return the close code of the server, None for none."""
    frames = []
    try:
        while True:
            frames.append(json.loads(socket.recv(DEADLINE_S)))
    except ConnectionClosed as end:
        return (end.rcvd.code if end.rcvd is not None else None), frames


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_user_preference_is_one_object_as_on_live_accounts(wire: Wire) -> None:
    # §0.1: no array around it. [O]
    assert isinstance(wire.preference, dict)
    assert not differences(wire.preference, "UserPreference", side="trader")
    assert len(wire.preference["streamerInfo"]) == 1
    assert len(wire.info["schwabClientCustomerId"]) == 64
    assert (wire.info["schwabClientChannel"], wire.info["schwabClientFunctionId"]) == (
        "N9",
        "APIAPP",
    )
    assert wire.info["streamerSocketUrl"].endswith("/ws")
    nobody = requests.get(
        f"{wire.desk.simulator.base_url}/trader/v1/userPreference", timeout=DEADLINE_S
    )
    assert nobody.status_code in (400, 401)


def test_handshake_says_that_it_is_simulated(wire: Wire) -> None:
    with wire.connect() as socket:
        assert socket.response is not None
        assert socket.response.headers["X-Simulated"] == "synthetic"
        assert socket.response.headers["X-Simulated-Time"].startswith("2013-03-01T21:00:")


def test_another_path_is_not_the_streamer(wire: Wire) -> None:
    with (
        pytest.raises(InvalidStatus, match="404"),
        connect(wire.info["streamerSocketUrl"].replace("/ws", "/other")),
    ):
        pass


def test_bad_token_is_told_and_closed(wire: Wire) -> None:
    wire.token = "wrong"
    with wire.connect() as socket:
        content = wire.ask(socket, "ADMIN", "LOGIN", Authorization="wrong")
        assert content["code"] == 3
        assert closed_with(socket)[0] == 1000  # [O]


def test_expired_access_token_is_refused_at_login(wire: Wire) -> None:
    wire.desk.clock.advance(seconds=1_801)
    with wire.connect() as socket:
        assert wire.ask(socket, "ADMIN", "LOGIN", Authorization=wire.token)["code"] == 3


def test_second_login_closes_the_first_with_code_12(wire: Wire) -> None:
    with wire.log_in() as first, wire.log_in() as second:
        code, frames = closed_with(first)
        assert frames[-1]["response"][0]["content"]["code"] == 12
        assert code == 1000
        assert wire.ask(second, EQUITIES, "SUBS", keys="AAPL", fields="0,1")["code"] == 0


def test_logout_closes_with_1000(wire: Wire) -> None:
    with wire.log_in() as socket:
        assert wire.ask(socket, "ADMIN", "LOGOUT") == {"code": 0, "msg": "SUCCESS"}
        assert closed_with(socket) == (1000, [])


def test_heartbeats_and_empty_streams_follow_the_clock(wire: Wire) -> None:
    with wire.log_in() as socket:
        wire.desk.clock.advance(seconds=10.5)
        beat = json.loads(socket.recv(DEADLINE_S))
        assert beat["notify"][0]["heartbeat"].isdigit()
        wire.desk.clock.advance(seconds=20)
        code, frames = closed_with(socket)
        assert frames[-1]["response"][0]["content"]["code"] == 30
        assert code == 1000


def test_dropped_connection_ends_without_a_close_frame(wire: Wire) -> None:
    with wire.log_in() as socket:
        assert wire.fault("drop_connections").status_code == 200
        assert closed_with(socket)[0] is None


def test_server_closes_by_code(wire: Wire) -> None:
    with wire.log_in() as socket:
        wire.fault("close_connections", code=1011)
        assert closed_with(socket)[0] == 1011


@pytest.mark.parametrize("how", ["http", "tcp"])
def test_refused_connects_are_refused_as_often_as_asked(wire: Wire, how: str) -> None:
    wire.fault("refuse_connects", times=2, how=how)
    refused = InvalidStatus if how == "http" else (InvalidMessage, EOFError, OSError)
    for _ in range(2):
        with pytest.raises(refused), wire.connect():
            pass
    with wire.log_in():
        pass


def test_half_open_socket_answers_no_ping_and_stays_open(wire: Wire) -> None:
    with wire.log_in() as socket:
        assert socket.ping().wait(DEADLINE_S)
        wire.fault("half_open")
        (session,) = wire.desk.simulator.streamer.sessions
        until(lambda: session.cut is not None)
        # The pump stops the reading of the socket within one of its rounds.
        deadline = time.monotonic() + DEADLINE_S
        while socket.ping().wait(0.2):
            assert time.monotonic() < deadline
        with pytest.raises(TimeoutError):
            socket.recv(0.1)
        with wire.log_in() as again:
            assert wire.ask(again, EQUITIES, "SUBS", keys="AAPL", fields="0,1")["code"] == 0
            assert closed_with(socket)[0] is None


def test_unknown_faults_and_wrong_arguments_are_refused_by_name(wire: Wire) -> None:
    assert wire.fault("earthquake").status_code == 400
    assert "drop_frames" in wire.fault("earthquake").json()["message"]
    assert wire.fault("drop_interval", minutes=1).status_code == 400
    assert wire.fault("drop_frames", service=EQUITIES).status_code == 400
    assert wire.fault("clock_skew", skew_ms=5).status_code == 200


def test_ledger_and_state_are_read_over_http(wire: Wire) -> None:
    with wire.log_in() as socket:
        wire.say(socket, EQUITIES, "SUBS", keys="AAPL,IBM", fields="0,1,2,3")
        frames = [json.loads(socket.recv(DEADLINE_S)) for _ in range(2)]
        items = {item["key"]: item for item in frames[1]["data"][0]["content"]}
        base = f"{wire.desk.simulator.base_url}/simulator/streamer"
        ledger = wire.desk.session.get(f"{base}/ledger", params={"service": EQUITIES}).json()
        assert ledger["sent"] == 2
        assert ledger["withheld"] == 0
        assert {run["key"] for run in ledger["runs"]} == {"AAPL", "IBM"}
        state = wire.desk.session.get(f"{base}/state", params={"key": "AAPL"}).json()
        assert state[EQUITIES]["AAPL"]["3"] == items["AAPL"]["3"]


@pytest.fixture
def synthetic(bokeh_market: ReplayMarket) -> Iterator[Wire]:
    """As many ticks as the client takes, in steps of 50 ms of the market."""
    clock = SteppedClock(REAL_NOW_NS, step_s=0.05)
    time_of = type("Time", (), {"now_ns": property(lambda _: clock.now_ns())})()
    source = SyntheticTicks(200, 20_000, REAL_NOW_NS, seed=7)
    options = StreamOptions(
        rules=StreamRules(interval_s=unconflated()),
        sources=[source],
        time=time_of,
        step=clock.step,
    )
    real = VirtualClock(REAL_NOW_NS)
    with (
        SchwabSimulator(bokeh_market, clock=real, stream=options) as simulator,
        requests.Session() as session,
    ):
        yield Wire(Desk(simulator, real, session))


def test_every_tick_arrives_once_at_full_speed(synthetic: Wire) -> None:
    symbols = [f"SIM{number:04d}" for number in range(200)]
    got = 0
    state: dict[str, dict[str, Any]] = {symbol: {} for symbol in symbols}
    with synthetic.log_in() as socket:
        synthetic.say(socket, EQUITIES, "SUBS", keys=",".join(symbols), fields="0,1,2,3,8,9,34")
        while got < 20_000:
            frame = json.loads(socket.recv(DEADLINE_S))
            for part in frame.get("data", ()):
                for item in part["content"]:
                    # The day's volume grows by each trade: none is lost and none comes twice.
                    before = state[item["key"]].get("8")
                    state[item["key"]].update(item)
                    if before is not None:
                        assert item["8"] - before == state[item["key"]]["9"]
                    got += 1
    runs = synthetic.desk.simulator.streamer.ledger.runs(EQUITIES)
    assert sum(run.updates for run in runs if run.fate == "sent") >= got


def test_streams_over_tls(bokeh_market: ReplayMarket, tmp_path: Path) -> None:
    identity = self_signed(tmp_path)
    clock = VirtualClock(REAL_NOW_NS)
    with (
        SchwabSimulator(bokeh_market, clock=clock, tls=identity) as simulator,
        requests.Session() as session,
    ):
        session.trust_env = False
        session.verify = str(identity.certificate)
        context = ssl.create_default_context(cafile=identity.certificate)
        wire = Wire(Desk(simulator, clock, session), ssl=context)
        assert wire.info["streamerSocketUrl"].startswith("wss://")
        with wire.log_in() as socket:
            wire.fault("drop_connections")
            assert closed_with(socket)[0] is None
