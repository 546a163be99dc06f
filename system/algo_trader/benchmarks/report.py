"""The lines of a benchmark: a budget, our figure, a peer's, and the ratio."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Direction = Literal["at most", "at least"]


@dataclass(frozen=True, slots=True)
class BenchRow:
    """Hold one budget line.

    Attributes:
        name: What was measured, on how much.
        unit: Unit of all figures, such as "ms" or "options/s".
        ours: Our figure.
        direction: Whether a budget is the most or the least that is allowed.
        budget: The figure to keep; None where only the ratio is promised.
        peer_name: What the peer is.
        peer: The peer's figure from the same run; None when there is none to compare with.
        ratio_budget: How many times better than the peer we have to be; None without a promise.
    """

    name: str
    unit: str
    ours: float
    direction: Direction
    budget: float | None = None
    peer_name: str | None = None
    peer: float | None = None
    ratio_budget: float | None = None

    @property
    def ratio(self) -> float | None:
        """How many times better than the peer we are; None without a peer."""
        if self.peer is None or self.ours == 0 or self.peer == 0:
            return None
        return self.peer / self.ours if self.direction == "at most" else self.ours / self.peer

    @property
    def kept(self) -> bool:
        """Whether the budget and the promised ratio are both kept."""
        if self.budget is not None:
            within = (
                self.ours <= self.budget
                if self.direction == "at most"
                else (self.ours >= self.budget)
            )
            if not within:
                return False
        if self.ratio_budget is None:
            return True
        return self.ratio is not None and self.ratio >= self.ratio_budget

    def as_dict(self) -> dict[str, Any]:
        """Return the line as plain values for JSON output."""
        return {
            "name": self.name,
            "unit": self.unit,
            "ours": self.ours,
            "direction": self.direction,
            "budget": self.budget,
            "peer_name": self.peer_name,
            "peer": self.peer,
            "ratio": self.ratio,
            "ratio_budget": self.ratio_budget,
            "kept": self.kept,
        }


def best_seconds(work: Callable[[], object], *, repeats: int = 7, warm_up: int = 1) -> float:
    """Return the least processor time of several runs, all threads of the process together.

    On an idle machine with one busy core it is what the wall clock shows; on a shared one, time
    that other programs took is not counted, for us and for peers alike.

    Args:
        work: What to run; compile and load before, or let the warm-up do it.
        repeats: Timed runs.
        warm_up: Runs before the first timed one.
    """
    for _ in range(warm_up):
        work()
    collecting = gc.isenabled()
    gc.disable()
    try:
        best = float("inf")
        for _ in range(repeats):
            start = time.process_time()
            work()
            best = min(best, time.process_time() - start)
        return best
    finally:
        if collecting:
            gc.enable()
