"""`futures rolls`: which contract stands for a continuous future, and from when."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated

import typer

from system.algo_trader.cli.invocation import current

if TYPE_CHECKING:
    from infrastructure.exchange.continuous import ContinuousFuture
    from system.algo_trader.market.timeframe import Session

app = typer.Typer(help="Continuous futures and their rolls.", no_args_is_help=True)


@app.callback()
def _futures() -> None:
    """Continuous futures and their rolls."""


@app.command()
def rolls(
    context: typer.Context,
    symbol: Annotated[str, typer.Argument(help="ES.c.0 by calendar, ES.v.0 by volume.")],
    start: Annotated[str | None, typer.Option(help="First date; a year ago without one.")] = None,
    end: Annotated[str | None, typer.Option(help="Last date; today without one.")] = None,
    session: Annotated[str, typer.Option(help="The hours of the stored bars: rth, all.")] = "rth",
    store: Annotated[bool, typer.Option("--store", help="Keep the table in the archive.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Show the roll table: contract, dates, and the two contracts' closes before it."""
    from datetime import timedelta

    from infrastructure.clock import utc_from_ns
    from system.algo_trader import terminal
    from system.algo_trader.storage.continuous_bars import ContinuousBars

    future = named(symbol)
    invocation = current(context)
    with invocation.runtime() as runtime:
        today = utc_from_ns(runtime.clock.now_ns()).date()
        last = today if end is None else _day(end, "--end")
        first = last - timedelta(days=365) if start is None else _day(start, "--start")
        reader = ContinuousBars(runtime.archive, chosen_session(session))
        table = reader.rolls(future, first, last)
        kept = reader.record(future, table, runtime.clock.now_ns()) if store else None
    if as_json or invocation.as_json:
        terminal.print_json(
            {"symbol": str(future), "rolls": [roll.as_dict() for roll in table], "stored": kept}
        )
        return
    rows = [
        (
            roll.contract,
            roll.first,
            roll.until,
            roll.close_before,
            roll.close,
            None
            if roll.close is None or roll.close_before is None
            else round(roll.close - roll.close_before, 10),
        )
        for roll in table
    ]
    terminal.print_table(
        terminal.table(
            f"{future}: contracts and the gaps between them",
            ("contract", "from", "until", "close before", "its close", "gap"),
            rows,
            numeric="lllrrr",
        )
    )
    if kept is not None:
        terminal.console().print(f"{kept} rows are new in the archive")


def named(symbol: str) -> ContinuousFuture:
    """Return the continuous future that a person names.

    Raises:
        UsageError: If it is none.
        StackError: As `parse_continuous`.
    """
    from infrastructure.errors import UsageError
    from infrastructure.exchange.continuous import parse_continuous

    found = parse_continuous(symbol)
    if found is None:
        raise UsageError(
            f"{symbol!r} is no continuous future", next_step="Write ES.c.0, ES.v.0 or ES.n.0."
        )
    return found


def chosen_session(text: str) -> Session:
    """Return the hours that a word names.

    Raises:
        UsageError: If it names none.
    """
    from infrastructure.errors import UsageError
    from system.algo_trader.market.timeframe import Session

    try:
        return Session(text)
    except ValueError:
        raise UsageError(
            f"{text!r} names no hours", next_step=f"Use one of {', '.join(Session)}."
        ) from None


def _day(text: str, option: str) -> date:
    from infrastructure.errors import UsageError

    try:
        return date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} {text} is no date", next_step="Write 2026-09-18.") from None
