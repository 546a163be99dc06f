import pytest

from infrastructure.clock import VirtualClock
from infrastructure.errors import NetworkError, ProviderUnavailable, RateLimited, RetryableError
from infrastructure.schwab.retry import RetryPolicy, passes_by_itself, with_retries


def test_waits_double_up_to_their_bound() -> None:
    policy = RetryPolicy(attempts=9, first_wait_s=1.0, longest_wait_s=5.0)
    waits = [policy.wait_s(n, NetworkError("x"), 1.0) for n in range(1, 6)]
    assert waits == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_jitter_spreads_over_the_upper_half() -> None:
    policy = RetryPolicy(first_wait_s=1.0)
    assert policy.wait_s(1, NetworkError("x"), 0.0) == 0.5
    assert policy.wait_s(1, NetworkError("x"), 1.0) == 1.0


def test_the_last_attempt_is_followed_by_none() -> None:
    assert RetryPolicy(attempts=2).wait_s(2, NetworkError("x"), 0.5) is None


def test_retry_after_is_waited_for_within_its_bound() -> None:
    policy = RetryPolicy(first_wait_s=1.0, longest_retry_after_s=60.0)
    assert policy.wait_s(1, RateLimited("x", retry_after_s=60.0), 0.5) == 60.5
    assert policy.wait_s(1, RateLimited("x", retry_after_s=61.0), 0.5) is None
    assert policy.wait_s(1, RateLimited("x"), 1.0) == 1.0


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (NetworkError("x"), True),
        (RateLimited("x"), True),
        (ProviderUnavailable("x", status=503), True),
        (ProviderUnavailable("x", status=403), False),
        (ProviderUnavailable("x"), False),
    ],
)
def test_only_soon_passing_failures_are_repeated(error: RetryableError, passes: bool) -> None:
    assert passes_by_itself(error) is passes


def test_the_clock_waits_between_attempts() -> None:
    clock = VirtualClock(0)
    failures = [NetworkError("1"), NetworkError("2")]

    def attempt() -> str:
        if failures:
            raise failures.pop(0)
        return "done"

    outcome = with_retries(
        attempt,
        policy=RetryPolicy(first_wait_s=1.0),
        clock=clock,
        jitter=lambda: 1.0,
        may_repeat=passes_by_itself,
    )
    assert outcome == "done"
    assert clock.monotonic_ns() == 3 * 10**9
