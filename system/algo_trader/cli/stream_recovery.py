"""Wire a stream's notes about itself to what ends the work of the runs before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from infrastructure.clock import Clock
    from system.algo_trader.feeds.live import Instrument
    from system.algo_trader.market.source import Source
    from system.algo_trader.pipeline.between_runs import BetweenRuns
    from system.algo_trader.pipeline.live import LivePolicy
    from system.algo_trader.pipeline.recovery import Recovery
    from system.algo_trader.pipeline.run_notes import RunNote, RunNotes
    from system.algo_trader.pipeline.sinks import ColdSink
    from system.algo_trader.runtime import Runtime

_FOLDER = "streams"


def recovery_of(
    runtime: Runtime, cold: ColdSink, clock: Clock, policy: LivePolicy
) -> tuple[RunNotes, Recovery]:
    """Return the notes of a realm's runs and what ends their work."""
    from system.algo_trader.pipeline.recovery import Recovery
    from system.algo_trader.pipeline.run_notes import RunNotes

    notes = RunNotes(runtime.realm.root / _FOLDER, runtime.clock)
    lateness_ns = int(policy.lateness_s * 1e9)
    return notes, Recovery(notes, runtime.archive, cold, runtime.redis, clock, lateness_ns)


def between_runs(runtime: Runtime, source: Source) -> BetweenRuns:
    """Return what knows when the last run of a realm ended."""
    from system.algo_trader.pipeline.between_runs import BetweenRuns

    return BetweenRuns(runtime.realm.root / _FOLDER, str(source))


def noted_by(
    notes: RunNotes, run_id: str, recovery: Recovery, between: BetweenRuns
) -> Callable[[int], None]:
    """Return what notes that a portion is stored: with it, the gaps of the runs before."""

    def noted(closed_ns: int) -> None:
        notes.closed(run_id, closed_ns)
        recovery.settled()
        between.forget()

    return noted


def begun(
    runtime: Runtime,
    instruments: Sequence[Instrument],
    source: Source,
    clock: Clock,
    policy: LivePolicy,
    run_id: str,
) -> RunNote:
    """Return the note of a run that begins now."""
    from system.algo_trader.pipeline.run_notes import RunNote
    from system.algo_trader.storage.hot_keys import TICKS

    return RunNote(
        run_id=run_id,
        source=str(source),
        calendars={each.symbol: each.calendar for each in instruments},
        services=tuple(sorted({each.service for each in instruments})),
        after=runtime.redis.last_id(TICKS.of()),
        closed_ns=clock.now_ns() - int(policy.lateness_s * 1e9),
    )
