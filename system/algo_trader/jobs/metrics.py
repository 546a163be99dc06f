"""A run's report as rows of `pipeline_metrics`."""

from __future__ import annotations

from typing import Any

from system.algo_trader.jobs.report import RunReport, SeriesReport

_NS_PER_MS = 1_000_000


def metric_rows(report: RunReport, *, token_age_s: float | None = None) -> list[dict[str, Any]]:
    """Return one row a symbol and timeframe, and one without both for the whole run.

    Args:
        report: What the run did.
        token_age_s: Age of the refresh token, seconds; None without one.
    """
    whole = {
        "time": report.started_ns,
        "job": report.job,
        "run_id": report.run_id,
        "fetched": report.total(lambda each: each.fetched),
        "new": report.total(lambda each: each.new),
        "unchanged": report.total(lambda each: each.unchanged),
        "revised": report.total(lambda each: each.revised + each.restated),
        "rejected": report.total(lambda each: each.rejected_count),
        "gaps": report.total(lambda each: each.gaps),
        "splits": len(report.splits),
        "written": report.total(lambda each: each.written),
        "read_back": report.total(lambda each: each.read_back or 0),
        "latency_ms": (report.ended_ns - report.started_ns) / _NS_PER_MS,
        "failed": report.error is not None,
        "token_age_s": token_age_s,
    }
    return [whole, *(_series_row(report, each) for each in report.series)]


def _series_row(report: RunReport, each: SeriesReport) -> dict[str, Any]:
    failed = each.error is not None
    counts = {
        "fetched": each.fetched,
        "new": each.new,
        "unchanged": each.unchanged,
        "revised": each.revised + each.restated,
        "rejected": each.rejected_count,
        "gaps": each.gaps,
        "splits": int(each.split is not None),
        "written": each.written,
        "read_back": each.read_back,
        "latency_ms": each.latency_ms,
    }
    return {
        "time": report.started_ns,
        "job": report.job,
        "symbol": each.symbol,
        "timeframe": str(each.timeframe),
        "run_id": report.run_id,
        "failed": failed,
        # What was not measured is null: a failed series has no counts.
        **({} if failed else counts),
    }
