"""The streams of Flight under way: how many there may be, and which of them end early."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from infrastructure.clock import Clock
from infrastructure.logging import get_logger
from system.algo_trader.api.operations.problem import Problem

MOST_STREAMS: Final = 8
"""Calls that are answered at once; the next one is told to come back."""
MOST_OF_A_KEY: Final = 4
"""How many of them one key may have, so that nobody takes all places."""
STILL_S: Final = 60.0
"""How long a stream may wait for its caller to take the next batch."""
LOOK_S: Final = 1.0
"""How often it is looked whose key has ended and who does not read."""
BUSY_RETRY_S: Final = 1
_END_RETRY_S: Final = 5
_log = get_logger("api.flight")


class Stream:
    """Hold the place of one answer.

    Args:
        key_id: Whose it is.
        is_still_in: Whether that key would be let in now.
        clock: Tells how long the caller takes nothing.
    """

    def __init__(self, key_id: str, is_still_in: Callable[[], bool], clock: Clock) -> None:
        self.key_id = key_id
        self.is_still_in = is_still_in
        self.reason: Problem | None = None
        """Why it ends early; None as long as it may go on."""
        self._clock = clock
        self._given_ns: int | None = None

    def asked(self) -> None:
        """Tell that the caller took what it was given, and what comes next is being made.

        Raises:
            Problem: If the stream is to end.
        """
        self._given_ns = None
        self.check()

    def check(self) -> None:
        """Let the stream go on.

        Raises:
            Problem: If the stream is to end.
        """
        if self.reason is not None:
            # A copy: the traceback of an error keeps alive what it went through.
            raise replace(self.reason)

    def given(self) -> None:
        """Tell that it is the caller's turn."""
        self._given_ns = self._clock.monotonic_ns()

    def stands_s(self) -> float:
        """Return for how long the caller has taken nothing that was there."""
        given_ns = self._given_ns
        return 0.0 if given_ns is None else (self._clock.monotonic_ns() - given_ns) / 1e9


class Streams:
    """Give places to streams and take them back; any thread may ask.

    Nothing wakes a thread of gRPC that waits for a caller who does not read. Such a stream gives
    its place to others, counts for its own key until that caller goes away, and breaks off if it
    reads again.

    Args:
        clock: Tells the time.
        still_s: How long a stream may wait for its caller, seconds.
    """

    def __init__(self, clock: Clock, still_s: float = STILL_S) -> None:
        self._clock = clock
        self._still_s = still_s
        self._streams: set[Stream] = set()
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="flight-streams", daemon=True)

    def __len__(self) -> int:
        """Return how many places are taken; those that are to end have given theirs."""
        return sum(each.reason is None for each in list(self._streams))

    def start(self) -> None:
        """Look after the streams beside the caller."""
        self._thread.start()

    def close(self) -> None:
        """Let every stream break off and none begin."""
        with self._lock:
            self._ending.set()
        for stream in list(self._streams):
            stream.reason = _the_end()

    def begin(self, key_id: str, is_still_in: Callable[[], bool]) -> Stream:
        """Return a place, held until `end`.

        Raises:
            Problem: 429, if the key has as many as it may; 503, if all are taken or the service
                ends.
        """
        with self._lock:
            if self._ending.is_set():
                raise _the_end()
            if sum(each.key_id == key_id for each in list(self._streams)) >= MOST_OF_A_KEY:
                raise Problem(
                    429,
                    f"{MOST_OF_A_KEY} streams of this key run already",
                    next_step="Read them to their end, or close those that you do not read.",
                    retry_after_s=BUSY_RETRY_S,
                )
            if len(self) >= MOST_STREAMS:
                raise Problem(
                    503, f"{MOST_STREAMS} streams run already", retry_after_s=BUSY_RETRY_S
                )
            stream = Stream(key_id, is_still_in, self._clock)
            self._streams.add(stream)
        return stream

    def end(self, stream: Stream) -> None:
        """Take a place back."""
        # Without the lock: a stream may be dropped anywhere, also where the lock is held.
        self._streams.discard(stream)

    def look(self) -> None:
        """Let those break off whose key has ended or who have stood still for too long."""
        for stream in list(self._streams):
            if stream.reason is None:
                reason = self._reason(stream)
                if reason is not None:
                    stream.reason = reason
                    _log.warning("a stream of %s is ended: %s", stream.key_id, reason)

    def _reason(self, stream: Stream) -> Problem | None:
        if not stream.is_still_in():
            return Problem(401, "this key has ended")
        if stream.stands_s() >= self._still_s:
            said = f"nothing of this stream was taken for {self._still_s:g} seconds"
            return Problem(408, said, next_step="Ask again, and read what comes.")
        return None

    def _run(self) -> None:
        while not self._ending.wait(LOOK_S):
            try:
                self.look()
            except Exception:
                # Without this thread nobody would end those who do not read.
                _log.exception("the streams could not be looked at")


def _the_end() -> Problem:
    return Problem(503, "the service ends", retry_after_s=_END_RETRY_S)
