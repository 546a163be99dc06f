"""`levels SYMBOL`: pivots of the session before and the VWAP of a day, from stored bars."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from system.algo_trader.cli.invocation import current

if TYPE_CHECKING:
    from datetime import date

    from rich.table import Table

    from infrastructure.exchange.calendars import Calendar
    from system.algo_trader.levels.document import LevelsDocument
    from system.algo_trader.levels.request import LevelSession, LevelsRequest
    from system.algo_trader.runtime import Runtime
    from system.algo_trader.storage.archive import Archive

NO_VWAP = 4
"""Exit code when there are pivots but no VWAP: that of missing data."""


class Format(StrEnum):
    """Name a form of the output."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    AI_BLOCK = "ai-block"


class SessionName(StrEnum):
    """Name the hours that count."""

    RTH = "rth"
    ETH = "eth"


class PivotName(StrEnum):
    """Name a formula."""

    CLASSIC = "classic"
    FIB = "fib"
    CAMARILLA = "camarilla"


def levels(
    context: typer.Context,
    symbol: Annotated[str, typer.Argument(help="A symbol, such as AAPL.")],
    day: Annotated[
        str | None, typer.Option("--date", help="Trading date, by default the last one stored.")
    ] = None,
    to: Annotated[
        str | None, typer.Option(help="Last date of a range of sessions from --date on.")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="Form of the output.")] = Format.TABLE,
    session: Annotated[
        SessionName, typer.Option(help="Regular hours, or all hours of trading.")
    ] = SessionName.RTH,
    pivot: Annotated[PivotName, typer.Option(help="Formula of the pivots.")] = PivotName.CLASSIC,
    anchor: Annotated[
        str | None,
        typer.Option(help="Where the VWAP begins: a date or 2013-02-25T14:30:00Z."),
    ] = None,
    interval: Annotated[str, typer.Option(help="Of the intraday bars.")] = "1m",
    precision: Annotated[
        int | None, typer.Option(min=0, max=10, help="Decimals of the levels.")
    ] = None,
    allow_null_vwap: Annotated[
        bool, typer.Option("--allow-null-vwap", help="Exit with 0 when only the VWAP is missing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Show pivots of the session before and the day's VWAP (document levels.v1)."""
    from system.algo_trader.jobs.stored_levels import calendar_for

    invocation = current(context)
    chosen = Format.JSON if as_json or invocation.as_json else form
    calendar = calendar_for(symbol)
    with invocation.runtime() as runtime:
        request = _request(
            symbol, day, session, pivot, anchor, interval, precision, calendar, runtime.archive
        )
        last = None if to is None else _date(to, "--to")
        documents = _documents(request, last, calendar, runtime)
        simulated = runtime.realm.is_simulated
    for document in documents:
        _tell_origin(document, simulated=simulated)
    _show(documents, chosen, simulated=simulated)
    whole = all(document.vwap is not None for document in documents)
    # Over a range a day without minutes is usual; asked for alone, it is what was not found.
    raise typer.Exit(0 if whole or allow_null_vwap or to is not None else NO_VWAP)


def _documents(
    request: LevelsRequest, last: date | None, calendar: Calendar, runtime: Runtime
) -> list[LevelsDocument]:
    """Return one document, or those of every session up to a date that can be made.

    Raises:
        NoDataError: If none can be made.
        UsageError: If the range ends before it begins.
    """
    from dataclasses import replace

    from infrastructure.errors import NoDataError, UsageError
    from system.algo_trader.jobs.stored_levels import stored_levels

    archive, now_ns = runtime.archive, runtime.clock.now_ns()
    if last is None:
        return [stored_levels(archive, request, calendar, now_ns)]
    if last < request.date:
        raise UsageError(f"the range ends on {last}, before it begins on {request.date}")
    documents = []
    for each in calendar.sessions(request.date, last):
        try:
            dated = replace(request, date=each.date)
            documents.append(stored_levels(archive, dated, calendar, now_ns))
        except NoDataError as missing:
            sys.stderr.write(f"{each.date} is left out: {missing}\n")
    if not documents:
        raise NoDataError(
            f"no levels of {request.symbol} can be made from {request.date} to {last}",
            next_step=f"Run `algo-trader candles fetch {request.symbol}`.",
        )
    return documents


def _request(
    typed: str,
    day: str | None,
    session: SessionName,
    pivot: PivotName,
    anchor: str | None,
    interval: str,
    precision: int | None,
    calendar: Calendar,
    archive: Archive,
) -> LevelsRequest:
    from infrastructure.errors import UsageError
    from system.algo_trader.jobs.stored_levels import last_stored_date, price_decimals
    from system.algo_trader.levels.pivots import PivotKind
    from system.algo_trader.levels.request import INTERVALS, LevelSession, LevelsRequest
    from system.algo_trader.market.timeframe import Timeframe

    if interval not in INTERVALS:
        raise UsageError(
            f"{interval!r} is no interval of levels",
            next_step=f"Use one of {', '.join(INTERVALS)}.",
        )
    hours, wanted = LevelSession(session.value), typed.strip().upper()
    return LevelsRequest(
        symbol=wanted,
        symbol_raw=typed,
        date=last_stored_date(wanted, archive, hours) if day is None else _date(day, "--date"),
        session=hours,
        pivot_kind=PivotKind(pivot.value),
        anchor_ns=None if anchor is None else _anchor(anchor, calendar, hours),
        interval=Timeframe(interval),
        precision=price_decimals(wanted) if precision is None else precision,
    )


def _date(text: str, option: str) -> date:
    from datetime import date

    from infrastructure.errors import UsageError

    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{option} {text!r} is no date", next_step="Write it as 2013-03-01."
        ) from None


def _anchor(text: str, calendar: Calendar, hours: LevelSession) -> int:
    from infrastructure.clock import parse_rfc3339
    from infrastructure.errors import InputError, UsageError

    if len(text) == len("2013-03-01"):
        spans = calendar.session(_date(text, "--anchor")).spans(hours.kind)
        if not spans:
            raise InputError(f"{calendar.name} has no {hours} hours on {text}")
        return spans[0][0]
    try:
        return parse_rfc3339(text)
    except ValueError:
        raise UsageError(
            f"--anchor {text!r} is no moment",
            next_step="Write a date, or a moment as 2013-02-25T14:30:00Z.",
        ) from None


def _tell_origin(document: LevelsDocument, *, simulated: bool) -> None:
    from system.algo_trader.levels.document import provenance_line

    sys.stderr.write(f"{provenance_line(document)} realm={'sim' if simulated else 'live'}\n")
    if document.no_vwap_because is not None:
        sys.stderr.write(f"no VWAP: {document.no_vwap_because}\n")


def _show(documents: list[LevelsDocument], form: Format, *, simulated: bool) -> None:
    from system.algo_trader import terminal
    from system.algo_trader.levels.document import ai_block, csv_text

    if form is Format.CSV:
        sys.stdout.write(csv_text(documents))
        return
    for document in documents:
        if form is Format.JSON:
            terminal.print_json(document.as_dict())
        elif form is Format.AI_BLOCK:
            sys.stdout.write(ai_block(document))
        else:
            terminal.print_table(_table(document, simulated=simulated))


def _table(document: LevelsDocument, *, simulated: bool) -> Table:
    from system.algo_trader import terminal

    realm = "simulator, replay of the past" if simulated else "Schwab"
    title = (
        f"{document.symbol} {document.date} {document.session} ({realm}; "
        f"{document.pivot_kind} pivots of {document.prior_date})"
    )
    return terminal.table(title, ("level", "price"), _rows(document), numeric="lr")


def _rows(document: LevelsDocument) -> list[tuple[Any, ...]]:
    places, found, quality = document.input.precision, document.pivots, document.quality
    above = [(f"R{i}", price) for i, price in enumerate(found.resistances, 1)][::-1]
    below = [(f"S{i}", price) for i, price in enumerate(found.supports, 1)]
    rows: list[tuple[Any, ...]] = [
        (name, f"{price:,.{places}f}") for name, price in [*above, ("pivot", found.pivot), *below]
    ]
    vwap = None if document.vwap is None else f"{document.vwap:,.{places}f}"
    rows.append((f"VWAP ({quality.intraday_bar_count} of {quality.bars_expected} bars)", vwap))
    return rows
