"""WebSockets of the running service: every row once, the slow conflated, the wrong told so."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from system.algo_trader.api.http.gate import SOCKETS_PER_CALLER
from system.algo_trader.testing.running_service import RunningService, running_service
from system.algo_trader.testing.tick_frames import TickFrames, tick_frames

WAIT_S = 20.0


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with running_service(tmp_path_factory.mktemp("home"), seeded=False) as running:
        yield running


@pytest.fixture(scope="module")
def frames(service: RunningService) -> Iterator[TickFrames]:
    with tick_frames(service.home) as writer:
        yield writer


@contextlib.contextmanager
def opened(
    service: RunningService, name: str = "ticks", key: str | None = None, **options: Any
) -> Iterator[ClientConnection]:
    used = key or service.key("read:ticks", "read:options")
    headers = {"Authorization": f"Bearer {used}"}
    url = f"ws://127.0.0.1:{service.port}/ws/{name}"
    with connect(
        url, additional_headers=headers, proxy=None, open_timeout=WAIT_S, max_size=None, **options
    ) as socket:
        yield socket


def say(socket: ClientConnection, **message: Any) -> None:
    if "from_" in message:
        message["from"] = message.pop("from_")
    socket.send(json.dumps(message))


def hear(socket: ClientConnection) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(socket.recv(WAIT_S))
    return found


def subscribe(socket: ClientConnection, *symbols: str, **more: Any) -> dict[str, Any]:
    say(socket, action="subscribe", symbols=list(symbols), **more)
    answer = hear(socket)
    assert answer["type"] == "subscribed", answer
    return answer


def rows_until(socket: ClientConnection, last: int) -> tuple[list[dict[str, Any]], int, str]:
    """Return the rows up to a sequence number, how many were missed, and the newest id."""
    rows: list[dict[str, Any]] = []
    missed, entry = 0, ""
    while not rows or rows[-1]["sequence"] < last:
        message = hear(socket)
        assert message["type"] == "ticks", message
        rows += message["rows"]
        missed, entry = missed + message["missed"], message["id"]
    return rows, missed, entry


def sequences(rows: list[dict[str, Any]]) -> list[int]:
    return [row["sequence"] for row in rows]


def test_a_subscriber_gets_its_symbols_until_it_says_otherwise(
    service: RunningService, frames: TickFrames
) -> None:
    with opened(service) as socket:
        answer = subscribe(socket, "A", "b")
        assert (answer["symbols"], answer["is_synthetic"]) == (["A", "B"], True)
        first = frames.write(["A", "C", "B"])
        rows, missed, _ = rows_until(socket, first[-1])
        assert (sequences(rows), missed) == ([first[0], first[2]], 0)
        say(socket, action="unsubscribe", symbols=["B"])
        assert hear(socket)["symbols"] == ["A"]
        second = frames.write(["B", "A"])
        rows, _, _ = rows_until(socket, second[-1])
        assert sequences(rows) == [second[1]]


def test_who_comes_back_gets_what_came_meanwhile_once_each(
    service: RunningService, frames: TickFrames
) -> None:
    with opened(service) as socket:
        subscribe(socket, "R")
        first = frames.write(["R"], 3)
        _, _, entry = rows_until(socket, first[-1])
    away = frames.write(["R", "OTHER"], 1200)
    with opened(service) as socket:
        subscribe(socket, "R", from_=entry)
        meanwhile = frames.write(["R"], 300)
        rows, missed, _ = rows_until(socket, meanwhile[-1])
    assert sequences(rows) == [*away[::2], *meanwhile]
    assert missed == 0


def test_resuming_under_load_loses_and_doubles_nothing(
    service: RunningService, frames: TickFrames
) -> None:
    with opened(service) as steady:
        subscribe(steady, "L")
        first = frames.write(["L"])
        _, _, entry = rows_until(steady, first[-1])
        want = list(first[1:])
        for _ in range(15):
            want += frames.write(["L"], 10)
            with opened(service) as socket:
                subscribe(socket, "L", from_=entry)
                want += frames.write(["L"], 3)
                rows, missed, _ = rows_until(socket, want[-1])
                assert (sequences(rows), missed) == (want, 0)
        rows, missed, _ = rows_until(steady, want[-1])
        assert (sequences(rows), missed) == (want, 0)


def test_what_has_left_the_stream_is_told(service: RunningService, frames: TickFrames) -> None:
    with opened(service) as socket:
        frames.write(["G"])
        subscribe(socket, "G", from_="1-0")
        gap = hear(socket)
        assert (gap["type"], gap["after"]) == ("gap", "1-0")
    with opened(service) as socket:
        subscribe(socket, "G", from_="99999999999999-0")
        assert hear(socket)["type"] == "gap"


def test_a_conflating_client_gets_the_newest_and_the_count(
    service: RunningService, frames: TickFrames
) -> None:
    with opened(service) as socket:
        subscribe(socket, "X", "Y", conflate_ms=300)
        written = frames.write(["X", "Y"], 200)
        rows, missed, _ = rows_until(socket, written[-1])
        assert len(rows) + missed == len(written)
        assert len(rows) < 50
        assert {row["symbol"]: row["sequence"] for row in rows} == {
            "X": written[-2], "Y": written[-1]
        }  # fmt: skip


def test_a_client_that_does_not_read_is_conflated_and_harms_nobody(
    service: RunningService, frames: TickFrames
) -> None:
    symbols = [f"Z{number}" for number in range(100)]
    with opened(service, max_queue=1) as slow, opened(service) as quick:
        subscribe(slow, *symbols)
        subscribe(quick, "Z0")
        written: list[int] = []
        for _ in range(25):
            written += frames.write(symbols, 40)
            time.sleep(0)
        rows, missed, _ = rows_until(quick, written[-100])
        assert len(rows) + missed == len(written) // 100
        assert service.get("/health/live").status_code == 200
        rows, missed, _ = rows_until(slow, written[-1])
    assert len(rows) + missed == len(written)
    newest = {row["symbol"]: row["sequence"] for row in rows}
    assert sorted(newest.values()) == written[-100:]


@pytest.mark.parametrize(
    "content",
    ["", "x", "null", "[]", "5", '"a"', "{}", '{"action":"trade"}', '{"action":"subscribe"}',
     '{"action":"subscribe","symbols":[]}', '{"action":"subscribe","symbols":["A;"]}',
     '{"action":"subscribe","symbols":["A"],"colour":1}', '{"action":"subscribe","symbols":[1]}',
     '{"action":"subscribe","symbols":["A"],"conflate_ms":-1}',
     '{"action":"subscribe","symbols":["A"],"conflate_ms":1e9}',
     '{"action":"subscribe","symbols":["A"],"from":"x"}',
     '{"action":"subscribe","symbols":["A"],"from":"99999999999999999999999-0"}',
     '{"action":"subscribe","symbols":["A"],"from":"-1"}',
     '{"action":"subscribe","symbols":["A"],"from":"1_0"}',
     '{"action":"subscribe","symbols":["\\ud800"]}', '{"action":"' + "x" * 70_000 + '"}',
     "[" * 60_000, '{"a":' * 10_000, '{"symbols":' + "[" * 50_000, '{"action":"é' + "é" * 33_000,
     json.dumps({"action": "subscribe", "symbols": [f"S{n}" for n in range(1001)]}),
     b"\xff\xfe", b'{"action":"\xff"}', b"\0" * 100],
    ids=range(29),
)  # fmt: skip
@pytest.mark.parametrize("name", ["ticks", "gex"])
def test_a_wrong_message_is_told_so_and_the_socket_lives(
    service: RunningService, name: str, content: str | bytes
) -> None:
    with opened(service, name) as socket:
        socket.send(content)
        answer = hear(socket)
        if name == "gex" and answer["type"] == "subscribed":
            return
        assert answer["type"] == "error", answer
        assert 400 <= answer["status"] < 500
        say(socket, action="ping")
        assert hear(socket)["type"] == "pong"


def test_a_message_without_end_does_not_fill_the_memory(service: RunningService) -> None:
    with contextlib.suppress(ConnectionClosed), opened(service) as socket:
        socket.send("x" * 20_000_000)
        assert hear(socket)["type"] == "error"
    assert service.get("/health/live").status_code == 200


def test_a_key_has_so_many_sockets_and_no_more(service: RunningService) -> None:
    key = service.key("read:ticks", rate=50_000)
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(opened(service, key=key)) for _ in range(SOCKETS_PER_CALLER)]
        with pytest.raises(InvalidStatus) as caught, opened(service, key=key):
            pass
        assert caught.value.response.status_code == 403
        with opened(service):
            pass
        held[0].close()
        deadline = time.monotonic() + WAIT_S
        while True:
            with contextlib.suppress(InvalidStatus), opened(service, key=key):
                break
            assert time.monotonic() < deadline


def test_the_status_comes_by_itself(service: RunningService) -> None:
    with opened(service, "status") as socket:
        first, second = hear(socket), hear(socket)
        assert first["now"] <= second["now"]
        say(socket, action="subscribe", symbols=["A"])
        messages = [hear(socket) for _ in range(3)]
        assert any(each.get("type") == "error" for each in messages)
