"""The stream's client over real sockets, against a small server of `websockets`."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import pytest
import websockets

from infrastructure.config import Secret
from infrastructure.errors import NetworkError, OperatorError, RequestRejected, SignInRequired
from infrastructure.schwab.models import Quotes, parse_quotes
from infrastructure.schwab.streamer import streamer as streamer_module
from infrastructure.schwab.streamer.commands import StreamerInfo
from infrastructure.schwab.streamer.continuity import Gap, GapReason
from infrastructure.schwab.streamer.events import Connected, Disconnected, Polled, Refused
from infrastructure.schwab.streamer.polling import AskQuotes
from infrastructure.schwab.streamer.services import Service
from infrastructure.schwab.streamer.socket import Patience, StreamSocket, open_socket
from infrastructure.schwab.streamer.state import Batch
from infrastructure.schwab.streamer.streamer import SchwabStreamer, StreamPolicy

DEADLINE_S = 20
QUICK = StreamPolicy(Patience(2.0, 0.2, 0.2), reply_s=2.0, silence_s=1.0, first_wait_s=0.01)

Script = Callable[["Desk", dict[str, Any]], Awaitable[None]]


class Desk:
    """Answer commands on one connection as Schwab's streamer does, and note them."""

    def __init__(self, socket: Any, seen: list[dict[str, Any]]) -> None:
        self.socket = socket
        self.seen = seen

    async def reply(self, request: dict[str, Any], code: int = 0, msg: str = "ok") -> None:
        answer = {key: request[key] for key in ("service", "command", "requestid")}
        body = {**answer, "timestamp": 1, "content": {"code": code, "msg": msg}}
        await self.socket.send(json.dumps({"response": [body]}))

    async def data(self, service: str, *content: dict[str, Any]) -> None:
        body = {"service": service, "timestamp": 2, "command": "SUBS", "content": list(content)}
        await self.socket.send(json.dumps({"data": [body]}))


async def obedient(desk: Desk, request: dict[str, Any]) -> None:
    await desk.reply(request)


@asynccontextmanager
async def server(
    script: Script, port: int = 0
) -> AsyncIterator[tuple[str, list[list[dict[str, Any]]]]]:
    connections: list[list[dict[str, Any]]] = []

    async def serve(socket: Any) -> None:
        desk = Desk(socket, [])
        connections.append(desk.seen)
        async for text in socket:
            for request in json.loads(text)["requests"]:
                desk.seen.append(request)
                await script(desk, request)

    async with websockets.serve(serve, "127.0.0.1", port, close_timeout=0.2) as running:
        port = next(iter(running.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/ws", connections


@asynccontextmanager
async def streaming(
    url: str,
    tokens: Callable[[bool], Secret] = lambda forced: Secret("token-1"),
    policy: StreamPolicy = QUICK,
    quotes: AskQuotes | None = None,
    found: Callable[[], object] = bool,
) -> AsyncIterator[tuple[SchwabStreamer, asyncio.Task[None]]]:
    info = StreamerInfo(url, "customer", "correl", "N9", "APIAPP")

    def details() -> StreamerInfo:
        found()
        return info

    streamer = SchwabStreamer(details, tokens, policy=policy, jitter=lambda: 0.0, quotes=quotes)
    task = asyncio.create_task(streamer.run())
    try:
        async with asyncio.timeout(DEADLINE_S):
            yield streamer, task
            await streamer.stop()
            if not task.done():
                await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def wait_for(streamer: SchwabStreamer, kind: type, *, where: Any = None) -> Any:
    while (event := await streamer.events.get()) is not None:
        if isinstance(event, kind) and (where is None or where(event)):
            return event
    raise AssertionError(f"the stream ended without {kind.__name__}")


def commands(seen: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(one["service"], one["command"], one["parameters"].get("keys", "")) for one in seen]


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(test())  # type: ignore[arg-type]


def test_partial_updates_arrive_merged_and_nothing_precedes_the_login_reply() -> None:
    async def script(desk: Desk, request: dict[str, Any]) -> None:
        await desk.reply(request, msg="server=s1;status=NP")
        if request["command"] == "SUBS":
            await desk.data(
                "LEVELONE_EQUITIES", {"key": "AAPL", "delayed": False, "1": 10.0, "4": 3}
            )
            await desk.data("LEVELONE_EQUITIES", {"key": "AAPL", "1": 10.5})

    async def test() -> None:
        async with server(script) as (url, seen), streaming(url) as (streamer, _):
            await streamer.subscribe(Service.LEVELONE_EQUITIES, ["AAPL"], [1, 4])
            connected = await wait_for(streamer, Connected)
            assert (connected.attempt, connected.server) == (1, "server=s1;status=NP")
            await wait_for(streamer, Batch)
            await wait_for(streamer, Batch)
            record = streamer.state(Service.LEVELONE_EQUITIES).latest("AAPL")
            assert record == {"key": "AAPL", "delayed": False, "bid_price": 10.5, "bid_size": 3}
            assert commands(seen[0])[0] == ("ADMIN", "LOGIN", "")
            assert seen[0][0]["parameters"]["Authorization"] == "token-1"

    run(test)


def test_a_dropped_connection_comes_back_with_every_subscription_and_a_gap() -> None:
    async def script(desk: Desk, request: dict[str, Any]) -> None:
        if request["command"] == "VIEW":
            desk.socket.transport.abort()
            return
        await desk.reply(request)
        if request["command"] == "SUBS":
            await desk.data(request["service"], {"key": "AAPL", "seq": 0, "1": 1.0})

    async def test() -> None:
        async with server(script) as (url, seen), streaming(url) as (streamer, _):
            await wait_for(streamer, Connected)
            await streamer.subscribe(Service.LEVELONE_EQUITIES, ["AAPL"], [1])
            await streamer.add(Service.LEVELONE_EQUITIES, ["MSFT"])
            await streamer.subscribe(Service.CHART_EQUITY, ["AAPL"])
            with pytest.raises(NetworkError, match="connection has ended"):
                await streamer.view(Service.LEVELONE_EQUITIES, [1, 2])
            await wait_for(streamer, Disconnected)
            gaps = [await wait_for(streamer, Gap) for _ in range(2)]
            assert [(gap.service, gap.reason) for gap in gaps] == [
                (Service.LEVELONE_EQUITIES, GapReason.DISCONNECTED),
                (Service.CHART_EQUITY, GapReason.DISCONNECTED),
            ]
            assert all(gap.end_ns > gap.start_ns for gap in gaps)
            assert commands(seen[1])[1:] == [
                ("LEVELONE_EQUITIES", "SUBS", "AAPL,MSFT"),
                ("CHART_EQUITY", "SUBS", "AAPL"),
            ]
            assert seen[1][1]["parameters"]["fields"] == "0,1,2"

    run(test)


def test_a_stop_before_the_next_update_tells_of_the_gap_that_it_leaves() -> None:
    async def script(desk: Desk, request: dict[str, Any]) -> None:
        await desk.reply(request)
        is_first = len(desk.seen) > 1 and not connections[1:]
        if request["command"] == "SUBS" and is_first:
            await desk.data(request["service"], {"key": "AAPL", "seq": 0, "1": 1.0})
            desk.socket.transport.abort()

    connections: list[list[dict[str, Any]]] = []

    async def test() -> None:
        nonlocal connections
        async with server(script) as (url, seen):
            connections = seen
            async with streaming(url) as (streamer, task):
                await wait_for(streamer, Connected)
                with suppress(NetworkError):
                    await streamer.subscribe(Service.CHART_EQUITY, ["AAPL"])
                await wait_for(streamer, Connected, where=lambda event: event.attempt == 2)
                await streamer.stop()
                await task
                gap = await wait_for(streamer, Gap)
            assert (gap.service, gap.reason) == (Service.CHART_EQUITY, GapReason.DISCONNECTED)
            assert gap.end_ns > gap.start_ns

    run(test)


def test_a_server_that_was_away_is_found_again_within_ten_seconds() -> None:
    policy = StreamPolicy()

    async def test() -> None:
        async with server(obedient) as (url, _):
            port = urlsplit(url).port or 0
            streamer = SchwabStreamer(
                lambda: StreamerInfo(url, "customer", "correl", "N9", "APIAPP"),
                lambda forced: Secret("token-1"),
                policy=policy,
            )
            await streamer.subscribe(Service.LEVELONE_EQUITIES, ["AAPL"])
            running = asyncio.create_task(streamer.run())
            await wait_for(streamer, Connected)
        # Nobody listens there: attempts are refused until the server is back.
        await wait_for(streamer, Disconnected)
        async with server(obedient, port) as (_, seen), asyncio.timeout(DEADLINE_S):
            async with asyncio.timeout(policy.reconnects_within_s):
                await wait_for(streamer, Connected)
            while commands(seen[-1])[1:] != [("LEVELONE_EQUITIES", "SUBS", "AAPL")]:
                await asyncio.sleep(0.01)
            await streamer.stop()
            await running

    run(test)


def test_a_half_open_connection_is_noticed_by_an_unanswered_ping() -> None:
    async def script(desk: Desk, request: dict[str, Any]) -> None:
        await desk.reply(request)
        if request["command"] == "SUBS":
            # The peer neither reads nor answers pings any more, and says nothing of it.
            desk.socket.transport.pause_reading()

    async def test() -> None:
        policy = replace(QUICK, silence_s=60.0)
        async with server(script) as (url, seen), streaming(url, policy=policy) as (streamer, _):
            await wait_for(streamer, Connected)
            await streamer.subscribe(Service.NYSE_BOOK, ["IBM"])
            again = await wait_for(streamer, Connected)
            assert again.attempt == 2
            assert len(seen) == 2

    run(test)


def test_a_server_that_answers_pings_and_sends_no_heartbeat_is_left() -> None:
    async def test() -> None:
        policy = replace(QUICK, silence_s=0.3)
        async with server(obedient) as (url, _), streaming(url, policy=policy) as (streamer, _):
            await wait_for(streamer, Connected)
            assert (await wait_for(streamer, Connected)).attempt == 2

    run(test)


def test_a_second_stream_ends_this_one_with_the_reason() -> None:
    async def script(desk: Desk, request: dict[str, Any]) -> None:
        await desk.reply(request)
        await desk.reply(request, 12, "Stream connection closed: max connections")
        await desk.socket.close()

    async def test() -> None:
        async with server(script) as (url, seen), streaming(url) as (streamer, task):
            with pytest.raises(OperatorError, match="one stream a user"):
                await task
            assert len(seen) == 1
            assert await streamer.events.get() is not None

    run(test)


def test_a_denied_login_asks_for_one_fresh_token_and_then_for_the_person() -> None:
    asked: list[bool] = []

    def tokens(forced: bool) -> Secret:
        asked.append(forced)
        return Secret("old" if len(asked) == 1 else "new")

    async def script(desk: Desk, request: dict[str, Any]) -> None:
        await desk.reply(request, 3, "Login Denied.: token is invalid or has expired.")
        await desk.socket.close()

    async def test() -> None:
        async with server(script) as (url, seen), streaming(url, tokens) as (_, task):
            with pytest.raises(SignInRequired, match="Login Denied"):
                await task
            sent = [one[0]["parameters"]["Authorization"] for one in seen]
            assert sent == ["old", "new"]
            assert asked == [False, True, False, True]

    run(test)


def test_a_full_service_keeps_what_fits_and_names_the_rest() -> None:
    async def script(desk: Desk, request: dict[str, Any]) -> None:
        if request["command"] == "SUBS":
            await desk.reply(request, 19, "failed (SCREENER_EQUITY=10, DISCARDED=1)")
        elif request["command"] == "ADD":
            await desk.reply(request, 11, "Service not available or temporary down.")
        else:
            await desk.reply(request)

    async def test() -> None:
        async with server(script) as (url, _), streaming(url) as (streamer, _):
            await wait_for(streamer, Connected)
            await streamer.subscribe(Service.SCREENER_EQUITY, ["NYSE_VOLUME_0", "NASDAQ_VOLUME_0"])
            refused = await wait_for(streamer, Refused)
            assert (refused.keys, refused.code) == (("NASDAQ_VOLUME_0",), 19)
            with pytest.raises(RequestRejected, match="code 11"):
                await streamer.add(Service.SCREENER_EQUITY, ["OTCBB_VOLUME_0"])
            assert streamer.subscriptions[Service.SCREENER_EQUITY].keys == ("NYSE_VOLUME_0",)

    run(test)


def test_what_is_past_the_limit_is_polled_by_rest_until_the_stream_has_room() -> None:
    def quotes(keys: tuple[str, ...]) -> Quotes:
        return parse_quotes({key: {"symbol": key, "quote": {"bidPrice": 1.5}} for key in keys})

    async def test() -> None:
        policy = replace(QUICK, poll_s=0.01)
        keys = [f"S{number}" for number in range(502)]
        async with (
            server(obedient) as (url, seen),
            streaming(url, policy=policy, quotes=quotes) as (
                streamer,
                _,
            ),
        ):
            await wait_for(streamer, Connected)
            change = await streamer.subscribe(Service.LEVELONE_EQUITIES, keys)
            assert change.excess == ("S500", "S501")
            refused = await wait_for(streamer, Refused)
            assert refused.keys == ("S500", "S501")
            assert "polled by REST every 0.01 s" in refused.message
            polled = await wait_for(streamer, Polled)
            assert polled.records == {
                key: {"key": key, "bid_price": 1.5} for key in ("S500", "S501")
            }
            assert streamer.state(Service.LEVELONE_EQUITIES).latest("S500") is None
            await streamer.unsubscribe(Service.LEVELONE_EQUITIES, ["S0"])
            await streamer.add(Service.LEVELONE_EQUITIES, ["S500"])
            assert streamer.polled_keys(Service.LEVELONE_EQUITIES) == ("S501",)
            assert commands(seen[0])[-1] == ("LEVELONE_EQUITIES", "ADD", "S500")
            await streamer.subscribe(Service.LEVELONE_EQUITIES, ["S7"])
            assert streamer.polled_keys(Service.LEVELONE_EQUITIES) == ()

    run(test)


def test_frames_that_are_no_json_are_counted_and_the_stream_goes_on() -> None:
    async def script(desk: Desk, request: dict[str, Any]) -> None:
        await desk.reply(request)
        if request["command"] == "SUBS":
            await desk.socket.send('{"data":[{"service":"LEVELONE_FOREX","content":[{"key"')
            await desk.data("LEVELONE_FOREX", {"no key": 1})
            await desk.data("GOSSIP", {"key": "AAPL"})
            await desk.data("LEVELONE_FOREX", {"key": "EUR/USD", "1": 1.1})

    async def test() -> None:
        async with server(script) as (url, _), streaming(url) as (streamer, _):
            await wait_for(streamer, Connected)
            await streamer.subscribe(Service.LEVELONE_FOREX, ["EUR/USD"])
            batch = await wait_for(streamer, Batch)
            assert list(batch.named()) == [{"key": "EUR/USD", "bid_price": 1.1}]
            assert streamer.counts.bad_frames == 3
            assert streamer.counts.connections == 1

    run(test)


def test_stopping_logs_out() -> None:
    async def test() -> None:
        async with server(obedient) as (url, seen):
            async with streaming(url) as (streamer, _):
                await wait_for(streamer, Connected)
            assert commands(seen[0])[-1] == ("ADMIN", "LOGOUT", "")

    run(test)


def test_a_stop_while_the_address_is_asked_for_ends_the_run() -> None:
    asked, answer = threading.Event(), threading.Event()

    def found() -> None:
        asked.set()
        answer.wait(DEADLINE_S)

    async def test() -> None:
        async with server(obedient) as (url, seen):
            async with streaming(url, found=found) as (streamer, task):
                await asyncio.to_thread(asked.wait)
                await streamer.stop()
                await task
                answer.set()
            assert seen == []

    run(test)


class Hanging:
    """A call to Schwab that does not return until `answer` is set."""

    def __init__(self) -> None:
        self.asked, self.answer = threading.Event(), threading.Event()
        self.thread = threading.main_thread()

    def wait(self, *_: object) -> None:
        self.thread = threading.current_thread()
        self.asked.set()
        self.answer.wait(2 * DEADLINE_S)

    def was_left_behind(self) -> bool:
        """Whether it hung to the end of the loop; it hangs no longer."""
        hung = self.thread.is_alive()
        self.answer.set()
        self.thread.join(DEADLINE_S)
        return hung


def test_the_end_of_the_loop_does_not_wait_for_an_address_that_does_not_come() -> None:
    hanging = Hanging()

    async def test() -> None:
        async with (
            server(obedient) as (url, _),
            streaming(url, found=hanging.wait) as (streamer, task),
        ):
            await asyncio.to_thread(hanging.asked.wait)
            await streamer.stop()
            await task

    run(test)
    assert hanging.was_left_behind()


@pytest.mark.parametrize("is_denied", [False, True])
def test_a_stop_while_a_token_is_asked_for_ends_the_run_and_the_loop(is_denied: bool) -> None:
    hanging = Hanging()

    def tokens(forced: bool) -> Secret:
        if forced == is_denied:
            hanging.wait()
        return Secret("token-1")

    async def deny(desk: Desk, request: dict[str, Any]) -> None:
        await desk.reply(request, 3, "Login Denied.: token is invalid or has expired.")

    async def test() -> None:
        patient = replace(QUICK, reply_s=2.0 * DEADLINE_S, silence_s=2.0 * DEADLINE_S)
        async with server(deny) as (url, _), streaming(url, tokens, patient) as (streamer, task):
            await asyncio.to_thread(hanging.asked.wait)
            await streamer.stop()
            await task
            assert not streamer.is_connected

    run(test)
    assert hanging.was_left_behind()


def test_a_stop_after_the_connection_was_lost_ends_the_wait_for_the_token() -> None:
    hanging = Hanging()

    def tokens(forced: bool) -> Secret:
        hanging.wait()
        return Secret("token-1")

    async def test() -> None:
        lost = asyncio.Event()

        async def drop(socket: Any) -> None:
            while not hanging.asked.is_set():
                await asyncio.sleep(0.01)
            await socket.close()
            lost.set()

        patient = replace(QUICK, reply_s=2.0 * DEADLINE_S)
        async with websockets.serve(drop, "127.0.0.1", 0, close_timeout=0.2) as running:
            port = next(iter(running.sockets)).getsockname()[1]
            async with streaming(f"ws://127.0.0.1:{port}/ws", tokens, patient) as (streamer, task):
                await lost.wait()
                await streamer.stop()
                await task

    run(test)
    assert hanging.was_left_behind()


def test_the_end_of_the_loop_does_not_wait_for_quotes_that_do_not_come() -> None:
    hanging = Hanging()

    def quotes(keys: tuple[str, ...]) -> Quotes:
        hanging.wait()
        return parse_quotes({})

    async def test() -> None:
        keys = [f"S{number}" for number in range(501)]
        async with server(obedient) as (url, _), streaming(url, quotes=quotes) as (streamer, task):
            await wait_for(streamer, Connected)
            await streamer.subscribe(Service.LEVELONE_EQUITIES, keys)
            await asyncio.to_thread(hanging.asked.wait)
            await streamer.stop()
            await task

    run(test)
    assert hanging.was_left_behind()


def test_a_stop_while_the_handshake_hangs_ends_the_run_long_before_its_patience() -> None:
    async def test() -> None:
        reached = asyncio.Event()

        async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            reached.set()
            await reader.read()
            writer.close()

        patient = replace(QUICK, patience=replace(QUICK.patience, connect_s=60.0))
        dumb = await asyncio.start_server(hang, "127.0.0.1", 0)
        port = dumb.sockets[0].getsockname()[1]
        async with streaming(f"ws://127.0.0.1:{port}/ws", policy=patient) as (streamer, task):
            await reached.wait()
            await streamer.stop()
            await task
        # Its connection goes with the loop: who waits for it waits for the client's patience.
        dumb.close()

    run(test)


def test_a_stop_in_the_moment_of_the_connection_ends_the_run() -> None:
    """The socket stands, and the run has not been told of it yet."""

    async def test() -> None:
        async with server(obedient) as (url, seen):
            stops: list[asyncio.Task[None]] = []

            async def then_stopped(*args: Any, **named: Any) -> StreamSocket:
                socket = await open_socket(*args, **named)
                stops.append(asyncio.create_task(streamer.stop()))
                return socket

            with patch.object(streamer_module, "open_socket", then_stopped):
                async with streaming(url) as (streamer, task):
                    await task
            assert [commands(one) for one in seen] == [[]]

    run(test)
