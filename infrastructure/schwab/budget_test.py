import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.clock import VirtualClock
from infrastructure.errors import CircuitOpen
from infrastructure.schwab.budget import LocalBudget, PartOfBudget, Rate
from infrastructure.schwab.circuit import CircuitBreaker


@given(st.lists(st.floats(0, 30), min_size=1, max_size=300))
def test_no_minute_holds_more_than_the_limit(pauses: list[float]) -> None:
    clock = VirtualClock(0)
    budget = LocalBudget(clock, Rate(12, 4))
    sent: list[float] = []
    for pause in pauses:
        clock.advance(seconds=pause)
        clock.sleep(budget.take())
        sent.append(clock.monotonic_ns() / 1e9)
    for first in sent:
        assert sum(1 for at in sent if first <= at < first + 60 - 1e-6) <= 12


def test_threads_share_one_budget() -> None:
    budget = LocalBudget(VirtualClock(0), Rate(120, 20))
    waits: list[float] = []
    threads = [threading.Thread(target=lambda: waits.append(budget.take())) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(1 for wait in waits if wait == 0) == 20
    assert max(waits) == pytest.approx(30 * 60 / 100)


def test_a_part_leaves_the_rest_of_the_budget_to_others() -> None:
    clock = VirtualClock(0)
    whole = LocalBudget(clock, Rate(120, 20))
    part = PartOfBudget(Rate(60, 5), whole, clock)
    others = 0
    while clock.monotonic_ns() < 600e9:
        clock.sleep(part.take())
        # Somebody else asks 40 times a minute and never waits.
        while others < clock.monotonic_ns() / 1e9 / 60 * 40:
            assert whole.take() == 0.0
            others += 1
    assert part.taken / 10 == pytest.approx(55, abs=1)
    alone = PartOfBudget(Rate(60, 5), None, clock)
    assert sum(alone.take() == 0.0 for _ in range(20)) == 5


def test_a_part_waits_for_the_whole_when_others_have_taken_it() -> None:
    clock = VirtualClock(0)
    whole = LocalBudget(clock, Rate(120, 20))
    for _ in range(20):
        whole.take()
    assert PartOfBudget(Rate(60, 5), whole, clock).take() == pytest.approx(0.6)


def test_a_circuit_opens_lets_one_try_and_closes() -> None:
    clock = VirtualClock(0)
    circuit = CircuitBreaker(clock, failures=3, pause_s=30)
    for _ in range(3):
        circuit.check()
        circuit.failed()
    with pytest.raises(CircuitOpen, match="30 s"):
        circuit.check()
    clock.advance(seconds=30)
    circuit.check()
    with pytest.raises(CircuitOpen):
        circuit.check()
    circuit.succeeded()
    circuit.check()
