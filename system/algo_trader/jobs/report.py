"""What a run did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from infrastructure.errors import StackError
from system.algo_trader.market.splits import ratio_text
from system.algo_trader.market.timeframe import Timeframe


@dataclass(frozen=True, slots=True)
class SeriesReport:
    """Say what became of one symbol and timeframe.

    Attributes:
        symbol: The instrument.
        timeframe: The span of a bar.
        fetched: Bars that the source delivered.
        new: Bars that the archive did not have.
        unchanged: Bars that it had already.
        revised: Stored bars that got a new revision.
        rejected: Bars that went to quarantine, by rule.
        still_open: Bars that were left out because they are not over.
        gaps: Bars that the calendar expects and the archive lacks.
        split: The factor of a split that was found, None without one.
        restated: Stored bars that were restated by it.
        written: Rows written to InfluxDB; known only when `read_back` is.
        read_back: Rows that InfluxDB then held, None when it was not asked.
        latency_ms: Time that fetching took.
        error: Why this symbol and timeframe failed, None when it did not.
    """

    symbol: str
    timeframe: Timeframe
    fetched: int = 0
    new: int = 0
    unchanged: int = 0
    revised: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    still_open: int = 0
    gaps: int = 0
    split: Fraction | None = None
    restated: int = 0
    written: int = 0
    read_back: int | None = None
    latency_ms: float = 0.0
    error: StackError | None = None

    @property
    def rejected_count(self) -> int:
        """Return how many bars went to quarantine."""
        return sum(self.rejected.values())

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON output."""
        return {
            "symbol": self.symbol,
            "timeframe": str(self.timeframe),
            "fetched": self.fetched,
            "new": self.new,
            "unchanged": self.unchanged,
            "revised": self.revised,
            "rejected": self.rejected,
            "still_open": self.still_open,
            "gaps": self.gaps,
            "split": None if self.split is None else ratio_text(self.split),
            "restated": self.restated,
            # What was not measured is null.
            "written": None if self.read_back is None else self.written,
            "read_back": self.read_back,
            "latency_ms": None if self.error is not None else round(self.latency_ms, 3),
            "error": None if self.error is None else self.error.as_dict(),
        }


@dataclass(frozen=True, slots=True)
class RunReport:
    """Say what a whole run did.

    Attributes:
        run_id: Its name in the archive's log and in `pipeline_metrics`.
        job: The command that ran.
        started_ns: When it began, nanoseconds UTC.
        ended_ns: When it ended.
        series: One report a symbol and timeframe, in the order of the requests.
        rewritten: Whether InfluxDB's candles were written anew, because stored ones changed.
        stopped_by: What ended the run early, None when nothing did.
        waiting: Points that wait in the spool for InfluxDB; the next command sends them.
    """

    run_id: str
    job: str
    started_ns: int
    ended_ns: int
    series: tuple[SeriesReport, ...]
    rewritten: bool = False
    stopped_by: StackError | None = None
    waiting: int = 0

    @property
    def is_projected(self) -> bool:
        """Whether all that was stored is known to be in InfluxDB."""
        stored = [each for each in self.series if each.error is None]
        return all(each.read_back is not None for each in stored)

    @property
    def failures(self) -> tuple[SeriesReport, ...]:
        """Return the reports of what failed."""
        return tuple(each for each in self.series if each.error is not None)

    @property
    def splits(self) -> tuple[SeriesReport, ...]:
        """Return the reports in which a split was found."""
        return tuple(each for each in self.series if each.split is not None)

    @property
    def error(self) -> StackError | None:
        """Return the error that decides the exit code, None when all went well."""
        if self.stopped_by is not None:
            return self.stopped_by
        return next((each.error for each in self.series if each.error is not None), None)

    @property
    def exit_code(self) -> int:
        """Return the process's exit code: 0, or that of the first error."""
        return 0 if self.error is None else self.error.exit_code

    def total(self, count: Callable[[SeriesReport], int]) -> int:
        """Return the sum of one count over all series."""
        return sum(count(each) for each in self.series)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values for JSON output."""
        return {
            "run_id": self.run_id,
            "job": self.job,
            "started_ns": self.started_ns,
            "ended_ns": self.ended_ns,
            "rewritten": self.rewritten,
            "exit_code": self.exit_code,
            "waiting": self.waiting,
            "error": None if self.error is None else self.error.as_dict(),
            "series": [each.as_dict() for each in self.series],
        }
