"""Ask all parts at once, and wait for none longer than its time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from infrastructure.clock import Clock
from infrastructure.errors import StackError
from infrastructure.logging import redact
from system.algo_trader.health.check import Check

TIMEOUT_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Part:
    """Name a part and how to find out about it.

    Attributes:
        name: The part.
        ask: Returns its check, or None where there is no such part; what it raises means that the
            part is down.
        timeout_s: The longest that is waited for it, seconds; None for as long as it takes.
    """

    name: str
    ask: Callable[[], Check | None]
    timeout_s: float | None = TIMEOUT_S


def ask_all(parts: Sequence[Part], clock: Clock) -> list[Check]:
    """Return one check for each part that there is, in the parts' order.

    A part that does not answer in time keeps its thread, which ends with its answer or with the
    process; nobody waits for it.

    Args:
        parts: The parts.
        clock: Measures.
    """
    asked = [_Asked(part, clock) for part in parts]
    for one in asked:
        one.start()
    return [check for one in asked if (check := one.check()) is not None]


class _Asked(threading.Thread):
    def __init__(self, part: Part, clock: Clock) -> None:
        # A daemon: a part that hangs must not keep the command from ending.
        super().__init__(name=f"health {part.name}", daemon=True)
        self._part = part
        self._clock = clock
        self._begun_ns = clock.monotonic_ns()
        self._found: Check | None = None
        self._is_done = False

    def run(self) -> None:
        name = self._part.name
        try:
            found = self._part.ask()
        except StackError as error:
            found = Check(name, "down", str(error))
        except Exception as error:  # a check that breaks is an answer too: it hides no other
            found = Check(name, "down", f"unexpected {type(error).__name__}: {error}")
        if found is not None:
            self._found = replace(found, detail=redact(found.detail), took_ms=self._took_ms())
        self._is_done = True

    def check(self) -> Check | None:
        limit_s = self._part.timeout_s
        if limit_s is None:
            self.join()
        else:
            passed_s = (self._clock.monotonic_ns() - self._begun_ns) / 1e9
            self.join(max(0.0, limit_s - passed_s))
        if self._is_done:
            return self._found
        return Check(
            self._part.name, "down", f"no answer within {limit_s:g} s", took_ms=self._took_ms()
        )

    def _took_ms(self) -> float:
        return round((self._clock.monotonic_ns() - self._begun_ns) / 1e6, 1)
