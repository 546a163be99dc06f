"""How a live run is: what a probe and a person want to know of it in one word."""

from __future__ import annotations

from typing import Final, Protocol

from infrastructure.clock import Clock
from system.algo_trader.processes.health import Health
from system.algo_trader.processes.run_figures import Run

STUCK_S: Final = 30.0
"""A run that has not looked after itself for so long does nothing any more."""
_MANY_WAIT: Final = 1_000


class Beating(Run, Protocol):
    """Tell besides when it last looked after itself."""

    beat_ns: int
    status: str


def run_health(run: Beating, clock: Clock) -> Health:
    """Return how a run is.

    Args:
        run: The run.
        clock: Of its beats.
    """
    silent_s = (clock.monotonic_ns() - run.beat_ns) / 1e9
    down = (f"nothing has moved for {silent_s:.0f} s",) if silent_s > STUCK_S else ()
    counts, health = run.counts, run.health
    degraded = []
    if not health.connected:
        degraded.append(run.status)
    waiting = sum(run.waiting)
    if waiting > _MANY_WAIT:
        degraded.append(f"{waiting} frames and pieces wait for their stores")
    if health.dropped:
        degraded.append(f"{health.dropped} updates were dropped: the reader was too slow")
    if counts.unknown:
        degraded.append(f"{len(counts.unknown)} keys are refused by the feed")
    if counts.write_errors:
        degraded.append(f"{counts.write_errors} writes to InfluxDB failed; they wait in the spool")
    return Health.of(tuple(degraded), down)
