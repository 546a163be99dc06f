"""Fetch, check, store and project bars: the work of `main`, `update` and `candles fetch`."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

import numpy as np

from infrastructure.clock import Clock, SystemClock
from infrastructure.errors import (
    NoDataError,
    RequestRejected,
    StackError,
    UnknownSymbol,
    UsageError,
)
from infrastructure.influxdb.spool import Waiting
from infrastructure.logging import get_logger
from system.algo_trader.feeds.feed import History, HistoryFeed
from system.algo_trader.jobs.metrics import metric_rows
from system.algo_trader.jobs.plan import FetchRequest
from system.algo_trader.jobs.report import RunReport, SeriesReport
from system.algo_trader.market.bars import Bars, Series
from system.algo_trader.quality.checks import check
from system.algo_trader.quality.closing import BarCalendar, bar_ends
from system.algo_trader.quality.gaps import find_gaps
from system.algo_trader.quality.overlap import OVERLAP_BARS, Compared, compare
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.projection import CandleStore, Projection, project

_NS_PER_MS: Final = 1_000_000
_log = get_logger("jobs.history")

OF_ONE_SYMBOL: Final = (UnknownSymbol, NoDataError, RequestRejected, UsageError)
"""Failures that concern one symbol only: the others go on."""


class MetricsStore(CandleStore, Protocol):
    """Hold candles and the metrics of runs: the part of `AlgoTraderInfluxDBClient` used here."""

    def write_pipeline_metrics(self, rows: Sequence[Mapping[str, Any]]) -> int:
        """Write rows of `pipeline_metrics`; return how many were written."""

    def waiting(self) -> Waiting:
        """Return what waits in the spool for InfluxDB."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Say how far a run is.

    Attributes:
        done: Requests that are finished.
        total: Requests in all.
        request: The one that is about to begin; None once all are finished and InfluxDB is
            written.
    """

    done: int
    total: int
    request: FetchRequest | None


def no_progress(progress: Progress) -> None:
    """Tell nobody."""


def fetch_and_store(
    feed: HistoryFeed,
    archive: Archive,
    influx: MetricsStore,
    requests: Sequence[FetchRequest],
    *,
    job: str,
    calendar: BarCalendar,
    market_now_ns: Callable[[], int],
    clock: Clock | None = None,
    progress: Callable[[Progress], None] = no_progress,
    token_age_s: float | None = None,
    new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
) -> RunReport:
    """Carry out requests one by one, project what is stored, and write the run's metrics.

    What was fetched is in the archive before the next request begins, so that a run may end at
    any point. Failures of one symbol are in the report; a failure that concerns all of them
    ends the fetching, and what is stored by then is still projected.

    Args:
        feed: Where bars come from.
        archive: Where they are stored.
        influx: Where they are projected to.
        requests: What to fetch.
        job: The name of the command, for the metrics.
        calendar: The exchange's calendar.
        market_now_ns: Tells the market's time, nanoseconds UTC: the clock's, or a replay's.
        clock: Measures and stamps the run.
        progress: Told before each request and at the end.
        token_age_s: Age of the refresh token for the metrics, seconds; None without one.
        new_id: Makes the run's id.
    """
    clock = clock if clock is not None else SystemClock()
    started_ns = clock.now_ns()
    run_id = new_id()
    reports: list[SeriesReport] = []
    stopped_by: StackError | None = None
    unknown: dict[str, StackError] = {}
    for done, request in enumerate(requests):
        progress(Progress(done, len(requests), request))
        if request.symbol in unknown:
            reports.append(_failed(request, unknown[request.symbol]))
            continue
        try:
            reports.append(
                fetch_one(
                    feed,
                    archive,
                    request,
                    calendar=calendar,
                    now_ns=market_now_ns(),
                    clock=clock,
                    request_id=f"{run_id}/{request.symbol}/{request.timeframe}",
                )
            )
        except OF_ONE_SYMBOL as error:
            reports.append(_failed(request, error))
            if isinstance(error, UnknownSymbol):
                unknown[request.symbol] = error
        except StackError as error:
            reports.append(_failed(request, error))
            stopped_by = error
            break
    progress(Progress(len(reports), len(requests), None))
    report = RunReport(
        run_id, job, started_ns, clock.now_ns(), tuple(reports), stopped_by=stopped_by
    )
    return _projected(report, archive, influx, clock, token_age_s)


def fetch_one(
    feed: HistoryFeed,
    archive: Archive,
    request: FetchRequest,
    *,
    calendar: BarCalendar,
    now_ns: int,
    clock: Clock,
    request_id: str,
) -> SeriesReport:
    """Fetch, check and store the bars of one request in one transaction of the archive.

    Raises:
        StackError: Whatever the feed or the archive raises; then nothing has been stored.
    """
    series = feed.series(request.symbol, request.timeframe)
    begun_ns = clock.monotonic_ns()
    history = feed.history(
        request.symbol, request.timeframe, start_ns=request.start_ns, end_ns=request.end_ns
    )
    latency_ms = (clock.monotonic_ns() - begun_ns) / _NS_PER_MS
    report = store_history(
        archive, series, history, calendar=calendar, now_ns=now_ns, request_id=request_id
    )
    return replace(report, latency_ms=latency_ms)


def store_history(
    archive: Archive,
    series: Series,
    history: History,
    *,
    calendar: BarCalendar,
    now_ns: int,
    request_id: str,
) -> SeriesReport:
    """Check bars of one series and store what passes, in one transaction.

    Args:
        archive: Where they are stored.
        series: What the bars belong to.
        history: The bars as they came.
        calendar: The exchange's calendar.
        now_ns: The market's time, nanoseconds UTC.
        request_id: The request that they came from.

    Raises:
        StackError: Whatever the archive raises; then nothing has been stored.
    """
    checked = check(history.bars, calendar=calendar, now_ns=now_ns)
    with archive.transaction(request_id) as transaction:
        stored = _stored_around(archive, series, checked.accepted)
        compared = _compared(archive, series, stored, checked.accepted, calendar)
        if compared.split is not None:
            # A split changes every stored bar, not only those around the fetched ones.
            stored = archive.series(series)
            compared = _compared(archive, series, stored, checked.accepted, calendar)
        appended = transaction.append(compared.accepted)
        restated = transaction.append(compared.restated)
        rejected = checked.rejected + compared.rejected
        transaction.quarantine(rejected)
        if compared.split is not None:
            transaction.record_split(series, compared.split, int(stored.start[-1]) + 1)
        starts = np.union1d(stored.start, compared.accepted.start)
        gaps = find_gaps(starts, series.timeframe, series.session, calendar)
        transaction.record_gaps(series, gaps)
    rules = rejected.by_rule()
    if history.unreadable:
        rules["unreadable"] = history.unreadable
    return SeriesReport(
        series.symbol,
        series.timeframe,
        fetched=len(history.bars) + history.unreadable,
        new=appended.new,
        unchanged=appended.unchanged,
        revised=appended.revised,
        rejected=rules,
        still_open=checked.still_open,
        gaps=sum(gap.count for gap in gaps),
        split=compared.split,
        restated=restated.revised,
    )


def _stored_around(archive: Archive, series: Series, fetched: Bars) -> Bars:
    """Return the stored bars that fetched ones have to agree with, the last ones included."""
    known = archive.last(OVERLAP_BARS, series)
    starts = np.concatenate([known.start[:1], fetched.start[:1]])
    return archive.series(series, start_ns=int(starts.min())) if len(starts) else known


def _compared(
    archive: Archive, series: Series, stored: Bars, fetched: Bars, calendar: BarCalendar
) -> Compared:
    return compare(
        stored,
        fetched,
        stored_ends=bar_ends(stored.start, series.timeframe, series.session, calendar),
        restated_before_ns=_restated_before(archive, series),
    )


def _restated_before(archive: Archive, series: Series) -> int:
    splits = archive.splits(series.symbol).to_pylist()
    mine = [row["before"] for row in splits if row["timeframe"] == series.timeframe]
    return max(mine, default=0)


def _failed(request: FetchRequest, error: StackError) -> SeriesReport:
    _log.info("%s %s: %s", request.symbol, request.timeframe, error)
    return SeriesReport(request.symbol, request.timeframe, error=error)


def _projected(
    report: RunReport,
    archive: Archive,
    influx: MetricsStore,
    clock: Clock,
    token_age_s: float | None,
) -> RunReport:
    try:
        report = _with_projection(report, project(archive, influx))
    except StackError as error:
        _log.info("%s", error)
        report = replace(report, stopped_by=report.stopped_by or error)
    report = replace(report, ended_ns=clock.now_ns())
    try:
        influx.write_pipeline_metrics(metric_rows(report, token_age_s=token_age_s))
        waiting = influx.waiting().points
    except StackError as error:
        _log.info("%s", error)
        return replace(report, ended_ns=clock.now_ns(), stopped_by=report.stopped_by or error)
    return replace(report, ended_ns=clock.now_ns(), waiting=waiting)


def _with_projection(report: RunReport, projection: Projection) -> RunReport:
    series = []
    for each in report.series:
        done = projection.of(each.symbol, each.timeframe)
        series.append(
            each if done is None else replace(each, written=done.written, read_back=done.read_back)
        )
    return replace(report, series=tuple(series), rewritten=projection.rewritten)
