"""The WebSockets: live ticks, bars, exposures and the service's own status."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec
import pyarrow as pa
from starlette.websockets import WebSocket, WebSocketDisconnect

from infrastructure.errors import StackError
from infrastructure.logging import get_logger
from infrastructure.redis.frames import decode_frame
from infrastructure.redis.streams import entry_key
from system.algo_trader.api.access.caller import require
from system.algo_trader.api.http.work import Work
from system.algo_trader.api.live.hub import Hub, Subscription
from system.algo_trader.api.operations.parameters import Kind, Parameter
from system.algo_trader.api.operations.problem import Problem
from system.algo_trader.api.operations.stores import Stores

MOST_SYMBOLS: Final = 1000
_LONGEST_CONFLATE_MS: Final = 60_000
_MESSAGE_BYTES: Final = 64 * 1024
_PAGE: Final = 500
_SYMBOLS: Final = Parameter("symbols", Kind.SYMBOLS, "Whose rows.", most=MOST_SYMBOLS)
_MOST_POLLED: Final = 50
_ENTRY: Final = re.compile(r"[0-9]{1,18}(-[0-9]{1,18})?")
_LOOK_S: Final = 1.0
_STATUS_S: Final = 1.0
_GONE: Final = (WebSocketDisconnect, RuntimeError, OSError)
_log = get_logger("api.sockets")
_encode = msgspec.json.Encoder().encode


class Ask(msgspec.Struct, forbid_unknown_fields=True):
    """What a client says.

    Attributes:
        action: "subscribe", "unsubscribe" or "ping".
        symbols: Whose rows.
        conflate_ms: Milliseconds in which only the newest row of each symbol counts.
        timeframes: Of bars; all without.
        resume: Id of the last entry that the client has: what came after it is sent first.
    """

    action: str
    symbols: list[str] = []
    conflate_ms: int = 0
    timeframes: list[str] = []
    resume: str | None = msgspec.field(name="from", default=None)


_asks = msgspec.json.Decoder(Ask)


@dataclass(frozen=True, slots=True)
class StreamSocket:
    """Serve one stream of rows.

    Attributes:
        kind: "ticks" or "bars".
        stream: Its name in Redis.
        hub: Hands out its rows.
        stores: Of the realm.
        work: Threads.
        needs: The scope that a key must have.
    """

    kind: str
    stream: str
    hub: Hub
    stores: Stores
    work: Work
    needs: str

    async def __call__(self, socket: WebSocket) -> None:
        """Serve a connection until it ends."""
        require(socket.scope, self.needs)
        await socket.accept()
        subscription = Subscription()
        self.hub.join(subscription)
        try:
            await _serve(
                socket,
                lambda ask: self._do(socket, subscription, ask),
                self._send(socket, subscription),
            )
        finally:
            self.hub.leave(subscription)

    async def _do(self, socket: WebSocket, subscription: Subscription, ask: Ask) -> None:
        wanted = frozenset(_symbols_of(ask))
        if ask.resume is not None and not _ENTRY.fullmatch(ask.resume):
            raise Problem(400, f"{ask.resume[:40]!r} is no entry", "from", "an `id`")
        if ask.action == "unsubscribe":
            subscription.symbols -= wanted
        else:
            if len(subscription.symbols | wanted) > MOST_SYMBOLS:
                raise Problem(400, "too many symbols", "symbols", f"at most {MOST_SYMBOLS}")
            if not 0 <= ask.conflate_ms <= _LONGEST_CONFLATE_MS:
                raise Problem(400, "no such time", "conflate_ms", f"0 to {_LONGEST_CONFLATE_MS}")
            if ask.resume is not None:
                subscription.hold()
            subscription.symbols |= wanted
            subscription.timeframes = frozenset(ask.timeframes)
            subscription.conflate_s = ask.conflate_ms / 1000
        await _say(
            socket,
            {
                "type": "subscribed",
                "symbols": sorted(subscription.symbols),
                "conflate_ms": round(subscription.conflate_s * 1000),
                "is_synthetic": self.stores.realm.is_simulated,
            },
        )
        if ask.resume is not None:
            await self._resume(socket, subscription, wanted, ask.resume)

    async def _resume(
        self, socket: WebSocket, subscription: Subscription, wanted: frozenset[str], after: str
    ) -> None:
        """Send what came after an entry, then let go of what came meanwhile."""
        try:
            while True:
                following = await self.work.do(partial(self._following, after))
                if following.is_gap:
                    await _say(socket, _gap(after, following.first))
                if following.is_anew:
                    after = "0"
                    continue
                if following.last is None:
                    return
                for entry, frame in following.frames:
                    found = self.hub.rows_of(frame, wanted)
                    rows = [row for row in found if subscription.wants(row)]
                    if rows:
                        await _say(socket, self._message(entry, rows, 0))
                after = following.last
        finally:
            subscription.release(after, wanted)

    def _following(self, after: str) -> _Following:
        """Return a page of entries behind one, and whether others between have left the stream."""
        # Read at once: what leaves the stream between two questions would leave unseen.
        first, last, found = self.stores.redis.page_of(self.stream, after, _PAGE)
        # Redis may have come back without the stream, or with a new one.
        is_anew = after != "0" and (last is None or entry_key(last) < entry_key(after))
        is_gap = after != "0" and (
            is_anew or (first is not None and entry_key(first) > entry_key(after))
        )
        frames = []
        for entry in () if is_anew else found:
            with contextlib.suppress(StackError):
                frames.append((entry.id, decode_frame(entry)))
        return _Following(frames, found[-1].id if found else None, first, is_gap, is_anew)

    async def _send(self, socket: WebSocket, subscription: Subscription) -> None:
        while True:
            batch = await subscription.next()
            if batch.gap is not None:
                await _say(socket, _gap(*batch.gap))
            if batch.rows:
                await _say(socket, self._message(batch.entry, batch.rows, batch.missed))

    def _message(self, entry: str, rows: list[dict[str, Any]], missed: int) -> dict[str, Any]:
        return {
            "type": self.kind,
            "id": entry,
            "is_synthetic": self.stores.realm.is_simulated,
            "missed": missed,
            "rows": rows,
        }


class _Following(NamedTuple):
    """Hold a page of a stream.

    Attributes:
        frames: Ids and rows of the entries that can be read.
        last: Id of the page's last entry; None for an empty one.
        first: Id of the stream's first entry; None for an empty stream.
        is_gap: Whether entries before the page are gone.
        is_anew: Whether the stream has begun anew.
    """

    frames: list[tuple[str, pa.Table]]
    last: str | None
    first: str | None
    is_gap: bool
    is_anew: bool


def _gap(after: str, before: str | None) -> dict[str, Any]:
    detail = "what came between has left the stream"
    return {"type": "gap", "after": after, "before": before, "detail": detail}


class Looked(NamedTuple):
    """Hold what was looked at.

    Attributes:
        name: The same as long as it says the same.
        content: A JSON object.
    """

    name: bytes
    content: bytes


@dataclass(frozen=True, slots=True)
class PolledSocket:
    """Send what is looked at again and again, whenever it has changed.

    Attributes:
        kind: The type of its messages.
        look: Returns what there is of a symbol.
        needs: The scope that a key must have.
    """

    kind: str
    look: Callable[[str], Awaitable[Looked]]
    needs: str

    async def __call__(self, socket: WebSocket) -> None:
        """Serve a connection until it ends."""
        require(socket.scope, self.needs)
        await socket.accept()
        said: dict[str, bytes] = {}

        async def do(ask: Ask) -> None:
            asked = _symbols_of(ask)
            if ask.action == "unsubscribe":
                for symbol in asked:
                    said.pop(symbol, None)
            elif len({*said, *asked}) > _MOST_POLLED:
                raise Problem(400, "too many symbols", "symbols", f"at most {_MOST_POLLED}")
            else:
                for symbol in asked:
                    said.setdefault(symbol, b"")
            await _say(socket, {"type": "subscribed", "symbols": sorted(said)})

        await _serve(socket, do, self._send(socket, said))

    async def _send(self, socket: WebSocket, said: dict[str, bytes]) -> None:
        while True:
            for symbol in list(said):
                found = await self._found(symbol)
                if said.get(symbol, found.name) != found.name:
                    said[symbol] = found.name
                    head = _encode({"type": self.kind, "symbol": symbol})
                    await socket.send_text((head[:-1] + b"," + found.content[1:]).decode())
            await asyncio.sleep(_LOOK_S)

    async def _found(self, symbol: str) -> Looked:
        try:
            return await self.look(symbol)
        except Problem as problem:
            content = _encode({"problem": problem.as_dict()})
            return Looked(content, content)


@dataclass(frozen=True, slots=True)
class StatusSocket:
    """Send the status about once a second.

    Attributes:
        document: Returns it as JSON.
        needs: The scope that a key must have.
    """

    document: Callable[[], bytes]
    needs: str

    async def __call__(self, socket: WebSocket) -> None:
        """Serve a connection until it ends."""
        require(socket.scope, self.needs)
        await socket.accept()

        async def nothing(ask: Ask) -> None:
            if ask.action != "ping":
                raise Problem(400, "the status takes no subscriptions", "action", ["ping"])

        await _serve(socket, nothing, self._send(socket))

    async def _send(self, socket: WebSocket) -> None:
        while True:
            await socket.send_text(self.document().decode())
            await asyncio.sleep(_STATUS_S)


async def _serve(
    socket: WebSocket, do: Callable[[Ask], Awaitable[None]], send: Coroutine[Any, Any, None]
) -> None:
    """Carry out what a client says, and send, until it goes.

    Args:
        socket: Accepted.
        do: Carries out one thing.
        send: Sends until it is cancelled.
    """
    sending = asyncio.create_task(send)
    try:
        # Starlette says by both that the other side has gone.
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            await _listen(socket, do, sending)
    finally:
        sending.cancel()
        [ended] = await asyncio.gather(sending, return_exceptions=True)
        if isinstance(ended, Exception) and not isinstance(ended, _GONE):
            _log.error("a socket ends by a fault of the service", exc_info=ended)


async def _listen(
    socket: WebSocket, do: Callable[[Ask], Awaitable[None]], sending: asyncio.Task[None]
) -> None:
    while not sending.done():
        receiving = asyncio.ensure_future(socket.receive())
        done, _ = await asyncio.wait({receiving, sending}, return_when=asyncio.FIRST_COMPLETED)
        if receiving not in done:
            receiving.cancel()
            return
        message = receiving.result()
        if message["type"] == "websocket.disconnect":
            return
        content = message.get("text") or message.get("bytes") or ""
        try:
            await _one(socket, content, do)
        except Problem as problem:
            await _say(socket, {**problem.as_dict(), "type": "error"})


async def _one(
    socket: WebSocket, content: str | bytes, do: Callable[[Ask], Awaitable[None]]
) -> None:
    size = len(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content)
    if size > _MESSAGE_BYTES:
        raise Problem(413, f"a message has at most {_MESSAGE_BYTES} bytes")
    try:
        ask = _asks.decode(content)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise Problem(400, f"the message is not understood: {error}") from None
    if ask.action == "ping":
        await _say(socket, {"type": "pong"})
    elif ask.action in ("subscribe", "unsubscribe"):
        await do(ask)
    else:
        raise Problem(
            400, f"no action {ask.action[:40]!r}", "action", ["subscribe", "unsubscribe", "ping"]
        )


def _symbols_of(ask: Ask) -> list[str]:
    if not ask.symbols:
        raise Problem(400, "symbols are missing", "symbols", _SYMBOLS.allowed())
    found: list[str] = _SYMBOLS.parse(",".join(ask.symbols))
    return found


async def _say(socket: WebSocket, document: Mapping[str, Any]) -> None:
    await socket.send_text(_encode(document).decode())
