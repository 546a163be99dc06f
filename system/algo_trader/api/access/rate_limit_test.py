"""How often somebody may ask."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from infrastructure.clock import VirtualClock
from system.algo_trader.api.access.rate_limit import RateLimits


def test_a_burst_is_allowed_and_then_one_as_time_goes() -> None:
    clock = VirtualClock(0)
    limits = RateLimits(clock)
    assert [limits.take("a", 600).is_allowed for _ in range(61)] == [True] * 60 + [False]
    wait = limits.take("a", 600).retry_after_s
    assert 0 < wait <= 0.1
    clock.advance(seconds=wait)
    assert limits.take("a", 600).is_allowed
    assert not limits.take("a", 600).is_allowed
    assert limits.take("b", 600).is_allowed


def test_of_too_many_names_the_oldest_are_forgotten() -> None:
    limits = RateLimits(VirtualClock(0), most=2)
    for _ in range(10):
        limits.take("a", 60)
    assert not limits.take("a", 60).is_allowed
    limits.take("b", 60)
    limits.take("c", 60)
    assert limits.take("a", 60).is_allowed


@given(
    st.integers(1, 6000),
    st.lists(st.tuples(st.integers(0, 3_000_000_000), st.booleans()), max_size=60),
)
def test_in_any_stretch_nobody_gets_more_than_burst_and_rate(
    per_minute: int, steps: list[tuple[int, bool]]
) -> None:
    clock = VirtualClock(0)
    limits, allowed = RateLimits(clock), 0
    for wait_ns, asks in steps:
        clock.advance(wait_ns)
        if asks:
            allowance = limits.take("a", per_minute)
            allowed += allowance.is_allowed
            assert allowance.remaining >= 0
            assert allowance.is_allowed or allowance.retry_after_s > 0
    burst = max(10, per_minute * 0.1)
    assert allowed <= burst + clock.monotonic_ns() * per_minute / 60e9 + 1e-6
