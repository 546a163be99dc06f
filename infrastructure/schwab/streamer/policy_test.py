"""How long a stream may be away, by its policy."""

from __future__ import annotations

import random

import pytest

from infrastructure.schwab.streamer.policy import StreamPolicy

POLICY = StreamPolicy()


def longest_time_away_s(policy: StreamPolicy, served_from_s: float, jitter: random.Random) -> float:
    """Play a death at 0 and a server that is back at a moment; return how long it then waited.

    Every attempt before that moment takes as long as an attempt may.
    """
    now_s = policy.patience.idle_s + policy.patience.pong_s
    failures = 0
    while True:
        now_s += policy.wait_s(max(failures, 1), jitter.choice((0.0, 1.0, jitter.random())))
        if now_s >= served_from_s:
            return now_s - served_from_s
        now_s += policy.patience.connect_s
        failures += 1


def test_the_next_attempt_comes_within_ten_seconds_in_the_worst_case() -> None:
    assert POLICY.reconnects_within_s <= 10.0
    source = random.Random(11)
    played = [
        longest_time_away_s(POLICY, served_from_s, source)
        for served_from_s in [0.0] * 50 + [source.uniform(0.0, 3_600.0) for _ in range(2_000)]
    ]
    assert max(played) <= POLICY.reconnects_within_s
    # The bound is no idle one: play comes near it.
    assert max(played) > 0.9 * POLICY.reconnects_within_s


@pytest.mark.parametrize("failures", [1, 2, 3, 5, 17, 10_000])
def test_waits_double_up_to_the_longest_and_half_of_each_is_chance(failures: int) -> None:
    longest = min(0.2 * 2 ** min(failures - 1, 30), 4.0)
    assert POLICY.wait_s(failures, 1.0) == pytest.approx(longest)
    assert POLICY.wait_s(failures, 0.0) == pytest.approx(longest / 2)
