"""`quote`, `chain`, `accounts`, `positions`: what the market and the accounts look like now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from system.algo_trader.cli.invocation import current

if TYPE_CHECKING:
    from system.algo_trader.runtime import Runtime

JSON = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def show_rows(
    context: typer.Context,
    as_json: bool,
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    source: str,
    numeric: str = "",
) -> None:
    """Print rows as a table for people, or as a list of JSON objects; both say their source."""
    from system.algo_trader import terminal

    if as_json or current(context).as_json:
        made = [{**dict(zip(columns, row, strict=True)), "source": source} for row in rows]
        terminal.print_json(made)
        return
    terminal.print_table(terminal.table(f"{title} ({source})", columns, rows, numeric=numeric))


def source_of(runtime: Runtime) -> str:
    """Return where a run's answers come from, for titles: Schwab, or the replay's date."""
    if not runtime.realm.is_simulated:
        return "Schwab"
    from infrastructure.clock import rfc3339

    return f"simulator, replay of {rfc3339(runtime.market_now_ns())[:10]}"


def quote(
    context: typer.Context,
    symbols: Annotated[list[str], typer.Argument(help="Symbols of any class.")],
    as_json: JSON = False,
) -> None:
    """Show the quotes of symbols."""
    from infrastructure.clock import rfc3339

    with current(context).runtime() as runtime:
        found = runtime.handler.client().quotes(symbols)
        when = rfc3339(runtime.market_now_ns())
        source = source_of(runtime)
    rows: list[tuple[Any, ...]] = []
    for symbol in found:
        block = found[symbol].quote
        named = ("last_price", "bid_price", "ask_price", "net_change", "total_volume")
        rows.append((symbol, *(getattr(block, name, None) for name in named)))
    rows += [(symbol, *[None] * 5) for symbol in found.invalid_symbols]
    columns = ("symbol", "last", "bid", "ask", "change", "volume")
    show_rows(context, as_json, f"Quotes at {when}", columns, rows, source=source, numeric="lrrrrr")


def chain(
    context: typer.Context,
    symbol: Annotated[str, typer.Argument(help="The underlying.")],
    strikes: Annotated[int, typer.Option(min=1, help="Strikes around the money.")] = 10,
    as_json: JSON = False,
) -> None:
    """Show the option chain of an underlying."""
    with current(context).runtime() as runtime:
        found = runtime.handler.client().option_chain(symbol, strike_count=strikes)
        source = source_of(runtime)
    columns = ("symbol", "strike", "bid", "ask", "iv %", "delta", "open interest")
    rows = [
        (c.symbol, c.strike_price, c.bid, c.ask, c.volatility, c.delta, c.open_interest)
        for c in (*found.calls, *found.puts)
    ]
    title = f"{found.symbol} options, underlying {found.underlying_price}"
    show_rows(context, as_json, title, columns, rows, source=source, numeric="lrrrrrr")


def accounts(context: typer.Context, as_json: JSON = False) -> None:
    """Show the accounts and their balances; of a number the last three digits."""
    from infrastructure.schwab.accounts import masked

    with current(context).runtime() as runtime:
        found = runtime.handler.client().accounts()
        source = source_of(runtime)
    rows = []
    for account in found:
        held = account.current_balances
        named = ("liquidation_value", "cash_balance", "buying_power")
        amounts = [getattr(held, name, None) for name in named]
        rows.append((masked(account.account_number), account.type, *map(_text, amounts)))
    columns = ("account", "type", "value", "cash", "buying power")
    show_rows(context, as_json, "Accounts", columns, rows, source=source, numeric="llrrr")


def positions(context: typer.Context, as_json: JSON = False) -> None:
    """Show what the accounts hold."""
    from infrastructure.schwab.accounts import masked

    with current(context).runtime() as runtime:
        found = runtime.handler.client().accounts(positions=True)
        source = source_of(runtime)
    rows = [
        (
            masked(account.account_number),
            held.instrument.symbol,
            _text((held.long_quantity or 0) - (held.short_quantity or 0)),
            _text(held.average_price),
            _text(held.market_value),
        )
        for account in found
        for held in account.positions
    ]
    columns = ("account", "symbol", "quantity", "average price", "market value")
    show_rows(context, as_json, "Positions", columns, rows, source=source, numeric="llrrr")


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
