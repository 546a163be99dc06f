"""`candles fetch|show|sync`: the history of single symbols."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from system.algo_trader.cli.invocation import Invocation, current

if TYPE_CHECKING:
    from infrastructure.exchange.continuous import ContinuousFuture
    from system.algo_trader.market.bars import Bars
    from system.algo_trader.market.timeframe import Timeframe

app = typer.Typer(help="Fetch and show the history of single symbols.", no_args_is_help=True)

JSON = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
SYMBOL = Annotated[str, typer.Argument(help="A symbol, such as AAPL.")]
TIMEFRAME = Annotated[str, typer.Option("--timeframe", "-t", help="1m, 1d, 1w or 1mo.")]


@app.command()
def show(
    context: typer.Context,
    symbol: SYMBOL,
    timeframe: TIMEFRAME = "1d",
    last: Annotated[int, typer.Option(min=1, help="How many bars.")] = 20,
    adjust: Annotated[
        str, typer.Option(help="Of a continuous future's rolls: none, difference, ratio.")
    ] = "none",
    session: Annotated[str, typer.Option(help="Of a continuous future: rth, ext, all.")] = "rth",
    as_json: JSON = False,
) -> None:
    """Show the last stored bars of a symbol, or of a continuous future such as ES.c.0."""
    from infrastructure.errors import NoDataError
    from infrastructure.exchange.continuous import parse_continuous
    from system.algo_trader import terminal

    invocation = current(context)
    chosen, wanted = _timeframe(timeframe), symbol.upper()
    future = parse_continuous(symbol)
    if future is not None:
        _show_continuous(invocation, future, chosen, last, adjust, session, as_json)
        return
    with invocation.runtime() as runtime:
        bars = runtime.archive.winners(wanted, chosen).last(last)
        if len(bars) == 0:
            raise NoDataError(
                f"nothing is stored of {wanted} {chosen}",
                next_step=_way_to(wanted, chosen),
            )
        if as_json or invocation.as_json:
            terminal.print_json(_columns(bars))
            return
        realm = "simulator, replay of the past" if runtime.realm.is_simulated else "Schwab"
        rows = list(_rows(bars, intraday=chosen.is_intraday))
    shown = terminal.table(
        f"{wanted} {chosen} ({realm}, as of {rows[-1][0]})",
        ("start (New York)", "open", "high", "low", "close", "volume", "synthetic"),
        rows,
        numeric="lrrrrrl",
    )
    terminal.print_table(shown)


def _show_continuous(
    invocation: Invocation,
    future: ContinuousFuture,
    timeframe: Timeframe,
    last: int,
    adjust: str,
    session: str,
    as_json: bool,
) -> None:
    from infrastructure.errors import UsageError
    from system.algo_trader import terminal
    from system.algo_trader.cli.futures import chosen_session
    from system.algo_trader.storage.continuous_bars import ContinuousBars, RollAdjust

    if adjust not in set(RollAdjust):
        raise UsageError(
            f"{adjust!r} is no adjustment", next_step=f"Use one of {', '.join(RollAdjust)}."
        )
    with invocation.runtime() as runtime:
        reader = ContinuousBars(runtime.archive, chosen_session(session))
        found = reader.bars(future, timeframe, RollAdjust(adjust))
    bars, contracts = found.bars.last(last), found.contracts[-last:]
    if as_json or invocation.as_json:
        rolls = [roll.as_dict() for roll in found.rolls]
        terminal.print_json(
            {**_columns(bars), "contract": contracts, "adjusted": adjust, "rolls": rolls}
        )
        return
    rows = _rows(bars, intraday=timeframe.is_intraday)
    terminal.print_table(
        terminal.table(
            f"{future} {timeframe}, rolls adjusted by {adjust}",
            ("start (New York)", "open", "high", "low", "close", "volume", "synthetic", "contract"),
            [(*row, contract) for row, contract in zip(rows, contracts, strict=True)],
            numeric="lrrrrrll",
        )
    )


@app.command()
def fetch(
    context: typer.Context,
    symbol: SYMBOL,
    timeframe: TIMEFRAME = "1d",
    as_json: JSON = False,
) -> None:
    """Fetch one symbol's history of one timeframe, check it and store it."""
    from system.algo_trader.cli.main_job import run_fetch

    invocation = current(context)
    invocation.as_json = invocation.as_json or as_json
    raise typer.Exit(run_fetch(invocation, symbol.upper(), _timeframe(timeframe)))


@app.command()
def sync(
    context: typer.Context,
    universe: Annotated[
        Path | None, typer.Option(help="A file of symbols; the watchlist without one.")
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Run once and end, as for cron.")] = False,
    as_json: JSON = False,
) -> None:
    """Extend 1m, 5m and 1d bars now and after each close; warn before minutes are gone."""
    from system.algo_trader.cli.main_job import run_sync

    invocation = current(context)
    invocation.as_json = invocation.as_json or as_json
    raise typer.Exit(run_sync(invocation, universe, once=once))


def _timeframe(text: str) -> Timeframe:
    from infrastructure.errors import UsageError
    from system.algo_trader.market.timeframe import Timeframe

    try:
        return Timeframe(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is no timeframe", next_step=f"Use one of {', '.join(Timeframe)}."
        ) from None


def _way_to(symbol: str, timeframe: Timeframe) -> str:
    """Return the command that fetches bars, or what can be fetched instead."""
    from system.algo_trader.feeds.schwab_history import FREQUENCIES

    if timeframe in FREQUENCIES:
        return f"Run `algo-trader candles fetch {symbol} -t {timeframe}`."
    return f"Schwab has no such bars, only {', '.join(FREQUENCIES)}."


def _columns(bars: Bars) -> dict[str, Any]:
    from infrastructure.clock import rfc3339

    table = bars.table
    document: dict[str, Any] = {name: table.column(name).to_pylist() for name in table.column_names}
    for name in ("start", "fetched_at"):
        document[name] = [rfc3339(int(value)) for value in document[name]]
    return document


def _rows(bars: Bars, *, intraday: bool) -> list[tuple[object, ...]]:
    from zoneinfo import ZoneInfo

    from infrastructure.clock import utc_from_ns

    zone = ZoneInfo("America/New_York")
    form = "%Y-%m-%d %H:%M" if intraday else "%Y-%m-%d"
    table = bars.table
    prices = [table.column(name).to_pylist() for name in ("open", "high", "low", "close")]
    return [
        (
            utc_from_ns(int(start)).astimezone(zone).strftime(form),
            *(f"{column[index]:,.2f}" for column in prices),
            None if volume is None else f"{volume:,}",
            "yes" if synthetic else "no",
        )
        for index, (start, volume, synthetic) in enumerate(
            zip(
                table.column("start").to_pylist(),
                table.column("volume").to_pylist(),
                table.column("is_synthetic").to_pylist(),
                strict=True,
            )
        )
    ]
