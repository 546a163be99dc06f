"""What `options refresh` is wired to: Schwab, the market's hours, and the three stores."""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from system.algo_trader.cli.gex import from_schwab
from system.algo_trader.jobs.option_refresh import Fetched, Keeper, OptionRefresh, Round, Snapshot

if TYPE_CHECKING:
    from system.algo_trader.jobs.report_terms import ReportTerms
    from system.algo_trader.options.gex import GexReport
    from system.algo_trader.runtime import Runtime

MOST_MISSED = 10_000
"""Snapshots that InfluxDB could not take and that are remembered; older ones are forgotten."""

CAUGHT_UP_A_TURN = 5
"""Of these so many are made good with each turn, so that the turns go on meanwhile."""

STATE_TURNS = 5
"""The state outlives so many turns of a symbol, and at least as many minutes."""


def job_of(
    runtime: Runtime, symbols: Sequence[str], terms: ReportTerms, every_s: float, *, always: bool
) -> tuple[OptionRefresh, Callable[[Round], None]]:
    """Return the job, and what notes the state of each turn for `options status`.

    Args:
        runtime: Its parts start when a turn first needs them.
        symbols: Whose chains.
        terms: How reports are computed.
        every_s: Seconds between two turns of a symbol.
        always: Whether to go on while the market is closed.
    """
    from infrastructure.clock import rfc3339
    from infrastructure.errors import NoDataError, RetryableError
    from system.algo_trader.jobs.option_archive import archive_chain, archived_chain
    from system.algo_trader.jobs.option_cache import keep_report
    from system.algo_trader.jobs.option_store import store_report
    from system.algo_trader.storage.hot_keys import OPTIONS_REFRESH

    has_tables = False
    missed: deque[tuple[str, int]] = deque(maxlen=MOST_MISSED)

    def to_redis(made: Snapshot) -> int:
        keep_report(runtime.redis, made.chain, made.document, terms, runtime.clock.now_ns())
        return 1 + len({each["date"] for each in made.document["expiries"]})

    def to_archive(made: Snapshot) -> int:
        return archive_chain(
            runtime.archive,
            made.chain,
            source=made.document["source"],
            is_synthetic=runtime.realm.is_simulated,
            request_id="options-refresh",
        )

    def projected(report: GexReport, source: str) -> int:
        nonlocal has_tables
        if not has_tables:
            runtime.influxdb.ensure_tables()
            has_tables = True
        return sum(store_report(runtime.influxdb, report, source=source).written.values())

    def to_influxdb(made: Snapshot) -> int:
        try:
            written = projected(made.report, made.document["source"])
        except RetryableError:
            missed.append((made.chain.underlying, made.chain.as_of_ns))
            raise
        for _ in range(min(len(missed), CAUGHT_UP_A_TURN)):
            written += made_good(*missed.popleft())
        return written

    def made_good(symbol: str, as_of_ns: int) -> int:
        # The archive needs no server and has what InfluxDB could not take, unless it failed too.
        try:
            found = archived_chain(runtime.archive, symbol, as_of_ns)
        except NoDataError:
            return 0
        report = terms.report(found.chain, found.chain.as_of_ns)
        try:
            return projected(report, found.source)
        except RetryableError:
            missed.appendleft((symbol, as_of_ns))
            raise

    job = OptionRefresh(
        symbols,
        lambda symbol: Fetched(*from_schwab(runtime, symbol)),
        [Keeper("redis", to_redis), Keeper("archive", to_archive), Keeper("influxdb", to_influxdb)],
        terms,
        runtime.clock,
        every_s,
        (lambda _: 0.0) if always else lambda symbol: opens_in_s(symbol, runtime.market_now_ns()),
    )
    state: dict[str, Any] = {"started_at": rfc3339(runtime.clock.now_ns()), "symbols": {}}
    failing: dict[str, str] = {}

    def note(done: Round) -> None:
        failing.update(done.troubles)
        for name in done.recovered:
            failing.pop(name, None)
        before = state["symbols"].get(done.symbol, {})
        moment = None if done.document is None else rfc3339(done.began_ns)
        state["symbols"][done.symbol] = {
            "refreshed_at": moment or before.get("refreshed_at"),
            "as_of": before.get("as_of") if done.document is None else done.document["as_of"],
            "interval_s": None if done.interval_s is None else round(done.interval_s, 1),
            "wanted_s": done.wanted_s,
            "failing": {
                name: text
                for name, text in failing.items()
                if name not in symbols or name == done.symbol
            },
        }
        ttl_s = max(STATE_TURNS * (done.interval_s or done.wanted_s), 60.0 * STATE_TURNS)
        _kept(runtime, OPTIONS_REFRESH.of(), state, ttl_s)

    return job, note


def opens_in_s(symbol: str, now_ns: int) -> float:
    """Return the seconds until options on a symbol trade, 0 while they do.

    Args:
        symbol: The underlying.
        now_ns: The market's time, nanoseconds UTC.
    """
    from infrastructure.exchange.calendars import calendar
    from infrastructure.exchange.symbology import Index, parse_symbol

    on_index = isinstance(parse_symbol(symbol), Index)
    hours = calendar("CBOE_INDEX_OPTIONS" if on_index else "CBOE_EQUITY_OPTIONS")
    if hours.is_open(now_ns, "rth"):
        return 0.0
    return (hours.next_open(now_ns, "rth") - now_ns) / 1e9


def tell_closed(wait_s: float, machine: bool) -> None:
    """Say once that nothing is asked until the market opens."""
    minutes = round(wait_s / 60)
    length = f"{minutes // 60} h {minutes % 60} min"
    if machine:
        sys.stderr.write(json.dumps({"market": "closed", "opens_in_s": round(wait_s)}) + "\n")
        return
    sys.stderr.write(
        f"the options market is closed and opens in {length}; --always goes on all the same\n"
    )


def _kept(runtime: Runtime, key: str, state: dict[str, Any], ttl_s: float) -> None:
    from infrastructure.errors import StackError
    from infrastructure.logging import get_logger

    try:
        runtime.redis.set_json(key, state, ttl=ttl_s)
    except StackError as error:
        # The keeper of reports has told the person already.
        get_logger("options").debug("the state is not noted: %s", error)
