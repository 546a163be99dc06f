import threading

import pytest

from infrastructure.clock import SystemClock, VirtualClock


def test_virtual_clock_moves_only_when_told_and_sleep_moves_it() -> None:
    clock = VirtualClock(1_000)
    assert clock.now_ns() == 1_000
    clock.advance(seconds=1.5)
    clock.sleep(0.5)
    clock.sleep(-1)
    assert clock.now_ns() == 1_000 + 2_000_000_000
    assert clock.monotonic_ns() == 2_000_000_000


def test_virtual_clock_set_back_keeps_its_monotonic_time() -> None:
    clock = VirtualClock(5_000)
    clock.advance(10)
    clock.set(0)
    assert (clock.now_ns(), clock.monotonic_ns()) == (0, 10)


def test_virtual_clock_refuses_to_advance_backwards() -> None:
    with pytest.raises(ValueError, match="zero or more"):
        VirtualClock(0).advance(-1)


def test_virtual_clock_counts_every_advance_of_many_threads() -> None:
    clock = VirtualClock(0)

    def advance() -> None:
        for _ in range(500):
            clock.advance(1)

    threads = [threading.Thread(target=advance) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert clock.now_ns() == 2_000


def test_system_clock_never_runs_backwards() -> None:
    clock = SystemClock()
    readings = [clock.monotonic_ns() for _ in range(100)]
    assert readings == sorted(readings)
    clock.sleep(0)
