"""Judge order, bounds, draining and failure of a worker."""

import threading

import pytest

from system.algo_trader.pipeline.worker import Worker

LONG_S = 20.0


def test_items_are_worked_on_once_and_in_order() -> None:
    seen: list[int] = []
    worker: Worker[int] = Worker("order", seen.extend, 10_000)
    for number in range(5_000):
        assert worker.offer(number)
    assert worker.close(LONG_S)
    assert seen == list(range(5_000))


def test_a_full_queue_refuses_and_takes_again_after_work() -> None:
    go = threading.Event()
    began = threading.Event()

    def work(batch: list[int]) -> None:
        began.set()
        assert go.wait(LONG_S)

    worker: Worker[int] = Worker("full", work, 2)
    assert worker.offer(0)
    assert began.wait(LONG_S)
    assert [worker.offer(number) for number in (1, 2, 3)] == [True, True, False]
    assert (len(worker), worker.most) == (2, 2)
    go.set()
    assert worker.flush(LONG_S)
    assert worker.offer(4)
    assert worker.close(LONG_S)


def test_flush_waits_for_what_is_under_way() -> None:
    go = threading.Event()
    done: list[int] = []

    def work(batch: list[int]) -> None:
        assert go.wait(LONG_S)
        done.extend(batch)

    worker: Worker[int] = Worker("flush", work, 10)
    worker.offer(1)
    assert not worker.flush(0.01)
    go.set()
    assert worker.flush(LONG_S)
    assert done == [1]
    worker.close(LONG_S)


def test_a_failure_is_raised_to_the_next_who_asks() -> None:
    def work(batch: list[int]) -> None:
        raise OSError("no space left")

    worker: Worker[int] = Worker("fails", work, 10)
    worker.offer(1)
    with pytest.raises(OSError, match="no space"):
        worker.flush(LONG_S)
    with pytest.raises(OSError, match="no space"):
        worker.offer(2)
    with pytest.raises(OSError, match="no space"):
        worker.close(LONG_S)
