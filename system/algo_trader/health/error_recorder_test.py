"""Errors of a process on their way to the registry: nobody waits, nothing is lost or raised."""

import logging
import threading
from collections import Counter
from logging import LogRecord

import pytest

from infrastructure.clock import VirtualClock
from infrastructure.errors import NetworkError, ServiceUnavailable
from infrastructure.logging import get_logger
from infrastructure.redis.testing import wait_until
from system.algo_trader.health.error_recorder import ErrorRecorder, recorded_log
from system.algo_trader.health.occurrence import Occurrence


class Registry:
    """Stand for the registry, which may be away."""

    def __init__(self) -> None:
        self.is_away = False
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.asked = 0
        self.counts: Counter[str] = Counter()

    def record(self, seen: Occurrence) -> None:
        self.asked += 1
        self.may_answer.wait(10)
        if self.is_away:
            raise ServiceUnavailable("Redis is away")
        self.counts[seen.message] += seen.count


@pytest.fixture
def registry() -> Registry:
    return Registry()


def recorder_for(registry: Registry | None, most_waiting: int = 200) -> ErrorRecorder:
    return ErrorRecorder(
        lambda: registry, VirtualClock(0), "stream", most_waiting=most_waiting, retry_s=0.01
    )


def test_an_error_is_written_by_another_thread_while_its_finder_goes_on(registry: Registry) -> None:
    registry.may_answer.clear()
    recorder = recorder_for(registry)
    for _ in range(3):
        recorder.record(NetworkError("gone"))
    wait_until(lambda: registry.asked == 1)
    assert registry.counts == {}
    registry.may_answer.set()
    wait_until(lambda: registry.counts == {"gone": 3})
    recorder.close()


def test_errors_wait_for_redis_and_are_all_counted_once_it_is_back(
    registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    registry.is_away = True
    recorder = recorder_for(registry)
    for number in range(100):
        recorder.record(NetworkError("odd" if number % 2 else "even"))
    wait_until(lambda: registry.asked > 3)
    assert recorder.waiting == 2
    registry.is_away = False
    wait_until(lambda: recorder.waiting == 0)
    recorder.close()
    assert registry.counts == {"even": 50, "odd": 50}
    assert [each.message for each in caplog.records if "wait for their" in each.message] == [
        "errors wait for their registry: Redis is away"
    ]


def test_a_process_without_redis_keeps_a_bounded_number_and_ends_at_once() -> None:
    recorder = recorder_for(None, most_waiting=3)
    for word in ("a", "b", "c", "d", "e", "a"):
        recorder.record(NetworkError(word))
    assert (recorder.waiting, recorder.left_out) == (3, 2)
    recorder.close(wait_s=10)
    assert not recorder.is_working
    recorder.record(NetworkError("late"))
    assert recorder.waiting == 3


def test_the_end_waits_for_what_can_be_written(registry: Registry) -> None:
    recorder = recorder_for(registry)
    recorder.record(NetworkError("last words"))
    recorder.close(wait_s=10)
    assert registry.counts == {"last words": 1}


def test_what_is_logged_as_an_error_is_recorded_and_nothing_below(registry: Registry) -> None:
    log = get_logger("pipeline")
    with recorded_log(recorder_for(registry)):
        log.warning("only a warning")
        log.error("%s has ended: %s", "archive", NetworkError("gone"))
    log.error("behind the end")
    assert registry.counts == {"archive has ended: gone": 1}


def test_a_line_that_cannot_be_written_is_no_error_of_its_writer(registry: Registry) -> None:
    recorder = recorder_for(registry)
    recorder.record_log(LogRecord("x", logging.ERROR, "x.py", 1, "%d bars", ("many",), None))
    recorder.close(wait_s=10)
    assert registry.counts == {}


def test_what_the_writing_thread_logs_itself_is_not_recorded() -> None:
    class Loud(Registry):
        def record(self, seen: Occurrence) -> None:
            get_logger("redis").error("as loud as that")
            super().record(seen)

    registry = Loud()
    with recorded_log(recorder_for(registry)):
        get_logger("x").error("once")
        wait_until(lambda: registry.counts["once"] == 1)
    assert registry.counts == {"once": 1}


def test_a_registry_that_breaks_raises_nowhere() -> None:
    class Broken(Registry):
        def record(self, seen: Occurrence) -> None:
            self.asked += 1
            raise RuntimeError("a bug")

    registry = Broken()
    recorder = recorder_for(registry)
    recorder.record(NetworkError("x"))
    wait_until(lambda: registry.asked == 1)
    recorder.record(NetworkError("y"))
    wait_until(lambda: registry.asked == 2)
    recorder.close(wait_s=10)
    assert not recorder.is_working
