"""`orders list|preview|place|cancel|cancel-all`: at the real Schwab they are off until armed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from system.algo_trader.cli.invocation import current
from system.algo_trader.cli.portfolio import JSON, show_rows, source_of

if TYPE_CHECKING:
    from infrastructure.schwab.orders.order import Order
    from system.algo_trader.runtime import Runtime

app = typer.Typer(help="List, preview, place and cancel orders.", no_args_is_help=True)

ACCOUNT = Annotated[
    str | None, typer.Option("--account", help="Its number, or the last three digits.")
]
ARM = Annotated[
    bool,
    typer.Option("--arm-live", help="Allow orders at the real Schwab, within trading.* settings."),
]
INSTRUCTION = Annotated[str, typer.Argument(help="BUY, SELL, BUY_TO_OPEN, ...")]
QUANTITY = Annotated[int, typer.Argument(min=1, help="Shares or contracts.")]
SYMBOL = Annotated[str, typer.Argument(help="A stock, or an option in 21 characters.")]
LIMIT = Annotated[str | None, typer.Option("--limit", help="The limit price, as 10.05.")]
STOP = Annotated[str | None, typer.Option("--stop", help="The stop price.")]


@app.command("list")
def list_orders(context: typer.Context, account: ACCOUNT = None, as_json: JSON = False) -> None:
    """List the orders of the last 60 days."""
    from infrastructure.schwab.order_data import flattened

    with current(context).runtime() as runtime:
        client = runtime.handler.client()
        named = None if account is None else client.account_hash(account)
        found = client.orders(named)
        source = source_of(runtime)
    rows = [
        (
            order.order_id,
            order.status,
            order.order_type,
            ", ".join(f"{leg.instruction} {leg.instrument.symbol}" for leg in legs),
            None if order.quantity is None else str(order.quantity),
            None if order.price is None else str(order.price),
            order.entered_time,
        )
        for order in flattened(found)
        for legs in (order.order_leg_collection,)
    ]
    columns = ("order", "status", "type", "legs", "quantity", "price", "entered")
    show_rows(context, as_json, "Orders", columns, rows, source=source, numeric="rlllrrl")


@app.command()
def preview(
    context: typer.Context,
    instruction: INSTRUCTION,
    quantity: QUANTITY,
    symbol: SYMBOL,
    limit: LIMIT = None,
    stop: STOP = None,
    account: ACCOUNT = None,
    as_json: JSON = False,
) -> None:
    """Ask Schwab what it would do with an order; nothing is placed."""
    order = _order(instruction, quantity, symbol, limit, stop)
    with current(context).runtime() as runtime:
        client = runtime.handler.client()
        found = client.preview_order(client.account_hash(account), order)
        source = source_of(runtime)
    result = found.order_validation_result
    kinds = ("rejects", "reviews", "alerts", "warns", "accepts")
    rows = [
        (kind, entry.activity_message or entry.message)
        for kind in kinds
        for entry in getattr(result, kind, ())
    ]
    balance = (found.order_strategy or {}).get("orderBalance") or {}
    rows += [(_words(name), str(value)) for name, value in balance.items() if value is not None]
    show_rows(context, as_json, "Preview", ("kind", "message"), rows, source=source)


@app.command()
def place(
    context: typer.Context,
    instruction: INSTRUCTION,
    quantity: QUANTITY,
    symbol: SYMBOL,
    limit: LIMIT = None,
    stop: STOP = None,
    account: ACCOUNT = None,
    arm_live: ARM = False,
    as_json: JSON = False,
) -> None:
    """Place an order: in the simulator, or with --arm-live at the real Schwab."""
    order = _order(instruction, quantity, symbol, limit, stop)
    with current(context).runtime() as runtime:
        client = runtime.handler.client()
        order_id = client.place_order(client.account_hash(account), order)
        source = _passing(source_of(runtime), runtime)
    show_rows(context, as_json, "Placed", ("order",), [(order_id,)], source=source)


@app.command()
def cancel(
    context: typer.Context,
    order_id: Annotated[int, typer.Argument(min=1, help="As `orders list` shows it.")],
    account: ACCOUNT = None,
    arm_live: ARM = False,
    as_json: JSON = False,
) -> None:
    """Cancel one order; at the real Schwab with --arm-live."""
    with current(context).runtime() as runtime:
        client = runtime.handler.client()
        client.cancel_order(client.account_hash(account), order_id)
        source = source_of(runtime)
    show_rows(context, as_json, "Cancelled", ("order",), [(order_id,)], source=source)


@app.command("cancel-all")
def cancel_all(context: typer.Context, account: ACCOUNT = None, as_json: JSON = False) -> None:
    """Cancel every open order, of one account or of all; this always works."""
    rows: list[tuple[object, ...]] = []
    with current(context).runtime() as runtime:
        client = runtime.handler.client()
        named = (
            [entry.hash_value for entry in client.account_numbers()]
            if account is None
            else [client.account_hash(account)]
        )
        for account_hash in named:
            done = client.cancel_all_orders(account_hash)
            rows += [(order_id, "cancelled", None) for order_id in done.cancelled]
            rows += [(order_id, "not cancelled", why) for order_id, why in done.failed]
        source = source_of(runtime)
    columns = ("order", "result", "reason")
    show_rows(context, as_json, "Cancelled", columns, rows, source=source)
    if any(row[1] != "cancelled" for row in rows):
        raise typer.Exit(3)


def _words(name: str) -> str:
    """Return a wire name in words: `orderValue` as `order value`."""
    return re.sub(r"(?=[A-Z])", " ", name).lower()


def _passing(source: str, runtime: Runtime) -> str:
    """Add that the accounts of a simulated run end with it."""
    return f"{source}; it forgets the order now" if runtime.realm.is_simulated else source


def _order(
    instruction: str, quantity: int, symbol: str, limit: str | None, stop: str | None
) -> Order:
    from infrastructure.exchange.symbology import AssetClass, parse_symbol
    from infrastructure.schwab.orders.checks import check_order
    from infrastructure.schwab.orders.order import Order
    from infrastructure.schwab.orders.words import OrderType

    kinds = {
        (False, False): OrderType.MARKET,
        (True, False): OrderType.LIMIT,
        (False, True): OrderType.STOP,
        (True, True): OrderType.STOP_LIMIT,
    }
    order = Order().with_session("NORMAL").with_duration("DAY")
    order = order.with_type(kinds[limit is not None, stop is not None])
    order = order if limit is None else order.with_price(limit)
    order = order if stop is None else order.with_stop(stop)
    option = parse_symbol(symbol).asset_class is AssetClass.OPTION
    add = order.add_option if option else order.add_equity
    made = add(instruction, symbol, quantity)
    check_order(made)
    return made
