"""Judge the loop of `gex --watch` on a clock that moves only when told."""

import pytest

from infrastructure.clock import VirtualClock
from infrastructure.errors import NetworkError, NoDataError, RetryableError
from system.algo_trader.cli.gex_watch import watch


def test_a_watch_goes_on_after_a_passing_failure_and_ends_when_interrupted() -> None:
    clock, moments, told = VirtualClock(0), list[int](), list[RetryableError]()

    def refresh() -> None:
        moments.append(clock.now_ns() // 1_000_000_000)
        if len(moments) == 2:
            raise NetworkError("no answer")
        if len(moments) == 4:
            raise KeyboardInterrupt

    watch(refresh, told.append, clock, period_s=20)
    assert moments == [0, 20, 40, 60]
    assert [error.message for error in told] == ["no answer"]


def test_a_watch_ends_with_a_failure_that_stays() -> None:
    def refresh() -> None:
        raise NoDataError("no options")

    with pytest.raises(NoDataError):
        watch(refresh, lambda _: None, VirtualClock(0))
