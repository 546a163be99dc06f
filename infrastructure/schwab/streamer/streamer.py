"""A stream that stays: it signs in, subscribes, watches, reconnects, and says what it missed."""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Callable, Iterable
from functools import partial

from infrastructure.clock import Clock, SystemClock
from infrastructure.config import Secret
from infrastructure.errors import (
    NetworkError,
    OperatorError,
    ProviderUnavailable,
    RequestRejected,
    RetryableError,
    SignInRequired,
)
from infrastructure.logging import get_logger
from infrastructure.schwab.streamer.codes import ENDINGS, SUCCESSES, ReplyCode, advice
from infrastructure.schwab.streamer.commands import ADMIN, Command, StreamerInfo
from infrastructure.schwab.streamer.continuity import Continuity
from infrastructure.schwab.streamer.conversation import Conversation
from infrastructure.schwab.streamer.daemon_thread import in_daemon_thread
from infrastructure.schwab.streamer.delivery import EventQueue
from infrastructure.schwab.streamer.events import Connected, Disconnected, Refused
from infrastructure.schwab.streamer.frames import Reply
from infrastructure.schwab.streamer.intake import Intake
from infrastructure.schwab.streamer.policy import StreamCounts, StreamPolicy
from infrastructure.schwab.streamer.polling import AskQuotes, Polling
from infrastructure.schwab.streamer.refusal import discarded_keys
from infrastructure.schwab.streamer.services import SPECS, Delivery, Service
from infrastructure.schwab.streamer.socket import StreamSocket, open_socket
from infrastructure.schwab.streamer.state import ServiceState
from infrastructure.schwab.streamer.subscriptions import Change, Subscriptions

__all__ = ["ONE_STREAM", "SchwabStreamer", "StreamCounts", "StreamPolicy"]

_log = get_logger("schwab.streamer")

ONE_STREAM = (
    "Schwab allows one stream a user, and another sign-in has taken this one's place (code 12)"
)


class SchwabStreamer:
    """Stream Schwab's services for one user; all methods are for one event loop.

        async with asyncio.TaskGroup() as group:
            group.create_task(streamer.run())
            await streamer.subscribe(Service.LEVELONE_EQUITIES, ["AAPL"])
            while (event := await streamer.events.get()) is not None:
                ...

    A reader of many small frames takes all that waits by one `await streamer.events.get_many()`.

    Args:
        details: Returns where the stream is; asked anew before each connection.
        access_token: Returns a token to send; called with True after Schwab refused the last one.
        clock: Stamps what arrives.
        policy: The bounds.
        ssl_context: Whom to trust; the system's certificates when None.
        jitter: Returns a number from 0 to 1, for the waits.
        on_frame: Is told each frame as it came, and when (nanoseconds UTC), before it is read.
        quotes: Returns quotes by REST, such as `SchwabClient.quotes`: keys past a service's limit
            are polled with it, and arrive as `Polled`. Without it they are only refused.
    """

    def __init__(
        self,
        details: Callable[[], StreamerInfo],
        access_token: Callable[[bool], Secret],
        *,
        clock: Clock | None = None,
        policy: StreamPolicy | None = None,
        ssl_context: ssl.SSLContext | None = None,
        jitter: Callable[[], float] = random.random,
        on_frame: Callable[[int, bytes], None] | None = None,
        quotes: AskQuotes | None = None,
    ) -> None:
        self._details = details
        self._access_token = access_token
        self._clock: Clock = clock if clock is not None else SystemClock()
        self._policy = policy if policy is not None else StreamPolicy()
        self._ssl_context = ssl_context
        self._jitter = jitter
        self._on_frame = on_frame
        self.events = EventQueue(self._policy.queue_limit)
        self.counts = StreamCounts()
        self.subscriptions = Subscriptions()
        self._intake = Intake(self.events, self.counts, self._policy.compiled_after)
        self._conversation = Conversation(self._policy.reply_s)
        self._polling: Polling | None = None
        if quotes is not None:
            self._polling = Polling(quotes, self.events, self._clock, self._policy.poll_s)
        self._signed_in = False
        self._last_frame_s = 0.0
        self._fatal: BaseException | None = None
        self._making_up: asyncio.Task[None] | None = None
        self._lacks_frame = False
        self._stop_asked = asyncio.Event()
        self._connecting: asyncio.Task[tuple[StreamSocket, StreamerInfo]] | None = None
        self._signing_in: asyncio.Task[None] | None = None

    def state(self, service: Service) -> ServiceState:
        """Return the merged state of a service."""
        return self._intake.states[service]

    def continuity(self, service: Service) -> Continuity:
        """Return what is known of a service's gaps."""
        return self._intake.continuity[service]

    def polled_keys(self, service: Service) -> tuple[str, ...]:
        """Return the keys of a service that are polled by REST, since the stream has no room."""
        return () if self._polling is None else self._polling.keys(service)

    @property
    def is_connected(self) -> bool:
        """Whether the stream is signed in right now."""
        return self._signed_in

    async def subscribe(
        self, service: Service, keys: Iterable[str], fields: Iterable[int] | None = None
    ) -> Change:
        """Replace a service's keys; at once if connected, else with the next connection.

        Args:
            service: Which.
            keys: Its keys; those past the service's limit come back as `excess`.
            fields: Field numbers; all when None.

        Raises:
            UsageError: If keys or fields cannot be sent.
            RequestRejected: If the server refused.
            RetryableError: If no answer came; the subscription stays wanted.
        """
        change = self.subscriptions.subscribe(service, keys, fields)
        self._intake.states[service].forget()
        self._poll_no_more(service, None)
        await self._apply(change)
        self._tidy(service)
        return change

    async def add(self, service: Service, keys: Iterable[str]) -> Change:
        """Append keys to a service. Errors as `subscribe`."""
        change = self.subscriptions.add(service, keys)
        self._poll_no_more(service, change.keys)
        if change.keys:
            await self._apply(change)
        else:
            self._report_excess(change)
        return change

    async def unsubscribe(self, service: Service, keys: Iterable[str] | None = None) -> Change:
        """Remove keys of a service, all when None. Errors as `subscribe`."""
        self._poll_no_more(service, keys if keys is None else (keys := tuple(keys)))
        change = self.subscriptions.unsubscribe(service, keys)
        await self._apply(change)
        self._tidy(service)
        return change

    async def view(self, service: Service, fields: Iterable[int]) -> Change:
        """Change the fields of a service. Errors as `subscribe`."""
        change = self.subscriptions.view(service, fields)
        await self._apply(change)
        self._tidy(service)
        return change

    def _tidy(self, service: Service) -> None:
        """Forget what is no longer delivered; frames from before the answer may have told it."""
        if service in self.subscriptions:
            wanted = self.subscriptions[service]
            self._intake.states[service].keep(wanted.keys, wanted.fields)
        else:
            self._intake.states[service].forget()

    async def warm_up(self) -> None:
        """Load the compiled kernels now, rather than when the stream has shown to be busy."""
        await self._intake.load()

    async def run(self) -> None:
        """Stay connected until `stop`; after an error it may be run again, and knows its gap.

        Raises:
            SignInRequired: If Schwab does not accept the sign-in any more.
            OperatorError: If another stream of the same user took this one's place.
            StackError: If the token or the stream's address cannot be had for good.
        """
        failures = 0
        self._fatal = None
        self.events.reopen()
        polling = None if self._polling is None else asyncio.create_task(self._polling.run())
        try:
            while not self._stop_asked.is_set():
                try:
                    ending = await self._one_connection()
                    failures = 0
                except RetryableError as error:
                    failures += 1
                    ending = str(error)
                if self._stop_asked.is_set():
                    break
                if self._fatal is not None:
                    raise self._fatal
                wait_s = self._policy.wait_s(max(failures, 1), self._jitter())
                _log.info("the stream ended (%s); again in %.1f s", ending, wait_s)
                await self._sleep(wait_s)
        finally:
            if polling is not None:
                polling.cancel()
                await asyncio.gather(polling, return_exceptions=True)
            self._end_connection()
            self.events.close()

    async def stop(self) -> None:
        """Sign out and end `run`; what waits for the reader stays readable."""
        self._stop_asked.set()
        if self._connecting is not None:
            self._connecting.cancel()
        if self._signed_in:
            self._tell_open_gaps()
            try:
                await self._conversation.ask(ADMIN, Command.LOGOUT)
            except RetryableError as error:
                _log.info("signing out of the stream was not answered: %s", error)
        elif self._signing_in is not None:
            self._signing_in.cancel()
        self._conversation.close()

    def _tell_open_gaps(self) -> None:
        """Tell of gaps that no update has ended since the last connection."""
        for subscription in self.subscriptions:
            for gap in self._intake.continuity[subscription.service].heard(self._clock.now_ns()):
                self.events.put(gap)

    async def _one_connection(self) -> str:
        """Connect, sign in, subscribe and stay until the end; return how it ended."""
        self._connecting = asyncio.create_task(self._connect())
        try:
            socket, info = await self._connecting
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self._stop_asked.is_set() or (task is not None and task.cancelling()):
                raise
            return "stopped before it was connected"
        finally:
            self._connecting = None
        self._conversation.begin(socket, info)
        if self._stop_asked.is_set():
            # It came in the moment in which the connection stood and nobody could close it yet.
            return "stopped before it was signed in"
        closing = asyncio.create_task(socket.closed())
        watching = asyncio.create_task(self._watch())
        self._last_frame_s = asyncio.get_running_loop().time()
        working = self._signing_in = asyncio.create_task(self._sign_in_and_replay())
        ending = "the connection was lost"
        try:
            await asyncio.wait({closing, working}, return_when=asyncio.FIRST_COMPLETED)
            if closing.done():
                # A reply that came just before the end is still acted on.
                self._conversation.fail_awaited()
                await asyncio.wait({working}, timeout=self._policy.reply_s)
            if working.done() and not working.cancelled():
                working.result()
            ending = await closing
            if not self._signed_in:
                raise NetworkError(f"The streamer ended before it signed us in: {ending}")
            return ending
        finally:
            self._signing_in = None
            for task in (watching, working, closing):
                task.cancel()
            await asyncio.gather(watching, working, closing, return_exceptions=True)
            if self._signed_in:
                now_ns = self._clock.now_ns()
                reason = "stopped" if self._stop_asked.is_set() else ending
                self.events.put(Disconnected(now_ns, reason))
                for subscription in self.subscriptions:
                    self._intake.continuity[subscription.service].connection_lost(now_ns)
            self._end_connection()

    async def _connect(self) -> tuple[StreamSocket, StreamerInfo]:
        info = await in_daemon_thread(self._details)
        socket = await open_socket(
            info.url,
            self._on_message,
            patience=self._policy.patience,
            ssl_context=self._ssl_context,
        )
        return socket, info

    async def _sign_in_and_replay(self) -> None:
        server = await self._sign_in()
        for state in self._intake.states.values():
            state.forget()
        self._signed_in = True
        self.counts.connections += 1
        self.events.put(Connected(self._clock.now_ns(), self.counts.connections, server))
        for change in self.subscriptions.replay():
            try:
                await self._exchange(change)
            except RequestRejected as error:
                _log.warning("%s", error)

    async def _sign_in(self) -> str:
        token = await in_daemon_thread(partial(self._access_token, False))
        reply = await self._conversation.sign_in(token)
        if reply.content.code == ReplyCode.LOGIN_DENIED:
            # The server closes this connection; a fresh token tries the next one.
            newer = await in_daemon_thread(partial(self._access_token, True))
            if newer == token:
                self._fatal = SignInRequired(
                    f"Schwab's streamer refused the sign-in: {reply.content.msg}",
                    next_step="Run `algo-trader auth login`.",
                )
            raise ProviderUnavailable(f"Schwab's streamer refused the token: {reply.content.msg}")
        if reply.content.code not in SUCCESSES:
            raise ProviderUnavailable(
                f"Schwab's streamer answered the sign-in with code {reply.content.code}: "
                f"{reply.content.msg}"
            )
        return reply.content.msg

    async def _watch(self) -> None:
        """Drop a connection that has gone silent; its end is seen by whoever waits for it."""
        loop = asyncio.get_running_loop()
        while True:
            silent_s = loop.time() - self._last_frame_s
            if silent_s >= self._policy.silence_s:
                _log.info("no frame for %.0f s; dropping the connection", silent_s)
                self._conversation.abort()
                return
            await asyncio.sleep(max(self._policy.silence_s - silent_s, 0.01))

    def _end_connection(self) -> None:
        self._signed_in = False
        self._conversation.end()

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stop_asked.wait()
        except TimeoutError:
            return

    async def _apply(self, change: Change) -> None:
        self._report_excess(change)
        if self._signed_in:
            await self._exchange(change)

    def _report_excess(self, change: Change) -> None:
        if change.excess:
            limit = SPECS[change.service].key_limit
            self._refuse(
                change.service,
                change.excess,
                None,
                f"Schwab streams {limit} keys of a service",
            )

    def _refuse(
        self, service: Service, keys: tuple[str, ...], code: int | None, reason: str
    ) -> None:
        """Tell the reader of keys that are not streamed; poll those that there is no room for."""
        full = code is None or code == ReplyCode.REACHED_SYMBOL_LIMIT
        if full:
            polled = self._polling is not None and self._polling.add(service, keys)
            every = f"every {self._policy.poll_s:g} s"
            reason += f"; these are polled by REST {every}" if polled else "; poll these by REST"
        self.events.put(Refused(service, keys, code, reason))

    def _poll_no_more(self, service: Service, keys: Iterable[str] | None) -> None:
        if self._polling is not None:
            self._polling.remove(service, keys)

    async def _exchange(self, change: Change) -> None:
        """Send a change and deal with a refusal.

        Raises:
            RequestRejected: If the server refused; the refused keys are no longer wanted.
            RetryableError: If no answer came.
        """
        reply = await self._conversation.ask(
            change.service, change.command, change.keys, change.fields
        )
        code = reply.content.code
        if code in SUCCESSES:
            return
        keys = discarded_keys(change, self.subscriptions, reply.content.msg)
        if change.command in (Command.SUBS, Command.ADD):
            self.subscriptions.drop(change.service, keys)
        self._refuse(change.service, keys, code, reply.content.msg)
        if code == ReplyCode.REACHED_SYMBOL_LIMIT and len(keys) < len(change.keys):
            return
        raise RequestRejected(
            f"Schwab refused {change.command} {change.service} (code {code}): {reply.content.msg}",
            next_step=advice(code),
        )

    def _on_message(self, payload: memoryview | bytes) -> None:
        received_ns = self._clock.now_ns()
        self._last_frame_s = asyncio.get_running_loop().time()
        self.counts.frames += 1
        if self._on_frame is not None:
            self._on_frame(received_ns, bytes(payload))
        try:
            frame = self._intake.read(payload, received_ns)
        except ValueError as error:
            self.counts.bad_frames += 1
            _log.warning("a frame of the stream could not be read and was left out: %s", error)
            self._make_up_for_frame(received_ns)
            return
        if frame is None:
            return
        for reply in frame.response:
            self._on_reply(reply)
        if frame.notify:
            self.counts.heartbeats += 1

    def _make_up_for_frame(self, now_ns: int) -> None:
        """Ask for full frames again: what an unreadable one changed is never sent a second time."""
        for subscription in self.subscriptions:
            self._intake.continuity[subscription.service].frame_lost(now_ns)
        self._lacks_frame = True
        if self._signed_in and (self._making_up is None or self._making_up.done()):
            self._making_up = asyncio.create_task(self._ask_anew())

    async def _ask_anew(self) -> None:
        # A frame that cannot be read while full ones are on their way may be one of them.
        while self._lacks_frame:
            self._lacks_frame = False
            for change in self.subscriptions.replay():
                if SPECS[change.service].delivery is Delivery.CHANGE:
                    try:
                        await self._exchange(change)
                    except (RequestRejected, RetryableError) as error:
                        _log.warning("%s", error)

    def _on_reply(self, reply: Reply) -> None:
        code = reply.content.code
        if code == ReplyCode.CLOSE_CONNECTION:
            self._fatal = OperatorError(
                ONE_STREAM,
                next_step="End the other stream (another program, computer or website session), "
                "then start this one again.",
            )
            _log.warning("%s", ONE_STREAM)
        if code in ENDINGS and code != ReplyCode.LOGIN_DENIED:
            self._conversation.close()
        if not self._conversation.take(reply):
            self.counts.unsolicited += 1
