"""`store ...`: what is stored, brought in, copied, kept and projected."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from system.algo_trader.cli.invocation import current

if TYPE_CHECKING:
    from system.algo_trader.realm import Realm

app = typer.Typer(help="Look after what is stored.", no_args_is_help=True)

JSON = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def stored_realm(context: typer.Context) -> Realm:
    """Return the realm that is asked for; else the live one if it has an archive, else the sim."""
    from system.algo_trader.realm import Realm

    invocation = current(context)
    settings = invocation.settings()
    live, sim = Realm.live(settings.home), Realm.sim(settings.home)
    if invocation.sim:
        return sim
    if invocation.live or settings.has_credentials or (live.archive / "manifest.log").exists():
        return live
    return sim


@app.command("import")
def import_(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="CSV, Parquet or Arrow: bars, trades, quotes.")],
    tz: Annotated[str | None, typer.Option(help="Zone of times without an offset.")] = None,
    label: Annotated[str | None, typer.Option(help="Whether a bar's time is start or end.")] = None,
    symbol: Annotated[str | None, typer.Option(help="Where no column names it.")] = None,
    timeframe: Annotated[str | None, typer.Option("--timeframe", "-t", help="1m, 1d...")] = None,
    session: Annotated[str, typer.Option(help="Hours that bars count: rth, ext, all.")] = "rth",
    adjustment: Annotated[str, typer.Option(help="Prices are raw, or split-adjusted.")] = "raw",
    calendar: Annotated[str, typer.Option(help="The exchange's calendar.")] = "XNYS",
    synthetic: Annotated[bool, typer.Option(help="The rows were made up.")] = False,
    as_json: JSON = False,
) -> None:
    """Check a file's rows and store them; say what is missing. Nothing is guessed."""
    from infrastructure.clock import SystemClock
    from infrastructure.errors import UsageError
    from infrastructure.exchange.calendars import calendar as calendar_named
    from system.algo_trader import terminal
    from system.algo_trader.jobs.import_job import ImportRequest, import_file
    from system.algo_trader.market.timeframe import Adjustment, Session, Timeframe
    from system.algo_trader.realm import Realm
    from system.algo_trader.storage.archive import Archive

    invocation = current(context)
    home = invocation.settings().home
    # A file's data is real unless --sim says otherwise: it is no simulator's.
    realm = Realm.sim(home) if invocation.sim else Realm.live(home)
    if label not in (None, "start", "end"):
        raise UsageError(f"--label is {label!r}, expected start or end")
    try:
        request = ImportRequest(
            path,
            tz,
            "start" if label == "start" else "end" if label == "end" else None,
            symbol,
            None if timeframe is None else Timeframe(timeframe),
            Session(session),
            Adjustment(adjustment),
            synthetic,
            invocation.sim,
        )
    except ValueError as error:
        raise UsageError(str(error)) from error
    clock = SystemClock()
    report = import_file(
        Archive(realm.archive, clock=clock), request, calendar=calendar_named(calendar), clock=clock
    ).as_dict()
    if as_json or invocation.as_json:
        terminal.print_json({**report, "realm": realm.name})
        return
    out = terminal.console()
    out.print(
        f"{path.name}: {report['rows']:,} {report['kind']} of {', '.join(report['symbols'])}; "
        f"{report['new']:,} new, {report['unchanged']:,} unchanged, {report['revised']:,} revised"
    )
    out.print(f"{report['first']} to {report['last']}; {report['reordered']:,} out of order")
    for rule, count in report["rejected"].items():
        out.print(f"refused: {count:,} by {rule}")
    for gap in report["missing"]:
        out.print(f"missing: {gap['symbol']} {gap['first']} to {gap['last']} ({gap['count']})")


@app.command()
def export(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(help="bars, trades or quotes.")],
    to: Annotated[Path, typer.Option(help="A file, or a folder that exists.")],
    symbol: Annotated[list[str] | None, typer.Option(help="Again for more; else all.")] = None,
    timeframe: Annotated[str | None, typer.Option("--timeframe", "-t", help="Of bars.")] = None,
    start: Annotated[str | None, typer.Option(help="First day or RFC 3339 instant.")] = None,
    end: Annotated[str | None, typer.Option(help="Day or instant before which rows lie.")] = None,
    session: Annotated[str, typer.Option(help="Hours that bars count: rth, ext, all.")] = "rth",
    adjustment: Annotated[str, typer.Option(help="Prices are raw, or split-adjusted.")] = "raw",
    adjust: Annotated[
        str, typer.Option(help="Of a continuous future's rolls: none, difference, ratio.")
    ] = "none",
    form: Annotated[str | None, typer.Option("--format", help="csv, parquet or arrow.")] = None,
    as_json: JSON = False,
) -> None:
    """Write bars, trades or quotes to files that say where their rows came from."""
    from infrastructure.clock import SystemClock
    from system.algo_trader import terminal
    from system.algo_trader.cli.export import run

    done = [
        each.as_dict()
        for each in run(
            stored_realm(context).archive,
            dataset,
            to,
            symbols=symbol or [],
            timeframe=timeframe,
            start=start,
            end=end,
            session=session,
            adjustment=adjustment,
            rolls=adjust,
            form=form,
            clock=SystemClock(),
        )
    ]
    if as_json or current(context).as_json:
        terminal.print_json({"files": done})
        return
    out = terminal.console()
    for each in done:
        facts = each["provenance"]
        made_up = "simulated, " if facts["is_simulated"] or facts["is_synthetic"] else ""
        out.print(
            f"{each['path']}: {each['rows']:,} rows, {facts['first']} to {facts['last']}, "
            f"{made_up}from {', '.join(facts['sources'])}"
        )
        for line in facts["licence"]:
            out.print(f"  {line}")


@app.command()
def status(context: typer.Context, as_json: JSON = False) -> None:
    """Show datasets, spans, open gaps, sizes; send what waits for InfluxDB if it runs."""
    from system.algo_trader import terminal
    from system.algo_trader.jobs.spool_delivery import deliver
    from system.algo_trader.storage.archive import Archive
    from system.algo_trader.storage.inventory import inventory

    realm = stored_realm(context)
    spool = deliver(current(context).settings(), realm)
    facts = {"realm": realm.name, **inventory(Archive(realm.archive)), "spool": spool.as_dict()}
    if as_json or current(context).as_json:
        terminal.print_json(facts)
        return
    names = ("dataset", "symbol", "rows", "parts", "bytes", "first", "last", "missing")
    rows = [tuple(str(each[name]) for name in names) for each in facts["datasets"]]
    shown = terminal.table(
        f"{realm.name}: {realm.archive}",
        names if rows else ("nothing stored",),
        rows,
        numeric="llrrrllr" if rows else "l",
    )
    terminal.print_table(shown)
    out = terminal.console()
    quota = "no quota" if facts["quota_bytes"] is None else f"quota {facts['quota_bytes']:,} bytes"
    commit = "no commit yet"
    if facts["last_commit"] is not None:
        commit = (
            f"commit {facts['data_version']} at {facts['last_commit']} by {facts['last_request']}"
        )
    out.print(f"{facts['parts']:,} parts, {facts['bytes']:,} bytes, {quota}; {commit}")
    for each in facts["datasets"]:
        for gap in each["gaps"]:
            out.print(
                f"missing: {each['symbol']} {each['dataset']} {gap['session']} "
                f"{gap['first']} to {gap['last']} ({gap['missing']})"
            )
    out.print(f"spool: {spool.sentence}")


@app.command()
def quota(
    context: typer.Context,
    size: Annotated[str, typer.Argument(help="Such as 20GB, or none.")],
    as_json: JSON = False,
) -> None:
    """Bound the archive's size; a warning comes at nine tenths."""
    from system.algo_trader.storage.quota import parse_size, set_quota

    most = None if size == "none" else parse_size(size)
    set_quota(stored_realm(context).archive, most)
    _show(context, as_json, {"quota_bytes": most})


@app.command()
def retention(
    context: typer.Context,
    keep: Annotated[list[str] | None, typer.Option(help="As trades=90d, bars_1m=forever.")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Remove; else only say what.")] = False,
    as_json: JSON = False,
) -> None:
    """Say what is older than it has to be kept, and remove it with --apply."""
    from infrastructure.clock import SystemClock
    from system.algo_trader import terminal
    from system.algo_trader.storage.archive import Archive
    from system.algo_trader.storage.upkeep import retire

    lengths = dict(each.partition("=")[::2] for each in keep or [])
    archive = Archive(stored_realm(context).archive)
    gone = retire(archive, SystemClock().now_ns(), lengths, apply=apply)
    rows = [each.as_dict() for each in gone]
    if as_json or current(context).as_json:
        terminal.print_json({"applied": apply, "retired": rows})
        return
    out = terminal.console()
    out.print("removed:" if apply else "would be removed (add --apply):")
    for row in rows or [{"nothing": "old enough"}]:
        out.print("  " + terminal.pairs(row))


@app.command()
def backup(
    context: typer.Context,
    target: Annotated[str, typer.Argument(help="A folder, or a URL such as s3://bucket/path.")],
    as_json: JSON = False,
) -> None:
    """Copy what is new of the archive to a folder or object storage."""
    from system.algo_trader.storage.archive import Archive
    from system.algo_trader.storage.backup import backup as run

    _show(context, as_json, run(Archive(stored_realm(context).archive), target).as_dict())


@app.command()
def restore(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help="A folder or URL that `store backup` wrote to.")],
    as_json: JSON = False,
) -> None:
    """Bring a copied archive back, into an empty place."""
    from system.algo_trader.storage.backup import restore as run

    _show(context, as_json, run(source, stored_realm(context).archive).as_dict())


@app.command()
def rebuild(
    context: typer.Context,
    what: Annotated[str, typer.Argument(help="influx.")] = "influx",
    since: Annotated[
        str | None, typer.Option(help="Remove nothing; write what is of this UTC day or later.")
    ] = None,
    dataset: Annotated[
        list[str] | None,
        typer.Option(help="candles, trades, quotes, option_quotes; again for more; else all."),
    ] = None,
    as_json: JSON = False,
) -> None:
    """Project the archive into InfluxDB anew, and count there what arrived."""
    from infrastructure.errors import UsageError
    from system.algo_trader import terminal
    from system.algo_trader.cli.export import instant
    from system.algo_trader.cli.rebuild import checked_datasets, run
    from system.algo_trader.clients.influxdb_client import AlgoTraderInfluxDBClient
    from system.algo_trader.services import Services
    from system.algo_trader.storage.archive import Archive
    from system.algo_trader.storage.set_up import set_up_tables

    if what != "influx":
        raise UsageError(f"{what!r} cannot be rebuilt, expected influx")
    datasets, since_ns = checked_datasets(dataset or []), instant(since)
    realm = stored_realm(context)
    with Services(current(context).settings(), realm) as services:
        url, token = services.influxdb_url(), services.influxdb_token()
        set_up_tables(url, realm.database, token)
        with AlgoTraderInfluxDBClient(url, realm, token) as client:
            rows = run(Archive(realm.archive), client, datasets, since_ns)
    written = sum(row["written"] for row in rows)
    if as_json or current(context).as_json:
        terminal.print_json({"database": realm.database, "written": written, "series": rows})
        return
    terminal.print_table(
        terminal.table(
            f"{realm.database}: {written:,} rows written",
            tuple(rows[0]) if rows else ("nothing stored",),
            [tuple("" if cell is None else str(cell) for cell in row.values()) for row in rows],
            numeric="lllrrr" if rows else "l",
        )
    )


def _show(context: typer.Context, as_json: bool, facts: dict[str, Any]) -> None:
    """Print what a verb did: names and values for people, or JSON."""
    from system.algo_trader import terminal

    if as_json or current(context).as_json:
        terminal.print_json(facts)
        return
    shown = {name.replace("_", " "): value for name, value in facts.items()}
    terminal.console().print(terminal.pairs(shown))
