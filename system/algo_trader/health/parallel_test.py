"""Parts that answer, break, hang or do not exist, asked together."""

import threading
from functools import partial

from infrastructure.clock import SystemClock
from infrastructure.errors import ServiceUnavailable
from infrastructure.logging import register_secret
from system.algo_trader.health.check import Check, Report, worst
from system.algo_trader.health.parallel import Part, ask_all

CLOCK = SystemClock()


def fine(name: str) -> Check:
    return Check(name, "ok", "fine")


def test_parts_are_asked_at_the_same_time_and_answer_in_their_order() -> None:
    # Each waits for the other: one after the other they would never pass.
    both = threading.Barrier(2, timeout=5)

    def meet(name: str) -> Check:
        both.wait()
        return fine(name)

    parts = [Part(name, partial(meet, name)) for name in ("a", "b")]
    checks = ask_all(parts, CLOCK)
    assert [(check.name, check.state) for check in checks] == [("a", "ok"), ("b", "ok")]
    assert all(check.took_ms is not None and check.took_ms >= 0 for check in checks)


def test_a_part_that_hangs_is_down_in_time_and_keeps_no_other_from_answering() -> None:
    never = threading.Event()

    def hang() -> Check:
        never.wait(30)
        return fine("hangs")

    begun = CLOCK.monotonic_ns()
    checks = ask_all([Part("hangs", hang, 0.2), Part("b", lambda: fine("b"))], CLOCK)
    took_s = (CLOCK.monotonic_ns() - begun) / 1e9
    never.set()
    assert took_s < 10
    assert (checks[0].state, checks[0].detail) == ("down", "no answer within 0.2 s")
    assert checks[0].took_ms is not None
    assert checks[0].took_ms >= 200
    assert checks[1].state == "ok"


def test_a_part_without_a_limit_is_waited_for() -> None:
    slow = threading.Event()

    def wait() -> Check:
        slow.wait(0.3)
        return fine("deep")

    assert ask_all([Part("deep", wait, None)], CLOCK)[0].state == "ok"


def test_what_a_part_raises_is_its_state_without_a_secret() -> None:
    register_secret("hunter2hunter2")

    def refuse() -> Check:
        raise ServiceUnavailable("no answer to hunter2hunter2", next_step="Start it.")

    def break_() -> Check:
        raise RuntimeError("hunter2hunter2")

    refused, broken = ask_all([Part("a", refuse), Part("b", break_)], CLOCK)
    assert (refused.state, refused.detail) == ("down", "no answer to ********. Start it.")
    assert (broken.state, broken.detail) == ("down", "unexpected RuntimeError: ********")


def test_a_part_that_is_not_there_has_no_check() -> None:
    checks = ask_all([Part("grafana", lambda: None), Part("b", lambda: fine("b"))], CLOCK)
    assert [check.name for check in checks] == ["b"]


def test_a_report_is_as_bad_as_its_worst_part() -> None:
    checks = [Check("a", "ok", "x"), Check("b", "degraded", "y", 1.5)]
    report = Report.of(checks, 1_500_000_000)
    assert report.as_dict() == {
        "state": "degraded",
        "checks": [
            {"name": "a", "state": "ok", "detail": "x", "took_ms": None},
            {"name": "b", "state": "degraded", "detail": "y", "took_ms": 1.5},
        ],
        "at": "1970-01-01T00:00:01.5Z",
    }
    assert Report.of([*checks, Check("c", "down", "z")], 0).state == "down"
    assert worst(()) == "ok"
