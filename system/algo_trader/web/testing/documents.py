"""The documents that the stub answers with: each field of the contract, some of them missing."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import Any, Final

Document = dict[str, Any]

MARKET_NOW: Final = datetime(2013, 2, 28, 15, 31, 5, tzinfo=UTC)
"""A Thursday at 10:31:05 in New York."""
NASTY: Final = '<img src=x onerror="globalThis.hacked=1"><script>globalThis.hacked=1</script>'
"""What would run if any text of a document were parsed as HTML."""


def written(instant: datetime) -> str:
    """Write an instant as RFC 3339 with Z."""
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def service(name: str, state: str, health: str | None, **more: Any) -> Document:
    """Return one service's part of the status."""
    return {
        "name": name,
        "kind": "process",
        "state": state,
        "health": health,
        "reasons": [],
        "origin": None,
        "url": None,
        "pid": 4242,
        "since": written(MARKET_NOW - timedelta(hours=3)),
        "age_s": 10_860.0,
        "restarts": 0,
        "counters": {},
        "can": ["stop", "restart"],
        **more,
    }


def services() -> list[Document]:
    """Return the services: well, degraded, failed and stopped ones."""
    return [
        service(
            "redis",
            "running",
            "ok",
            kind="server",
            origin="embedded",
            url="redis://127.0.0.1:6379",
            counters={"keys": 3_214, "clients": 7},
        ),
        service(
            "influxdb",
            "running",
            "ok",
            kind="server",
            origin="embedded",
            url="http://127.0.0.1:8181",
            counters={"points in": 18_220_114, "queries": 914},
        ),
        service(
            "stream",
            "running",
            "degraded",
            reasons=["no tick of 3 symbols for 95 s", "p99 delay is 41 ms, wanted 5 ms"],
            restarts=2,
            age_s=95.0,
            counters={"ticks in": 4_812_345, "ticks out": 4_812_340, "dropped": 5},
        ),
        service("bars", "running", "ok", counters={"bars closed": 390_120, "late": 0}),
        service("archive", "failed", "down", reasons=["the disk is full"], pid=None, restarts=5),
        service(
            "gex",
            "stopped",
            None,
            pid=None,
            since=None,
            age_s=None,
            can=["start"],
        ),
    ]


def checks() -> list[Document]:
    """Return the health checks."""
    return [
        {"name": "redis", "state": "ok", "detail": "PING in 0.2 ms", "took_ms": 0.21},
        {"name": "influxdb", "state": "ok", "detail": "answers at /ping", "took_ms": 3.4},
        {
            "name": "stream",
            "state": "degraded",
            "detail": "3 symbols are silent",
            "took_ms": 12.7,
        },
        {
            "name": "disk",
            "state": "down",
            "detail": "0.4 GB free, 2 GB wanted",
            "took_ms": None,
        },
    ]


def gaps() -> Document:
    """Return an open gap, a suspected one and one that was filled afterwards."""
    start = MARKET_NOW - timedelta(minutes=12)
    names = ["AAPL", "MSFT", "GOOG", "IBM", "FB"]
    return {
        "open": 1,
        "suspected": 1,
        "recent": [
            gap("stream", names, start, None, "the connection was lost", "open", None),
            gap("stream", ["IBM"], start - timedelta(hours=1), 41, "no tick", "suspected", None),
            gap("stream", ["AAPL"], start - timedelta(hours=2), 73, "restart", "backfilled", 12),
        ],
    }


def gap(
    source: str,
    symbols: list[str],
    start: datetime,
    seconds: int | None,
    reason: str,
    state: str,
    missing: int | None,
) -> Document:
    """Return one gap; without seconds it has no end yet."""
    end = None if seconds is None else written(start + timedelta(seconds=seconds))
    return {
        "service": source,
        "symbols": symbols,
        "start": written(start),
        "end": end,
        "reason": reason,
        "state": state,
        "missing": missing,
    }


def coverage() -> list[Document]:
    """Return stored bars, complete and not, and one where nothing was expected."""
    rows: list[Document] = []
    for symbol in ("AAPL", "FB", "GOOG", "IBM", "MSFT"):
        for timeframe, expected in (("1m", 3_900), ("1d", 252)):
            missing = 12 if (symbol, timeframe) == ("IBM", "1m") else 0
            if (symbol, timeframe) == ("FB", "1d"):
                missing = 60
            rows.append(
                {
                    "symbol": symbol,
                    "timeframe": timeframe,
                    "session": "rth",
                    "expected": expected,
                    "present": expected - missing,
                    "share": (expected - missing) / expected,
                }
            )
    rows.append(
        {
            "symbol": "SPY",
            "timeframe": "1m",
            "session": "ext",
            "expected": 0,
            "present": 0,
            "share": None,
        }
    )
    return rows


def errors() -> Document:
    """Return an open error, a warning and one that is known."""
    seen = written(MARKET_NOW - timedelta(minutes=4))
    return {
        "open": 2,
        "acknowledged": 1,
        "recent": [
            {
                "id": "e-1",
                "process": "archive",
                "kind": "DiskFull",
                "message": "No space is left for the archive.",
                "next_step": "Free 2 GB below ALGO_TRADER_HOME, then restart archive.",
                "count": 14,
                "first_seen": seen,
                "last_seen": seen,
                "state": "open",
                "severity": "error",
            },
            {
                "id": "e-2",
                "process": "stream",
                "kind": "RateLimited",
                "message": "Schwab asks to wait.",
                "next_step": None,
                "count": 1,
                "first_seen": seen,
                "last_seen": seen,
                "state": "open",
                "severity": "warning",
            },
            {
                "id": "e-3",
                "process": "bars",
                "kind": "LineError",
                "message": "A line was refused: volume is negative.",
                "next_step": None,
                "count": 3,
                "first_seen": seen,
                "last_seen": seen,
                "state": "acknowledged",
                "severity": "error",
            },
        ],
    }


def status() -> Document:
    """Return the status of a simulated realm in which some things went wrong."""
    now = datetime.now(UTC)
    return {
        "version": "0.1.0",
        "realm": "sim",
        "is_synthetic": True,
        "now": written(now),
        "market_now": written(MARKET_NOW),
        "started_at": written(now - timedelta(hours=3)),
        "uptime_s": 10_920.0,
        "market": {
            "is_open": True,
            "session": "rth",
            "until": written(datetime(2013, 2, 28, 21, 0, tzinfo=UTC)),
        },
        "health": {
            "state": "degraded",
            "at": written(now - timedelta(seconds=4)),
            "checks": checks(),
        },
        "services": services(),
        "sign_in": {
            "state": "signed in",
            "access_age_s": 412.0,
            "refresh_age_s": 259_200.0,
            "deadline": written(now + timedelta(days=4)),
            "deadline_in_s": 345_600.0,
        },
        "stream": {
            "symbols": 1_000,
            "rate_per_s": 812.5,
            "last_tick_at": written(MARKET_NOW),
            "age_s": 0.4,
            "lag_p50_ms": 1.8,
            "lag_p99_ms": None,
        },
        "gaps": gaps(),
        "coverage": coverage(),
        "errors": errors(),
        "requests": {"total": 18_204, "per_s": 12.4, "p95_ms": 6.1, "clients": 3},
    }


def candles(symbol: str, timeframe: str, limit: int) -> Document:
    """Return bars on a smooth path, the last of which closes at 441.40 for AAPL."""
    step = {"1m": 60, "5m": 300, "1h": 3_600, "1d": 86_400}.get(timeframe, 60)
    count = min(limit, 240)
    first = MARKET_NOW.replace(second=0) - timedelta(seconds=step * count)
    path = [440.0 + 4 * math.sin(i / 21) + 1.5 * math.sin(i / 3.7) for i in range(count + 1)]
    shift = 441.40 - path[-1]
    path = [round(price + shift, 2) for price in path]
    rows = range(count)
    return {
        "source": "simulator",
        "licence": "bokeh_sampledata",
        "is_synthetic": True,
        "as_of": written(MARKET_NOW),
        "age_s": 5.0,
        "gaps": [
            gap(
                "stream",
                [symbol],
                first + timedelta(seconds=step * 90),
                12 * step,
                "restart",
                "open",
                12,
            )
        ],
        "rows": count,
        "next": None,
        "columns": {
            "time": [written(first + timedelta(seconds=step * i)) for i in rows],
            "open": [path[i] for i in rows],
            "high": [round(max(path[i], path[i + 1]) + 0.3, 2) for i in rows],
            "low": [round(min(path[i], path[i + 1]) - 0.3, 2) for i in rows],
            "close": [path[i + 1] for i in rows],
            "volume": [20_000 + 400 * (i * 37 % 90) for i in rows],
        },
    }


def gex() -> Document:
    """Return gamma by strike around a spot of 151.60."""
    strikes = [100 + i for i in range(101)]
    call = [2.4e8 * math.exp(-(((k - 155) / 9) ** 2)) * (1.8 if k % 5 == 0 else 1) for k in strikes]
    put = [
        -2.1e8 * math.exp(-(((k - 147) / 10) ** 2)) * (1.8 if k % 5 == 0 else 1) for k in strikes
    ]
    net = [one + other for one, other in zip(call, put, strict=True)]
    return {
        "source": "simulator",
        "licence": "bokeh_sampledata",
        "is_synthetic": True,
        "as_of": written(MARKET_NOW),
        "age_s": 21.0,
        "gaps": [],
        "rows": len(strikes),
        "next": None,
        "summary": {
            "spot": 151.6,
            "net_gex": sum(net),
            "flip": 150.42,
            "call_wall": 155.0,
            "put_wall": 145.0,
        },
        "columns": {"strike": strikes, "gex_call": call, "gex_put": put, "gex_net": net},
    }


def tick(symbol: str, count: int) -> Document:
    """Return one tick; the last price goes up and down by a cent."""
    last = 100.0 + 7 * (sum(map(ord, symbol)) % 60) + 0.01 * (count % 5)
    return {
        "symbol": symbol,
        "ts_event": written(MARKET_NOW + timedelta(seconds=count)),
        "bid": round(last - 0.01, 2),
        "ask": round(last + 0.01, 2),
        "bid_size": 300,
        "ask_size": 500,
        "last": round(last, 2),
        "last_size": 100,
        "volume": 4_812_300 + 100 * count,
    }
