"""The streamer without its sockets: sessions, commands, the clock's beat, faults and the ledger."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from infrastructure.clock import Clock
from infrastructure.simulators.schwab.streamer import codes, frames
from infrastructure.simulators.schwab.streamer.board import Board
from infrastructure.simulators.schwab.streamer.codes import Code
from infrastructure.simulators.schwab.streamer.commands import Command, parse_commands
from infrastructure.simulators.schwab.streamer.forms import ACCT_ACTIVITY, ADMIN, service_forms
from infrastructure.simulators.schwab.streamer.frame_replay import RecordedParts, merge_items
from infrastructure.simulators.schwab.streamer.identity import StreamerIdentity
from infrastructure.simulators.schwab.streamer.ledger import Ledger
from infrastructure.simulators.schwab.streamer.rules import StreamRules
from infrastructure.simulators.schwab.streamer.session import ABRUPT, Outgoing, Session
from infrastructure.simulators.schwab.streamer.sources import MarketTime, Source
from infrastructure.simulators.schwab.streamer.stream_faults import StreamFaults

DROPPED_CONNECTION: Final = "dropped connection"
HALF_OPEN: Final = "half-open socket"
LOST_CONNECTION: Final = "lost connection"

_NS_PER_S: Final = 1_000_000_000
_NS_PER_MS: Final = 1_000_000
_STOP_FACTOR: Final = 10


class TokenCheck(Protocol):
    """Say whether an access token is good."""

    def accepts(self, access_token: str) -> bool:
        """Return whether the token was issued and is not over."""


class Streamer:
    """Serve sessions; safe to share between threads.

    Args:
        tokens: Which access tokens LOGIN accepts.
        time: The time of the streamed market.
        clock: For heartbeats and time limits.
        sources: Where updates come from; the first that knows a key feeds it.
        identity: The ids that userPreference gives and commands must carry.
        rules: What is not established about Schwab's own.
        step: Moves the streamed market's time on, for one that runs as fast as clients take it;
            None where it moves by itself.

    Attributes:
        board: The newest values of every opened key.
        faults: What is to go wrong with frames, commands and connects.
        ledger: What was sent and what was held back.
    """

    def __init__(
        self,
        tokens: TokenCheck,
        time: MarketTime,
        clock: Clock,
        sources: Sequence[Source] = (),
        *,
        identity: StreamerIdentity | None = None,
        rules: StreamRules | None = None,
        step: Callable[[], None] | None = None,
    ) -> None:
        self._step = step
        self.rules = rules or StreamRules()
        self.identity = identity or StreamerIdentity()
        self.board = Board()
        self.faults = StreamFaults()
        self.ledger = Ledger()
        self.time = time
        self._tokens = tokens
        self._clock = clock
        self._sources = tuple(sources)
        self._opened: set[tuple[str, str]] = set()
        self._sessions: list[Session] = []
        # Cut by a fault; they go on noting what their client misses until it subscribes again.
        self._ghosts: list[Session] = []
        self._count = 0
        self._lock = threading.RLock()

    @property
    def sessions(self) -> list[Session]:
        """Return the open connections."""
        with self._lock:
            return list(self._sessions)

    def connect(self) -> Session:
        """Begin a connection."""
        with self._lock:
            self._count += 1
            session = Session(
                self._count, self.board, self.rules, self.faults, self._clock.monotonic_ns()
            )
            self._sessions.append(session)
            return session

    def disconnected(self, session: Session) -> None:
        """End a connection whose socket is gone."""
        with self._lock:
            if session not in self._sessions:
                return
            self._sessions.remove(session)
            if session.cut is not None:
                self._ghosts.append(session)
                return
            for outgoing in session.take():
                if outgoing.items and not outgoing.is_copy:
                    self.ledger.record(outgoing.items, LOST_CONNECTION)
            session.forget()

    def receive(self, session: Session, text: str | bytes) -> None:
        """Do what a client asks, answering each command in its order."""
        with self._lock:
            for command in parse_commands(text):
                if session.closing is not None or session.cut is not None:
                    return
                session.flush(self.time.now_ns)
                self._do(session, command)
                session.flush(self.time.now_ns)

    def publish(
        self,
        service: str,
        key: str,
        changes: Mapping[str, Any],
        extras: Mapping[str, Any] | None = None,
    ) -> None:
        """Tell new values of a key, by field number, to whoever listens to it."""
        with self._lock:
            self.board.merge(service, key, changes, extras)
            for session in self._sessions:
                session.note(service, key, changes)
            for session in self._ghosts:
                session.note(service, key, changes)

    def relay(self, parts: RecordedParts | None, text: str) -> None:
        """Send a recorded frame to whoever listens to its keys.

        Args:
            parts: Its items by service; None for one that is no JSON, which everybody gets who
                listens to anything.
            text: The frame.
        """
        with self._lock:
            for service, items in parts or ():
                merge_items(self.board, service, items)
            for session in (*self._sessions, *self._ghosts):
                if parts is None and session.subscriptions:
                    session.say(text)
                for service, items in parts or ():
                    verbatim = text if parts is not None and len(parts) == 1 else ""
                    session.relay(service, items, verbatim, self.time.now_ns)

    def publish_account_activity(self, account: str, message_type: str, data: str) -> None:
        """Tell an event of an account; one item for each listening connection, in this order.

        Args:
            account: The account's number.
            message_type: Such as "OrderCreated".
            data: The event as JSON text; "" for none.
        """
        values = {"1": account, "2": message_type, "3": data}
        with self._lock:
            for session in (*self._sessions, *self._ghosts):
                for key in session.subscriptions.get(ACCT_ACTIVITY, {}):
                    session.enqueue(ACCT_ACTIVITY, key, values)

    def pump(self) -> bool:
        """Let the time that has passed have its effects.

        Returns:
            Whether the market waits for nothing but the next pump.
        """
        with self._lock:
            steps = self._step is not None and self._is_ready()
            if steps and self._step is not None:
                self._step()
            market_ns, now_ns = self.time.now_ns, self._clock.monotonic_ns()
            for source in self._sources:
                source.advance(market_ns, self.publish)
            for session in self._sessions:
                if 0 < session.muted_until_ns <= now_ns:
                    session.unmute()
                session.flush(market_ns)
                self._beat(session, now_ns)
            for session in self._ghosts:
                session.flush(market_ns)
                self._note(session.take())
            return steps

    def take(self, session: Session) -> list[Outgoing]:
        """Return what is to be sent now and enter it in the ledger."""
        with self._lock:
            outgoing = session.take()
            self._note(outgoing)
            return [each for each in outgoing if each.text is not None]

    def state(self, service: str | None = None, key: str | None = None) -> dict[str, Any]:
        """Return the newest values by service, key and field number."""
        with self._lock:
            return self.board.as_json(service, key)

    def drop_connections(self) -> None:
        """End every connection without a close frame, after what was sent before. A fault."""
        with self._lock:
            for session in self._sessions:
                session.flush(self.time.now_ns)
                session.close(ABRUPT)
                session.cut = DROPPED_CONNECTION

    def half_open(self) -> None:
        """Leave every connection open and say nothing more on it, nor read it. A fault."""
        with self._lock:
            for session in self._sessions:
                session.flush(self.time.now_ns)
                session.hold_back(HALF_OPEN)

    def drop_interval(self, seconds: float) -> None:
        """Hold everything back, heartbeats too, for seconds of the clock. A fault.

        What changed meanwhile comes afterwards with the next frame of each key; items of
        sequenced services are lost.
        """
        until = self._clock.monotonic_ns() + round(seconds * _NS_PER_S)
        with self._lock:
            for session in self._sessions:
                session.flush(self.time.now_ns)
                session.muted_until_ns = until

    def close_connections(self, code: int) -> None:
        """End every connection with a WebSocket close code. A fault."""
        with self._lock:
            for session in self._sessions:
                session.flush(self.time.now_ns)
                session.close(code)
                session.cut = f"closed with {code}"

    def stop_streaming(self, text: str = codes.EMPTY_TEXT) -> None:
        """End every stream with code 30, as an administrator does. [S]"""
        with self._lock:
            for session in self._sessions:
                self._stop(session, Code.STOP_STREAMING, text)

    def _is_ready(self) -> bool:
        """Say whether somebody listens and nobody lags behind."""
        listening = [s for s in self._sessions if s.subscriptions and s.closing is None]
        return bool(listening) and all(
            session.waiting_bytes <= self.rules.high_water_bytes for session in listening
        )

    def _do(self, session: Session, command: Command) -> None:
        if command.service == ADMIN and command.name in ("LOGIN", "LOGOUT"):
            if command.name == "LOGIN":
                self._log_in(session, command)
            else:
                self._log_out(session, command)
            return
        if not command.service or command.name not in codes.FAILED:
            self._answer(session, command, Code.BAD_COMMAND_FORMAT, codes.BAD_FORMAT_TEXT)
            return
        if session.login is None or not self._is_ours(command):
            self._answer(session, command, Code.STREAM_CONN_NOT_FOUND, codes.NOT_FOUND_TEXT)
            return
        failure = self.faults.next_command(command.service, command.name)
        if failure is not None:
            self._answer(session, command, failure, codes.failed_text(command.name))
        elif command.service not in service_forms():
            self._answer(session, command, Code.SERVICE_NOT_AVAILABLE, codes.NOT_AVAILABLE_TEXT)
        else:
            self._change(session, command)
        if session.subscriptions:
            session.idle_since_ns = self._clock.monotonic_ns()

    def _log_in(self, session: Session, command: Command) -> None:
        parameters = command.parameters
        # Whether a wrong channel or function id is refused is not established. [?]
        good = self._is_ours(command) and self._tokens.accepts(parameters.get("Authorization", ""))
        if not good:
            self._answer(session, command, Code.LOGIN_DENIED, codes.LOGIN_DENIED_TEXT)
            session.close()
            return
        for other in list(self._sessions):
            if other is session or other.login is None:
                continue
            if other.cut is None:
                self._stop(other, Code.CLOSE_CONNECTION, codes.TOO_MANY_TEXT)
            else:
                other.close(ABRUPT)
                self._sessions.remove(other)
                self._ghosts.append(other)
        session.login = command
        session.idle_since_ns = self._clock.monotonic_ns()
        text = f"server={self.identity.server};status={self.rules.status}"
        self._answer(session, command, Code.SUCCESS, text)

    def _log_out(self, session: Session, command: Command) -> None:
        if session.login is None:
            self._answer(session, command, Code.STREAM_CONN_NOT_FOUND, codes.NOT_FOUND_TEXT)
            return
        self._answer(session, command, Code.SUCCESS, codes.LOGOUT_TEXT)
        session.forget()
        self._ghosts.clear()
        session.close()

    def _change(self, session: Session, command: Command) -> None:
        service, keys = command.service, command.keys
        if command.name == "UNSUBS":
            if not keys:
                self._answer(session, command, Code.BAD_COMMAND_FORMAT, codes.BAD_FORMAT_TEXT)
                return
            session.unsubscribe(service, keys)
            self._release(service, keys)
            self._succeed(session, command)
            return
        known = service_forms()[service].names
        fields = tuple(n for n in command.fields or () if n in known and n != "0")
        if not command.fields or (command.name != "VIEW" and not keys):
            self._answer(session, command, Code.BAD_COMMAND_FORMAT, codes.BAD_FORMAT_TEXT)
        elif command.name == "VIEW":
            session.view(service, fields)
            self._succeed(session, command)
        elif command.name == "ADD" and service == ACCT_ACTIVITY:
            self._answer(session, command, Code.FAILED_ADD, codes.failed_text("ADD"))
        else:
            self._subscribe(session, command, keys or [], fields)

    def _subscribe(
        self, session: Session, command: Command, keys: list[str], fields: tuple[str, ...]
    ) -> None:
        service = command.service
        if command.name == "SUBS":
            session.unsubscribe(service)
            self._release(service, None)
        if service == ACCT_ACTIVITY:
            keys = keys[:1]
        held = session.subscriptions.get(service, {})
        limit = self.rules.limit(service)
        room = limit - len(held)
        kept = [key for key in keys if key in held]
        new = [key for key in keys if key not in held]
        kept += new[: max(0, room)]
        discarded = len(keys) - len(kept)
        self._release(service, kept)
        for key in kept:
            self._open(service, key)
        if discarded:
            text = codes.limit_text(command.name, service, limit, discarded)
            self._answer(session, command, Code.REACHED_SYMBOL_LIMIT, text)
        else:
            self._succeed(session, command)
        session.subscribe(service, kept, fields)
        if service == ACCT_ACTIVITY:
            for key in kept:
                session.enqueue(service, key, {"1": "", "2": "SUBSCRIBED", "3": ""})

    def _open(self, service: str, key: str) -> None:
        if (service, key) in self._opened:
            return
        now = self.time.now_ns
        if any(source.open(service, key, now, self.publish) for source in self._sources):
            self._opened.add((service, key))

    def _release(self, service: str, keys: list[str] | None) -> None:
        """Let the cut connections forget keys: their client has them again, or wants them not."""
        for ghost in list(self._ghosts):
            ghost.flush(self.time.now_ns, at_once=True)
            self._note(ghost.take())
            ghost.unsubscribe(service, keys)
            if not ghost.subscriptions:
                self._ghosts.remove(ghost)

    def _beat(self, session: Session, now_ns: int) -> None:
        rules = self.rules
        if session.closing is not None or session.cut is not None:
            return
        if session.login is None:
            if _is_over(session.connected_ns, rules.login_s, now_ns):
                session.close(codes.POLICY_VIOLATION)
            return
        if now_ns - session.heartbeat_ns >= rules.heartbeat_s * _NS_PER_S:
            session.heartbeat_ns = now_ns
            session.say(frames.heartbeat_frame(self._now_ms()))
        if session.subscriptions:
            session.idle_since_ns = now_ns
        elif _is_over(session.idle_since_ns, rules.empty_s, now_ns):
            self._stop(session, Code.STOP_STREAMING, codes.EMPTY_TEXT)
        self._watch_pace(session, now_ns)

    def _watch_pace(self, session: Session, now_ns: int) -> None:
        if session.waiting_bytes <= self.rules.high_water_bytes:
            session.slow_since_ns = None
            return
        if session.slow_since_ns is None:
            session.slow_since_ns = now_ns
        too_much = session.waiting_bytes > _STOP_FACTOR * self.rules.high_water_bytes
        if too_much or _is_over(session.slow_since_ns, self.rules.slow_s, now_ns):
            self._stop(session, Code.STOP_STREAMING, codes.SLOW_TEXT)

    def _stop(self, session: Session, code: Code, text: str) -> None:
        """Say why a stream ends and end it. [S][?]"""
        if session.login is not None and self.rules.stop_frame == "response":
            self._answer(session, session.login, code, text)
        else:
            session.say(frames.notify_frame(ADMIN, self._now_ms(), code, text))
        session.close()
        session.forget()

    def _succeed(self, session: Session, command: Command) -> None:
        zero = self.rules.success_code_zero
        code = Code.SUCCESS if zero else codes.SUCCEEDED[command.name]
        self._answer(session, command, code, codes.succeeded_text(command.name))

    def _answer(self, session: Session, command: Command, code: Code, text: str) -> None:
        correlation_id = command.correlation_id or self.identity.correlation_id
        session.say(frames.response_frame(command, correlation_id, self._now_ms(), code, text))

    def _is_ours(self, command: Command) -> bool:
        """Say whether a command carries the ids of userPreference. [S]"""
        identity = self.identity
        return (command.customer_id, command.correlation_id) == (
            identity.customer_id,
            identity.correlation_id,
        )

    def _now_ms(self) -> int:
        return self.time.now_ns // _NS_PER_MS + self.faults.skew_ms

    def _note(self, outgoing: list[Outgoing]) -> None:
        for each in outgoing:
            if each.is_copy:
                self.ledger.record_copies(each.items)
            elif each.items:
                self.ledger.record(each.items, each.fate)


def _is_over(since_ns: int, limit_s: float | None, now_ns: int) -> bool:
    return limit_s is not None and now_ns - since_ns >= limit_s * _NS_PER_S
