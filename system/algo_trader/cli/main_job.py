"""Run the main job, `update` and `candles fetch`, and show what they did."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from system.algo_trader import terminal
from system.algo_trader.cli.invocation import Invocation

if TYPE_CHECKING:
    from pathlib import Path

    from rich.text import Text

    from infrastructure.errors import StackError
    from system.algo_trader.jobs.history import Progress
    from system.algo_trader.jobs.plan import FetchRequest, Lookback
    from system.algo_trader.jobs.report import RunReport, SeriesReport
    from system.algo_trader.market.timeframe import Timeframe
    from system.algo_trader.runtime import Runtime
    from system.algo_trader.storage.archive import Archive

LONGEST_SPARKLINE = 30
WIDTH_OF_THE_REST = 72
"""Columns that a row needs beside its sparkline."""


def run_main_job(invocation: Invocation) -> int:
    """Fetch the watchlist's history, check and store it, show it; return the exit code."""
    from system.algo_trader.jobs.plan import MAIN_PLAN

    return _run_plan(invocation, "main", None, MAIN_PLAN)


def run_fetch(invocation: Invocation, symbol: str, timeframe: Timeframe) -> int:
    """Fetch one symbol's history of one timeframe; return the exit code."""
    from system.algo_trader.jobs.plan import MAIN_PLAN, Lookback

    known = {lookback.timeframe: lookback for lookback in MAIN_PLAN}
    lookback = known.get(timeframe, Lookback(timeframe, sessions=5))
    return _run_plan(invocation, "candles fetch", (symbol,), (lookback,))


def run_update(invocation: Invocation) -> int:
    """Extend every stored series to now; return the exit code."""
    from infrastructure.errors import NoDataError
    from system.algo_trader.jobs.plan import extension

    with invocation.runtime() as runtime:
        _banner(runtime, invocation)
        stored = runtime.archive.bar_series()
        if not stored:
            raise NoDataError(
                "nothing is stored yet, so there is nothing to extend",
                next_step="Run `algo-trader` first.",
            )
        if invocation.names_symbols:
            stored = _only(stored, runtime.settings.symbols or ())
        series = [runtime.feed.series(symbol, timeframe) for symbol, timeframe in stored]
        requests = extension(series, now_ns=runtime.market_now_ns(), stored=runtime.archive)
        return _carry_out(invocation, runtime, "update", requests)


def run_sync(invocation: Invocation, universe: Path | None, *, once: bool) -> int:
    """Extend minutes, five minutes and days, now and after each close; return the exit code."""
    from infrastructure.clock import rfc3339
    from infrastructure.errors import UsageError
    from infrastructure.exchange.calendars import calendar
    from infrastructure.notification.notifier import notifier_of
    from system.algo_trader.jobs.candle_sync import CandleSync
    from system.algo_trader.jobs.universe import read_universe

    named = None if universe is None else read_universe(universe)
    with invocation.runtime() as runtime:
        _banner(runtime, invocation)

        def symbols() -> Sequence[str]:
            return named or runtime.settings.symbols or runtime.redis.watchlist()

        if not symbols():
            return _nothing_to_do(invocation)
        where = runtime.settings.notify_url
        job = CandleSync(
            runtime.feed.series,
            runtime.archive,
            lambda requests: _carry_out(invocation, runtime, "candles sync", requests),
            calendar("XNYS"),
            runtime.market_now_ns,
            runtime.clock,
            () if where is None else (notifier_of(where),),
            partial(_part, runtime.archive),
        )
        if invocation.endpoint_file is not None and runtime.realm.is_simulated:
            raise UsageError(
                "the simulator's market stands still: there is nothing to keep up with",
                next_step="`algo-trader candles sync` runs once there.",
            )
        if once or runtime.realm.is_simulated:
            code = job.once(symbols())
            if not once:
                terminal.console(stderr=True).print("the replayed market stands still: ran once")
            return code

        with invocation.pulse(runtime, "candles-sync") as beat:

            def told(due_ns: int) -> None:
                terminal.console(stderr=True).print(f"next run at {rfc3339(due_ns)}")
                beat()

            job.serve(symbols, told)
    return 0


def _part(archive: Archive) -> None:
    """Give each symbol its own files of what a stream has stored of the day."""
    from infrastructure.errors import StackError
    from infrastructure.logging import get_logger
    from system.algo_trader.storage.upkeep import part_by_symbol

    try:
        part_by_symbol(archive)
    except StackError as error:
        get_logger("candles sync").warning("shared files wait for the next close: %s", error)


def _only(
    stored: Sequence[tuple[str, Timeframe]], symbols: Sequence[str]
) -> list[tuple[str, Timeframe]]:
    """Return the stored series of some symbols."""
    from infrastructure.errors import NoDataError

    missing = [symbol for symbol in symbols if symbol not in {each for each, _ in stored}]
    if missing:
        raise NoDataError(
            f"nothing is stored of {', '.join(missing)}, so there is nothing to extend",
            next_step=f"Run `algo-trader --symbols {','.join(missing)}` first.",
        )
    return [pair for pair in stored if pair[0] in symbols]


def _run_plan(
    invocation: Invocation,
    job: str,
    symbols: Sequence[str] | None,
    lookbacks: Sequence[Lookback],
) -> int:
    from infrastructure.exchange.calendars import calendar
    from system.algo_trader.jobs.plan import plan

    with invocation.runtime() as runtime:
        _banner(runtime, invocation)
        wanted = symbols or runtime.settings.symbols or runtime.redis.watchlist()
        if not wanted:
            return _nothing_to_do(invocation)
        feed = runtime.feed
        requests = plan(
            [
                (feed.series(symbol, each.timeframe), each)
                for symbol in wanted
                for each in lookbacks
            ],
            now_ns=runtime.market_now_ns(),
            calendar=calendar("XNYS"),
            stored=runtime.archive,
        )
        return _carry_out(invocation, runtime, job, requests)


def _nothing_to_do(invocation: Invocation) -> int:
    from infrastructure.errors import NoDataError

    raise NoDataError("the watchlist is empty", next_step="Run `algo-trader watchlist add AAPL`.")


def _carry_out(
    invocation: Invocation, runtime: Runtime, job: str, requests: Sequence[FetchRequest]
) -> int:
    from infrastructure.exchange.calendars import calendar
    from system.algo_trader.jobs.history import fetch_and_store

    status = runtime.handler.status()
    with _ProgressBar(invocation) as progress:
        report = fetch_and_store(
            runtime.feed,
            runtime.archive,
            runtime.influxdb,
            requests,
            job=job,
            calendar=calendar("XNYS"),
            market_now_ns=runtime.market_now_ns,
            clock=runtime.clock,
            progress=progress,
            token_age_s=status.refresh_age_s,
        )
    if report.error is not None:
        invocation.record(report.error)
    earlier = _earlier_market(runtime)
    _remember(runtime, report)
    if invocation.as_json:
        terminal.print_json({**_document(runtime, report), "earlier_market": earlier})
    else:
        _show(runtime, report)
        if report.stopped_by is not None:
            terminal.print_error(report.stopped_by, as_json=False)
    return report.exit_code


def _banner(runtime: Runtime, invocation: Invocation) -> None:
    simulator = runtime.simulator
    if simulator is None or invocation.as_json:
        return
    market = simulator.market
    console = terminal.console()
    console.print(terminal.styled(" SIMULATOR ", "black on yellow"), end=" ")
    console.print(
        f"a local Schwab replays {market.source}; the market's date is {market.last_session}."
    )
    invented = "Prices of minutes are invented inside each real day's range. "
    recorded = not market.is_synthetic("1m")
    console.print(f"{'' if recorded else invented}Nothing here is live data.")
    earlier = _earlier_market(runtime)
    if earlier is not None:
        note = f" the last run here replayed {earlier}, and what both markets tell of a symbol is"
        advice = " stored in one series. Give each replay a folder of its own by --home."
        console.print(terminal.styled("note", "yellow") + note + advice)


def _earlier_market(runtime: Runtime) -> str | None:
    """Return what the last run in this home replayed, None if that was this market or nothing."""
    from infrastructure.errors import StackError
    from infrastructure.logging import get_logger

    if runtime.simulator is None:
        return None
    try:
        facts = runtime.redis.load_last_run() or {}
    except StackError as error:
        # A run that needs Redis fails by its own sentence, or warns once when it writes there.
        get_logger("main").info("the last run's facts cannot be read: %s", error)
        return None
    earlier = facts.get("market")
    return None if earlier in (None, runtime.simulator.market.source) else str(earlier)


class _ProgressBar:
    """Show a progress bar on standard error while a run goes on; nothing for machines."""

    def __init__(self, invocation: Invocation) -> None:
        self._shown = not invocation.as_json and sys.stderr.isatty()

    def __enter__(self) -> Callable[[Progress], None]:
        if not self._shown:
            return lambda progress: None
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as Bar

        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            console=terminal.console(stderr=True),
            transient=True,
        )
        self._bar.start()
        task = self._bar.add_task("signing in", total=None)

        def tell(progress: Progress) -> None:
            request = progress.request
            text = "storing" if request is None else f"{request.symbol} {request.timeframe}"
            self._bar.update(task, description=text, total=progress.total, completed=progress.done)

        return tell

    def __exit__(self, *_: object) -> None:
        if self._shown:
            self._bar.stop()


def _remember(runtime: Runtime, report: RunReport) -> None:
    from infrastructure.clock import rfc3339
    from infrastructure.errors import StackError
    from infrastructure.logging import get_logger

    facts = {
        "run_id": report.run_id,
        "job": report.job,
        "market": None if runtime.simulator is None else runtime.simulator.market.source,
        "ended": rfc3339(report.ended_ns),
        "exit_code": report.exit_code,
        "new": report.total(lambda each: each.new),
    }
    try:
        runtime.redis.save_last_run(facts)
    except StackError as error:
        get_logger("main").warning("the run's facts are not in Redis: %s", error)


def _document(runtime: Runtime, report: RunReport) -> dict[str, Any]:
    simulator = runtime.simulator
    return {
        "realm": runtime.realm.name,
        "is_simulated": runtime.realm.is_simulated,
        "market": None if simulator is None else simulator.market.source,
        "market_date": None if simulator is None else str(simulator.market.last_session),
        **report.as_dict(),
        "places": _places(runtime),
    }


def _places(runtime: Runtime) -> dict[str, str]:
    rows = {row.name: row for row in runtime.services.status()}
    return {
        "archive": str(runtime.archive.root),
        "influxdb": f"{rows['influxdb'].url} database {runtime.realm.database}",
        "redis": f"{rows['redis'].url} namespace {runtime.realm.redis_namespace}:",
    }


def _show(runtime: Runtime, report: RunReport) -> None:
    console = terminal.console()
    width = min(LONGEST_SPARKLINE, max(0, console.width - WIDTH_OF_THE_REST))
    rows = [row for each in report.series if (row := _row(runtime, each, width)) is not None]
    simulator = runtime.simulator
    date = "" if simulator is None else f" (replay of {simulator.market.last_session})"
    if rows:
        columns = ("symbol", "bars", "stored", "last bar", "close", "change", "last closes")
        terminal.print_table(terminal.table(f"Last bars{date}", columns, rows, numeric="llrlrr"))
        if any(str(row[1]).endswith("*") for row in rows):
            console.print("* prices invented by the simulator inside each real day's range")
    for line in _sentences(report):
        console.print(line)
    for notice in runtime.services.notices:
        console.print(notice)
    console.print(terminal.pairs({**_counts(report), **_places(runtime)}))
    if not rows:
        return
    console.print(
        f"\nsee it: `algo-trader candles show {rows[0][0]}`, or in Grafana: "
        "`bazel run //system/algo_trader/clients:grafana start`",
        markup=False,
    )


def _row(runtime: Runtime, each: SeriesReport, width: int) -> tuple[object, ...] | None:
    from infrastructure.clock import utc_from_ns

    if each.error is not None:
        return None
    bars = runtime.archive.winners(each.symbol, each.timeframe)
    if len(bars) == 0:
        return None
    closes = bars.table.column("close").to_pylist()
    form = "%Y-%m-%d %H:%MZ" if each.timeframe.is_intraday else "%Y-%m-%d"
    change = terminal.change(closes[-2], closes[-1]) if len(closes) > 1 else None
    synthetic = bars.table.column("is_synthetic").to_pylist()[-1]
    return (
        each.symbol,
        f"{each.timeframe}{' *' if synthetic else ''}",
        f"{len(bars):,}",
        utc_from_ns(int(bars.start[-1])).strftime(form),
        f"{closes[-1]:,.2f}",
        change,
        terminal.sparkline(closes[-width:], width) if width else "",
    )


def _sentences(report: RunReport) -> list[Text]:
    from system.algo_trader.market.splits import ratio_text

    lines = []
    for each in report.series:
        name = f"{each.symbol} {each.timeframe}"
        if each.split is not None:
            restated = f"{each.revised + each.restated} stored bars were restated"
            lines.append(_sentence("split", f"{name}: {ratio_text(each.split)}; {restated}"))
        for rule, count in sorted(each.rejected.items()):
            lines.append(_sentence("quarantine", f"{name}: {count} bars by rule {rule}"))
        if each.gaps:
            lines.append(_sentence("gap", f"{name}: {each.gaps} expected bars are missing"))
    return lines + _failures(report)


def _failures(report: RunReport) -> list[Text]:
    """Return one line an error, however many timeframes of a symbol it kept from being fetched."""
    concerned: dict[str, tuple[StackError, list[SeriesReport]]] = {}
    for each in report.failures:
        if each.error is not None and each.error is not report.stopped_by:
            key = f"{each.symbol} {each.error}"
            concerned.setdefault(key, (each.error, []))[1].append(each)
    return [
        _sentence("failed", f"{of[0].symbol} {', '.join(each.timeframe for each in of)}: {error}")
        for error, of in concerned.values()
    ]


def _sentence(word: str, rest: str) -> Text:
    return terminal.styled(word, "red" if word == "failed" else "yellow") + f" {rest}"


def _counts(report: RunReport) -> dict[str, str]:
    seconds = (report.ended_ns - report.started_ns) / 1e9
    fetched, new, written = (
        report.total(lambda each: each.fetched),
        report.total(lambda each: each.new),
        report.total(lambda each: each.written),
    )
    rejected, read_back = (
        report.total(lambda each: each.rejected_count),
        report.total(lambda each: each.read_back or 0),
    )
    projected = f"{written:,} rows written, {read_back:,} read back and compared"
    if not report.is_projected:
        projected = "not brought up to date: the error below says why"
    if report.waiting:
        projected += f"; {report.waiting:,} points wait in the spool, the next command sends them"
    return {
        "bars": f"{fetched:,} fetched, {new:,} new, {rejected:,} rejected, in {seconds:.1f} s",
        "InfluxDB": projected,
    }
