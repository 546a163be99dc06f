"""What is counted as lost, late and sent."""

from __future__ import annotations

import numpy as np
import pytest

from system.algo_trader.benchmarks.stream_latency import Arrivals

SECOND = 1_000_000_000


def test_numbers_that_never_came_are_lost_and_doubled_ones_make_up_for_none() -> None:
    arrivals = Arrivals(sent=6)
    arrivals.take(np.array([[0.0, 0], [1, 0]]), 5)
    arrivals.take(np.array([[1.0, SECOND], [4, SECOND]]), SECOND + 5)
    assert arrivals.received == 4
    assert arrivals.lost == 3
    assert arrivals.rate == 2.0


def test_delays_are_those_after_the_warm_up() -> None:
    arrivals = Arrivals(sent=3)
    for stamp, delay in ((0, 900), (SECOND, 2), (2 * SECOND, 4)):
        arrivals.take(np.array([[stamp // SECOND, stamp]], float), stamp + delay * 1_000_000)
    assert arrivals.percentile_ms(50) == pytest.approx(3.0)
    assert arrivals.percentile_ms(100) == 4.0
