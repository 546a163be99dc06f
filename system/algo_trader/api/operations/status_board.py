"""How everything is, looked at by a thread again and again, so that asking costs nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from infrastructure.clock import rfc3339
from infrastructure.errors import StackError
from infrastructure.exchange.calendars import calendar
from infrastructure.logging import get_logger
from system.algo_trader.api.operations.quality import coverage_row, gap_row
from system.algo_trader.api.operations.stores import Stores
from system.algo_trader.health.version import VERSION
from system.algo_trader.jobs.stored_coverage import stored_coverage
from system.algo_trader.market.stream_gap import GapState
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.processes.control import Processes, ProcessRow
from system.algo_trader.processes.order import NAMES
from system.algo_trader.processes.scrape import counters_at
from system.algo_trader.runtime import Runtime
from system.algo_trader.services import ServiceRow
from system.algo_trader.storage.records import OPTION_QUOTES

EVERY_S: Final = 1.0
OWN: Final = "serve"
ACCESS_LIVES_S: Final = 1800.0
"""What Schwab's access tokens live."""
_SLOW_EVERY: Final = 15
_SYMBOLS: Final = 12
_GAPS: Final = 12
_DAYS: Final = 5
_WELL: Final = ("running", "reachable", "ready")
_log = get_logger("api.status")


class StatusBoard:
    """Keep one document of how everything is.

    Args:
        runtime: Of this process.
        stores: What is read from.
        health: Returns the document of the health checks.
        errors: Returns the document of the registered errors.
        requests: Returns what the service itself was asked lately.
        names: Processes that are looked at.
    """

    def __init__(
        self,
        runtime: Runtime,
        stores: Stores,
        *,
        health: Callable[[], Mapping[str, Any]],
        errors: Callable[[], Mapping[str, Any]],
        requests: Callable[[], Mapping[str, Any]],
        names: Sequence[str] = NAMES,
    ) -> None:
        self._runtime = runtime
        self._stores = stores
        self._health = health
        self._errors = errors
        self._requests = requests
        self._names = names
        self._processes = Processes(runtime.settings)
        self._started_ns = runtime.clock.now_ns()
        self._slow: dict[str, Any] = {
            "health": {"state": "degraded", "at": rfc3339(self._started_ns), "checks": []},
            "coverage": [],
            "chains": [],
            "services": [],
            "sign_in": _NO_SIGN_IN,
            "gaps": {"open": 0, "suspected": 0, "recent": []},
            "errors": {"open": 0, "acknowledged": 0, "recent": []},
        }
        self._counted = -1
        self._last_rows: tuple[int, int] | None = None
        self._document: dict[str, Any] = {}
        self._ending = threading.Event()
        self._wanted = threading.Event()
        self._looked = threading.Event()
        self._thread = threading.Thread(target=self._run, name="status", daemon=True)

    def start(self) -> None:
        """Look once at everything, and go on beside the caller."""
        self._look_slowly()
        self._document = self._look()
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._ending.set()
        self._wanted.set()
        if self._thread.ident is not None:
            self._thread.join(10.0)

    def hurry(self) -> None:
        """Look at everything now: somebody has changed something."""
        self._wanted.set()

    def wait(self, timeout_s: float) -> bool:
        """Wait until everything was looked at once; say whether it was.

        Args:
            timeout_s: How long at most, seconds.
        """
        return self._looked.wait(timeout_s)

    def document(self) -> dict[str, Any]:
        """Return the newest document with the figures of this moment."""
        return {**self._document, "requests": dict(self._requests())}

    def _run(self) -> None:
        rounds = 1
        while not self._ending.is_set():
            try:
                if rounds % _SLOW_EVERY == 0 or self._wanted.is_set():
                    self._wanted.clear()
                    self._look_slowly()
                self._document = self._look()
                self._looked.set()
            except Exception:
                # The board is what shows that something is wrong: it must outlive it.
                _log.exception("the status could not be looked at")
            rounds += 1
            self._wanted.wait(EVERY_S)

    def _look(self) -> dict[str, Any]:
        clock, realm = self._runtime.clock, self._runtime.realm
        now_ns = clock.now_ns()
        standing = self._stores.live.standing()
        newest, came_ns = standing.newest_recv_ns, standing.newest_came_ns
        # A simulated market lives in the time of its replay: its newest tick tells that time.
        market_ns = newest if realm.is_simulated and newest is not None else now_ns
        lag = self._stores.live.lag_ms()
        mono_ns, rate = clock.monotonic_ns(), None
        if self._last_rows is not None and mono_ns > self._last_rows[0]:
            rate = (standing.rows - self._last_rows[1]) * 1e9 / (mono_ns - self._last_rows[0])
        self._last_rows = mono_ns, standing.rows
        return {
            "version": VERSION,
            "realm": realm.name,
            "is_synthetic": realm.is_simulated,
            "now": rfc3339(now_ns),
            "market_now": rfc3339(market_ns),
            "started_at": rfc3339(self._started_ns),
            "uptime_s": (now_ns - self._started_ns) / 1e9,
            "market": _market(market_ns),
            **self._slow,
            "stream": {
                "symbols": len(self._stores.live.symbols()),
                "rate_per_s": rate,
                "last_tick_at": None if newest is None else rfc3339(newest),
                "age_s": None if came_ns is None else max(0.0, (now_ns - came_ns) / 1e9),
                "lag_p50_ms": None if lag is None else lag[0],
                "lag_p99_ms": None if lag is None else lag[1],
                "entry": standing.entry,
                "lost": standing.lost,
                "away_since": (
                    None if standing.away_since_ns is None else rfc3339(standing.away_since_ns)
                ),
            },
        }

    def _look_slowly(self) -> None:
        slow: dict[str, Any] = {}
        for name, look in (
            ("services", self._services),
            ("sign_in", self._sign_in),
            ("gaps", self._gaps),
            ("coverage", self._coverage),
            ("chains", self._chains),
            ("health", self._health),
            ("errors", self._errors),
        ):
            try:
                slow[name] = look()
            except StackError as error:
                _log.warning("%s: %s", name, error)
        self._slow = {**self._slow, **slow}

    def _services(self) -> list[dict[str, Any]]:
        now_ns = self._runtime.clock.now_ns()
        servers = [_server(row, now_ns) for row in self._runtime.services.status()]
        rows = [self._processes.status(name) for name in self._names]
        # This service itself is a process only where somebody keeps it running.
        shown = [row for row in rows if row.name != OWN or row.state in _WELL]
        return servers + [_process(row, now_ns) for row in shown]

    def _sign_in(self) -> dict[str, Any]:
        found, now_ns = self._runtime.stored_sign_in(), self._runtime.clock.now_ns()
        ends_ns = found.refresh_expires_at_ns
        access_ns = found.access_expires_at_ns
        return {
            "state": found.state,
            "access_expires_in_s": None if access_ns is None else (access_ns - now_ns) / 1e9,
            "access_age_s": (
                None if access_ns is None else max(0.0, ACCESS_LIVES_S - (access_ns - now_ns) / 1e9)
            ),
            "refresh_age_s": found.refresh_age_s,
            "deadline": None if ends_ns is None else rfc3339(ends_ns),
            "deadline_in_s": None if ends_ns is None else (ends_ns - now_ns) / 1e9,
            "next_step": found.next_step,
        }

    def _gaps(self) -> dict[str, Any]:
        gaps = self._stores.stream_gaps()
        newest = sorted(gaps, key=lambda gap: gap.start_ns)[-_GAPS:]
        return {
            "open": sum(gap.state is GapState.OPEN for gap in gaps),
            "suspected": sum(gap.state is GapState.SUSPECTED for gap in gaps),
            "lost": sum(gap.state is GapState.LOST for gap in gaps),
            "backfilled": sum(gap.state is GapState.BACKFILLED for gap in gaps),
            "recent": [gap_row(gap) for gap in reversed(newest)],
        }

    def _coverage(self) -> list[dict[str, Any]]:
        archive, now_ns = self._stores.archive, self._runtime.clock.now_ns()
        commits = archive.commit_count()
        if commits == self._counted:
            return list(self._slow["coverage"])
        self._counted = commits
        symbols = [s for s, each in archive.bar_series() if each is Timeframe.M1]
        return [
            coverage_row(stored_coverage(archive, symbol, Timeframe.M1, _DAYS, now_ns))
            for symbol in symbols[:_SYMBOLS]
        ]

    def _chains(self) -> list[str]:
        """Return the underlyings of which chains are stored."""
        return sorted({part.symbol for part in self._stores.archive.parts(OPTION_QUOTES)})


_NO_SIGN_IN: Final = {
    "state": "unknown",
    "access_expires_in_s": None,
    "access_age_s": None,
    "refresh_age_s": None,
    "deadline": None,
    "deadline_in_s": None,
    "next_step": None,
}


def _server(row: ServiceRow, now_ns: int) -> dict[str, Any]:
    is_down = row.state in ("unreachable", "gave up")
    is_up = row.state in _WELL
    return {
        "name": row.name,
        "kind": "server",
        "state": row.state,
        "health": "down" if is_down else "ok" if is_up else None,
        "reasons": [row.note] if row.note else [],
        "origin": row.origin,
        "url": row.url or None,
        "pid": row.pid,
        "since": row.since,
        "age_s": _age_s(row.since, now_ns),
        "restarts": 0,
        "counters": {},
        "can": _can(row.state) if row.origin == "embedded" else [],
    }


def _process(row: ProcessRow, now_ns: int) -> dict[str, Any]:
    return {
        "name": row.name,
        "kind": "process",
        "state": row.state,
        "health": row.health,
        "reasons": list(row.reasons),
        "origin": None,
        "url": row.url or None,
        "pid": row.pid,
        "since": row.since,
        "age_s": _age_s(row.since, now_ns),
        "restarts": row.restarts,
        "counters": counters_at(row.url) if row.url else {},
        "can": _can(row.state),
    }


def _can(state: str) -> list[str]:
    return ["stop", "restart"] if state in _WELL else ["start"]


def _age_s(since: str | None, now_ns: int) -> float | None:
    from infrastructure.clock import parse_rfc3339

    return None if since is None else max(0.0, (now_ns - parse_rfc3339(since)) / 1e9)


def _market(now_ns: int) -> dict[str, Any]:
    """Return whether the New York Stock Exchange trades, and until when that stays so."""
    exchange = calendar("XNYS")
    session = exchange.session_of(now_ns)
    if session is None or not exchange.is_open(now_ns):
        return {
            "is_open": False,
            "session": "closed",
            "until": rfc3339(exchange.next_open(now_ns)),
        }
    is_regular = any(start <= now_ns < end for start, end in session.rth)
    if is_regular:
        return {"is_open": True, "session": "rth", "until": rfc3339(session.rth[-1][1])}
    is_early = now_ns < session.rth[0][0]
    end_ns = session.rth[0][0] if is_early else session.all[-1][1]
    return {
        "is_open": True,
        "session": "pre" if is_early else "post",
        "until": rfc3339(end_ns),
    }
