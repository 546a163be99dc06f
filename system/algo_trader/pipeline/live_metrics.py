"""A live run's figures as rows of `pipeline_metrics` and as one plain document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from system.algo_trader.feeds.live import FeedHealth
from system.algo_trader.market.stream_gap import GapState
from system.algo_trader.pipeline.counts import LiveCounts
from system.algo_trader.pipeline.gap_log import GapLog

JOB = "stream"
"""The job of a whole run; `stream/{service}` and `stream/rule/{rule}` are its parts."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Hold what a row says of now, beside the counts.

    Attributes:
        run_id: The run.
        now_ns: The market's time, nanoseconds UTC.
        token_age_s: Age of the sign-in, None where there is none.
        waiting: Frames and portions that wait for Redis and for the archive.
        gap_states: How many recorded gaps are in which state, by service, of earlier runs too.
        silent: Services and symbols that are unusually silent now.
    """

    run_id: str
    now_ns: int
    token_age_s: float | None
    waiting: tuple[int, int] = (0, 0)
    gap_states: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    silent: tuple[Sequence[str], Sequence[str]] = ((), ())


def live_metrics(counts: LiveCounts, gaps: GapLog, moment: Moment) -> list[dict[str, Any]]:
    """Return the run so far as rows: the whole, each service, each rule; totals only rise."""
    states = moment.gap_states
    whole = {
        "fetched": counts.received.total(),
        "new": counts.accepted.total(),
        "rejected": counts.rejected.total(),
        "gaps": len(gaps),
        "revised": counts.late,
        "written": counts.stored,
        "latency_ms": counts.to_redis.quantile_ms(0.99),
        "token_age_s": moment.token_age_s,
        "lag_ms": counts.lag.quantile_ms(0.5),
        "lag_tail_ms": counts.lag.quantile_ms(0.99),
        "reconnects": counts.reconnects,
        "waiting_redis": moment.waiting[0],
        "waiting_archive": moment.waiting[1],
        "bars": counts.bars.total(),
        "silent": sum(len(each) for each in moment.silent),
        **_gap_figures(states.values()),
    }
    rows = [_row(moment, JOB, whole)]
    for service in sorted({*counts.received, *counts.gaps, *counts.suspected, *states}):
        figures = {
            "service": service,
            "fetched": counts.received[service],
            "new": counts.accepted[service],
            "gaps": counts.gaps[service],
            "missing": gaps.missing(service),
            "gap_s": gaps.seconds(service),
            "silent": int(service in moment.silent[0]),
            **_gap_figures([states.get(service, {})]),
        }
        rows.append(_row(moment, f"{JOB}/{service}", figures))
    for rule, count in sorted(counts.rejected.items()):
        rows.append(_row(moment, f"{JOB}/rule/{rule}", {"rejected": count}))
    return rows


def _row(moment: Moment, job: str, figures: Mapping[str, Any]) -> dict[str, Any]:
    named = {"time": moment.now_ns, "job": job, "run_id": moment.run_id, "failed": False}
    return {**named, **figures}


def _gap_figures(services: Iterable[Mapping[str, int]]) -> dict[str, int]:
    totals = Counter[str]()
    for states in services:
        totals.update(states)
    return {f"gaps_{state}": totals[state] for state in GapState}


def document(counts: LiveCounts, gaps: GapLog, health: FeedHealth, status: str) -> dict[str, Any]:
    """Return everything that is counted, for machines; null where nothing was measured."""
    services = sorted({*counts.received, *counts.gaps, *counts.suspected})
    return {
        "status": status,
        "connected": health.connected,
        "reconnects": counts.reconnects,
        "updates": {
            "received": counts.received.total(),
            "accepted": counts.accepted.total(),
            "rejected": dict(counts.rejected),
            "published": counts.published,
            "stored_rows": counts.stored,
            "write_errors": counts.write_errors,
            "bad_frames": health.bad_frames,
            "conflated": health.conflated,
            "dropped": health.dropped,
        },
        "services": {
            each: {
                "received": counts.received[each],
                "gaps": counts.gaps[each],
                "missing": gaps.missing(each),
                "gap_s": gaps.seconds(each),
                "suspected": counts.suspected[each],
            }
            for each in services
        },
        "bars": {
            "given_out": dict(counts.bars),
            "late_trades": counts.late,
            "too_late_trades": counts.beyond,
            "outside_sessions": counts.outside,
            "streamed": counts.chart_bars,
        },
        "lag_ms": {"p50": counts.lag.quantile_ms(0.5), "p99": counts.lag.quantile_ms(0.99)},
        "to_redis_ms": {
            "p50": counts.to_redis.quantile_ms(0.5),
            "p99": counts.to_redis.quantile_ms(0.99),
        },
        "unseen_volume": dict(health.unseen),
        "unknown_keys": sorted(counts.unknown),
        "held_back": counts.held_back,
    }
