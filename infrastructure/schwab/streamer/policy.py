"""The bounds of a stream's patience, and what it counts."""

from __future__ import annotations

from dataclasses import dataclass, field

from infrastructure.schwab.streamer.delivery import DEFAULT_LIMIT
from infrastructure.schwab.streamer.socket import Patience

COMPILED_AFTER = 20_000
"""Level-one updates; a short command never pays for the loading of the kernels."""


@dataclass(frozen=True, slots=True)
class StreamPolicy:
    """Hold the bounds of a stream's patience.

    Attributes:
        patience: Of one connection.
        reply_s: How long the answer to a command may take.
        silence_s: Longest time without any frame, heartbeats included, before reconnecting.
        first_wait_s: Longest wait before the first reconnection; each later one doubles it.
        longest_wait_s: Upper bound of those waits.
        queue_limit: Updates that may wait for the reader before they are conflated.
        compiled_after: Level-one updates after which compiled kernels are loaded, beside the
            stream, and take over; never when None.
        poll_s: Time from one poll by REST to the next, of keys past a service's limit.
    """

    patience: Patience = field(default_factory=Patience)
    reply_s: float = 10.0
    silence_s: float = 30.0
    first_wait_s: float = 0.2
    longest_wait_s: float = 4.0
    queue_limit: int = DEFAULT_LIMIT
    compiled_after: int | None = COMPILED_AFTER
    poll_s: float = 5.0

    @property
    def reconnects_within_s(self) -> float:
        """The longest time to the next attempt, of two.

        From the death of a connection: until its silence was noticed by an unanswered ping, and
        the first wait. From the moment when a dead server serves again: an attempt that had just
        begun to wait for it in vain, and the longest wait.
        """
        noticed_s = self.patience.idle_s + self.patience.pong_s
        return max(noticed_s + self.first_wait_s, self.patience.connect_s + self.longest_wait_s)

    def wait_s(self, failures: int, jitter: float) -> float:
        """Return the seconds before the next attempt after so many failures in a row, from 1."""
        longest = min(self.first_wait_s * 2.0 ** min(failures - 1, 16), self.longest_wait_s)
        return longest * (0.5 + 0.5 * jitter)


@dataclass(slots=True)
class StreamCounts:
    """Count what a stream has seen since it began.

    Attributes:
        frames: Messages of any kind.
        heartbeats: Messages that only say that the server lives.
        updates: Updates that were merged.
        bad_frames: Messages and entries that could not be read or placed.
        connections: Connections that were signed in.
        unsolicited: Replies that nobody waited for.
        compiled: Messages that the compiled kernels read.
    """

    frames: int = 0
    heartbeats: int = 0
    updates: int = 0
    bad_frames: int = 0
    connections: int = 0
    unsolicited: int = 0
    compiled: int = 0
