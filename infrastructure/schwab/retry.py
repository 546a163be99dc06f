"""How often, and after which waits, a request that may be repeated is repeated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from infrastructure.clock import Clock
from infrastructure.errors import NetworkError, RateLimited, RetryableError
from infrastructure.logging import get_logger

_log = get_logger("schwab.retry")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Hold the bounds of retrying.

    Attributes:
        attempts: Requests in all, the first included.
        first_wait_s: Longest wait before the second attempt; each later one doubles it.
        longest_wait_s: Upper bound of those waits.
        longest_retry_after_s: A `Retry-After` beyond this is not waited for but raised.
    """

    attempts: int = 4
    first_wait_s: float = 0.5
    longest_wait_s: float = 20.0
    longest_retry_after_s: float = 65.0

    def wait_s(self, attempt: int, error: RetryableError, jitter: float) -> float | None:
        """Return the seconds to wait after a failed attempt, None to give up.

        Args:
            attempt: Number of the attempt that failed, from 1.
            error: Why it failed.
            jitter: From 0 to 1; spreads the waits of many clients over the upper half.
        """
        if attempt >= self.attempts:
            return None
        if isinstance(error, RateLimited) and error.retry_after_s is not None:
            if error.retry_after_s > self.longest_retry_after_s:
                return None
            return error.retry_after_s + jitter * self.first_wait_s
        longest = min(self.first_wait_s * 2.0 ** (attempt - 1), self.longest_wait_s)
        return longest * (0.5 + 0.5 * jitter)


NO_RETRY = RetryPolicy(attempts=1)


def with_retries(
    attempt_once: Callable[[], T],
    *,
    policy: RetryPolicy,
    clock: Clock,
    jitter: Callable[[], float],
    may_repeat: Callable[[RetryableError], bool],
) -> T:
    """Call until it succeeds, fails for good, or the policy gives up.

    Args:
        attempt_once: Makes one attempt; must be safe to repeat.
        policy: The bounds.
        clock: Waits.
        jitter: Returns a number from 0 to 1.
        may_repeat: Whether this failure can pass by itself.

    Raises:
        StackError: What the last attempt raised.
    """
    attempt = 1
    while True:
        try:
            return attempt_once()
        except RetryableError as error:
            wait_s = policy.wait_s(attempt, error, jitter()) if may_repeat(error) else None
            if wait_s is None:
                raise
            _log.info("attempt %d failed, again in %.1f s: %s", attempt, wait_s, error)
            clock.sleep(wait_s)
        attempt += 1


def passes_by_itself(error: RetryableError) -> bool:
    """Tell whether asking again soon makes sense: no answer, 429, or 5xx.

    Other unavailability (Akamai's 403, a maintenance page) lasts longer than our waits.
    """
    return isinstance(error, NetworkError | RateLimited) or error.context.get("status", 0) >= 500
