"""A live run's figures as rows of `pipeline_metrics` and as one plain document."""

from __future__ import annotations

from typing import Any

from system.algo_trader.feeds.live import FeedHealth
from system.algo_trader.pipeline.counts import LiveCounts
from system.algo_trader.pipeline.gap_log import GapLog

JOB = "stream"


def live_metrics(
    counts: LiveCounts, gaps: GapLog, *, run_id: str, now_ns: int, token_age_s: float | None
) -> list[dict[str, Any]]:
    """Return one row for the run so far: totals, which only rise."""
    return [
        {
            "time": now_ns,
            "job": JOB,
            "run_id": run_id,
            "fetched": counts.received.total(),
            "new": counts.accepted.total(),
            "rejected": counts.rejected.total(),
            "gaps": len(gaps),
            "revised": counts.late,
            "written": counts.stored,
            "latency_ms": counts.to_redis.quantile_ms(0.99),
            "failed": False,
            "token_age_s": token_age_s,
        }
    ]


def document(counts: LiveCounts, gaps: GapLog, health: FeedHealth, status: str) -> dict[str, Any]:
    """Return everything that is counted, for machines; null where nothing was measured."""
    services = sorted(set(counts.received) | set(counts.gaps))
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
