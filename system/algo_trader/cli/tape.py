"""`tape SYMBOL`: who bought and who sold, from trades and quotes of files or the archive."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from system.algo_trader.cli.invocation import current

if TYPE_CHECKING:
    from datetime import date

    from infrastructure.exchange.calendars import Calendar
    from system.algo_trader.jobs.tape_report import TapeReport
    from system.algo_trader.jobs.tape_source import Span
    from system.algo_trader.realm import Realm

PRICES_SHOWN = 10


class RuleName(StrEnum):
    """Name a rule."""

    QUOTE = "quote"
    TICK = "tick"
    LEE_READY = "lee-ready"
    EMO = "emo"
    CLNV = "clnv"


class Hours(StrEnum):
    """Name the hours of a date that count."""

    RTH = "rth"
    ETH = "eth"


def tape(
    context: typer.Context,
    symbol: Annotated[str, typer.Argument(help="What was traded: AAPL, /ESH24.")],
    files: Annotated[
        list[Path] | None,
        typer.Option(
            "--file", help="CSV or Parquet of trades, or of quotes; may be given several times."
        ),
    ] = None,
    day: Annotated[
        str | None,
        typer.Option("--date", help="Trading date; of the archive, the last stored by default."),
    ] = None,
    hours: Annotated[
        Hours, typer.Option("--session", help="Regular hours of --date, or all of them.")
    ] = Hours.ETH,
    rule: Annotated[
        RuleName, typer.Option("--rule", help="Which rule tells the sides.")
    ] = RuleName.LEE_READY,
    lag: Annotated[
        str, typer.Option("--lag", help="How much older than its trade a quote must be: 0, 5ms.")
    ] = "0",
    window: Annotated[
        str | None, typer.Option("--window", help="How old a quote may be; any age by default.")
    ] = None,
    same_instant: Annotated[
        bool, typer.Option("--same-instant", help="Take a quote of the trade's own nanosecond.")
    ] = False,
    timeframe: Annotated[
        str, typer.Option("--timeframe", "-t", help="Length of the stored stretches.")
    ] = "1m",
    tick_size: Annotated[
        float | None, typer.Option("--tick-size", help="Finest step of prices; by the symbol.")
    ] = None,
    zone: Annotated[
        str | None, typer.Option("--tz", help="Zone of a file's times without an offset.")
    ] = None,
    sampled: Annotated[
        bool, typer.Option("--sampled", help="The source holds only some of the trades.")
    ] = False,
    block_size: Annotated[
        float, typer.Option("--block-size", min=1, help="Shares or contracts of a block.")
    ] = 10_000,
    by_size_only: Annotated[
        bool, typer.Option("--block-by-size", help="A value of 200,000 makes no block.")
    ] = False,
    row_ticks: Annotated[
        int, typer.Option("--row-ticks", min=1, help="Height of the profile's rows in ticks.")
    ] = 1,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write every trade to a .csv or .parquet file.")
    ] = None,
    stored: Annotated[
        bool, typer.Option("--store", help="Write `tape_metrics` to InfluxDB.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Tell buys from sells, and show delta, shares at bid and ask, VWAP, profile and sweeps."""
    from infrastructure.exchange.markets import calendar_of
    from system.algo_trader import terminal
    from system.algo_trader.cli.durations import duration_ns
    from system.algo_trader.jobs.tape_report import TapeTerms, tape_report
    from system.algo_trader.jobs.tape_source import session_numbers, tick_size_of

    wanted = symbol.strip().upper()
    calendar = calendar_of(wanted)
    interval_ns = _interval(timeframe)
    terms = TapeTerms(
        rule.value,
        duration_ns(lag, "--lag", may_be_zero=True),
        None if window is None else duration_ns(window, "--window"),
        not same_instant,
        block_size,
        None if by_size_only else TapeTerms().block_value,
        row_ticks=row_ticks,
    )
    _check_out(out)
    tick = tick_size_of(wanted) if tick_size is None else tick_size
    realm = _realm(context, files)
    data = _read(realm, wanted, files, zone, tick, sampled, day, hours, calendar)
    report = tape_report(data, terms, session_numbers(data.trades.time_ns, calendar))
    document = report.as_dict()
    if out is not None:
        _write(report, out)
    if stored:
        document["stored"] = _store(context, realm, report, interval_ns, timeframe, calendar)
    if as_json or current(context).as_json:
        terminal.print_json(document)
        return
    show(document)


def _read(
    realm: Realm,
    symbol: str,
    files: list[Path] | None,
    zone: str | None,
    tick_size: float,
    sampled: bool,
    day: str | None,
    hours: Hours,
    calendar: Calendar,
) -> Any:
    from system.algo_trader.jobs.tape_source import last_trade_ns, tape_of_archive, tape_of_files
    from system.algo_trader.storage.archive import Archive

    span: Span = (None, None) if day is None else span_of(_date(day), hours, calendar)
    if files:
        return tape_of_files(
            files, symbol, zone=zone, tick_size=tick_size, sampled=sampled, span=span
        )
    archive = Archive(realm.archive)
    if day is None:
        last = calendar.session_of(last_trade_ns(archive, symbol), "all")
        if last is not None:
            span = span_of(last.date, hours, calendar)
    return tape_of_archive(archive, symbol, tick_size=tick_size, span=span, sampled=sampled)


def span_of(day: date, hours: Hours, calendar: Calendar) -> tuple[int, int]:
    """Return the beginning and the end of a trading date, nanoseconds UTC.

    Raises:
        InputError: If the market does not trade on that date or has no such hours.
    """
    from infrastructure.errors import InputError

    if not calendar.is_session(day):
        raise InputError(
            f"{day} is not a session of {calendar.name}",
            next_step=f"The session before it is {calendar.previous_session(day).date}.",
        )
    spans = calendar.session(day).spans("rth" if hours is Hours.RTH else "all")
    if not spans:
        raise InputError(f"{calendar.name} has no {hours.value} hours on {day}")
    return spans[0][0], spans[-1][1]


def _realm(context: typer.Context, files: list[Path] | None) -> Realm:
    from system.algo_trader.cli.store import stored_realm
    from system.algo_trader.realm import Realm

    if not files:
        return stored_realm(context)
    # A file's data is real unless --sim says otherwise: it is no simulator's.
    invocation = current(context)
    home = invocation.settings().home
    return Realm.sim(home) if invocation.sim else Realm.live(home)


def _date(text: str) -> date:
    from datetime import date

    from infrastructure.errors import UsageError

    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"--date {text!r} is no date", next_step="Write it as 2024-03-05."
        ) from None


def _interval(text: str) -> int:
    from infrastructure.errors import UsageError
    from system.algo_trader.market.timeframe import Timeframe

    known = [each for each in Timeframe if each.is_intraday]
    length = Timeframe(text).duration_ns if text in known else None
    if length is None:
        raise UsageError(
            f"--timeframe {text!r} is no stretch of a tape",
            next_step=f"Use one of {', '.join(known)}.",
        )
    return length


def _check_out(path: Path | None) -> None:
    from infrastructure.errors import UsageError

    if path is not None and path.suffix not in (".csv", ".parquet"):
        raise UsageError(
            f"--out {path.name!r} is neither CSV nor Parquet", next_step="Name it .csv or .parquet."
        )


def _write(report: TapeReport, path: Path) -> None:
    from infrastructure.errors import InputError

    try:
        if path.suffix == ".csv":
            from pyarrow import csv

            csv.write_csv(report.by_trade(), path)
        else:
            import pyarrow.parquet as pq

            pq.write_table(report.by_trade(), path)
    except OSError as error:
        raise InputError(f"cannot write {str(path)!r}: {error.strerror or error}") from error


def _store(
    context: typer.Context,
    realm: Realm,
    report: TapeReport,
    interval_ns: int,
    timeframe: str,
    calendar: Calendar,
) -> int:
    from system.algo_trader.clients.influxdb_client import AlgoTraderInfluxDBClient
    from system.algo_trader.jobs.tape_rows import tape_rows
    from system.algo_trader.jobs.tape_source import session_numbers
    from system.algo_trader.services import Services
    from system.algo_trader.storage.set_up import set_up_tables
    from system.algo_trader.storage.tables import TAPE_METRICS

    rows = tape_rows(
        report.tape,
        interval_ns,
        symbol=report.data.symbol,
        timeframe=timeframe,
        source=report.data.source,
        is_synthetic=report.data.is_synthetic or realm.is_simulated,
        sessions=session_numbers(report.tape.trades.time_ns, calendar),
    )
    with Services(current(context).settings(), realm) as services:
        url, token = services.influxdb_url(), services.influxdb_token()
        set_up_tables(url, realm.database, token)
        with AlgoTraderInfluxDBClient(url, realm, token) as client:
            return client.write_columns(TAPE_METRICS, rows).rows


def show(document: dict[str, Any]) -> None:
    """Print a report for people."""
    from system.algo_trader import terminal

    out = terminal.console()
    marks = [word for word, said in (("SAMPLED: some trades are missing", document["sampled"]),
                                     ("SYNTHETIC", document["is_synthetic"])) if said]  # fmt: skip
    out.print(
        f"{document['symbol']} ({document['source']})  {document['first']} to {document['last']}"
        + "".join(f"  {mark}" for mark in marks),
        markup=False,
    )
    where, profile, bands = document["at_quote"], document["profile"], document["bands"]
    agreement = document["agreement"]
    shares = "– (" + str(where["reason"]) + ")"
    if where["reason"] is None:
        shares = f"bid {_share(where['bid'])}   between {_share(where['mid'])}   " + (
            f"ask {_share(where['ask'])}   without a quote {_share(where['unquoted'])}"
        )
    lines = {
        "trades": f"{document['trades']:,}   volume {document['volume']:,.0f}   "
        f"quotes {document['quotes']:,}",
        "sides": f"{document['terms']['rule']}: bought {document['bought']:,.0f}   "
        f"sold {document['sold']:,.0f}   unknown {document['unknown']:,.0f}   "
        f"(rests on {document['basis']})",
        "delta": f"{document['delta']:+,.0f}   highest {document['delta_high']:+,.0f}   "
        f"lowest {document['delta_low']:+,.0f}",
        "at quote": shares,
        "vwap": _price(document["vwap"])
        + (
            f"   last session {_price(bands['vwap'])}, bands {_price(bands['lower'])} to "
            f"{_price(bands['upper'])}"
        ),
        "profile": f"– ({profile['reason']})"
        if profile["reason"]
        else f"busiest {_price(profile['point_of_control'])}   value area "
        f"{_price(profile['value_low'])} to {_price(profile['value_high'])}",
        "blocks": f"{document['blocks']:,}   {_share(document['block_share'])} of the volume",
        "sweeps": f"{len(document['sweeps']):,}   {_share(document['sweep_share'])} of the volume",
    }
    if agreement is not None:
        lines["own flag"] = (
            f"the source's own flag agrees for {agreement['right']:,} of {agreement['judged']:,} "
            f"trades ({_share(agreement['share'])})"
        )
    if "stored" in document:
        lines["stored"] = f"tape_metrics {document['stored']:,}"
    out.print(terminal.pairs(lines), markup=False)
    rows = sorted(
        zip(profile["price"], profile["volume"], profile["delta"], strict=True),
        key=lambda row: -row[1],
    )[:PRICES_SHOWN]
    cells = [
        (_price(price), f"{size:,.0f}", f"{delta:+,.0f}")
        for price, size, delta in sorted(rows, reverse=True)
    ]
    out.print(terminal.table("Busiest prices", ["price", "volume", "delta"], cells, numeric="rrr"))


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _price(value: float | None) -> str:
    return "–" if value is None else f"{value:,.4f}".rstrip("0").rstrip(".")
