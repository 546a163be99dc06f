"""`orders list|preview|place|replace|cancel|cancel-all`: at the real Schwab off until armed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from system.algo_trader.cli.invocation import current
from system.algo_trader.cli.portfolio import JSON, show_rows, source_of

if TYPE_CHECKING:
    from infrastructure.schwab.orders.ledger import OrderLedger
    from infrastructure.schwab.orders.order import Order
    from system.algo_trader.runtime import Runtime

app = typer.Typer(help="List, preview, place, replace and cancel orders.", no_args_is_help=True)

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
KEY = Annotated[str | None, typer.Option("--key", help="A name under which this places once.")]
STOP = Annotated[str | None, typer.Option("--stop", help="The stop price.")]
SESSION = Annotated[str, typer.Option("--session", help="NORMAL, AM, PM or SEAMLESS.")]


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
    session: SESSION = "NORMAL",
    account: ACCOUNT = None,
    as_json: JSON = False,
) -> None:
    """Ask Schwab what it would do with an order; nothing is placed."""
    order = _order(instruction, quantity, symbol, limit, stop, session)
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
    session: SESSION = "NORMAL",
    account: ACCOUNT = None,
    key: KEY = None,
    arm_live: ARM = False,
    as_json: JSON = False,
) -> None:
    """Place an order: in the simulator, or with --arm-live at the real Schwab.

    The simulator's accounts outlive the command; `sim reset` begins with new ones.
    With --key the same key places once: again, it only tells what became of the order.
    """
    order = _order(instruction, quantity, symbol, limit, stop, session)
    with current(context).runtime() as runtime:
        client = runtime.handler.client()
        whose = client.account_hash(account)
        if key is None:
            row: tuple[object, ...] = (client.place_order(whose, order), "placed", None)
        else:
            ledger = _ledger(runtime)
            outcome = client.place_once(whose, order, key=key, ledger=ledger)
            row = (outcome.order_id, outcome.state, outcome.reason)
        source = source_of(runtime)
    show_rows(context, as_json, "Placed", ("order", "state", "reason"), [row], source=source)
    if row[1] != "placed":
        raise typer.Exit(3)


@app.command("replace")
def replace_order(
    context: typer.Context,
    order_id: Annotated[int, typer.Argument(min=1, help="As `orders list` shows it.")],
    instruction: INSTRUCTION,
    quantity: QUANTITY,
    symbol: SYMBOL,
    limit: LIMIT = None,
    stop: STOP = None,
    session: SESSION = "NORMAL",
    account: ACCOUNT = None,
    arm_live: ARM = False,
    as_json: JSON = False,
) -> None:
    """Replace an order by another; at the real Schwab with --arm-live."""
    order = _order(instruction, quantity, symbol, limit, stop, session)
    with current(context).runtime() as runtime:
        client = runtime.handler.client()
        new_id = client.replace_order(client.account_hash(account), order_id, order)
        source = source_of(runtime)
    columns = ("order", "replaces")
    show_rows(context, as_json, "Replaced", columns, [(new_id, order_id)], source=source)


@app.command()
def code(
    context: typer.Context,
    order_id: Annotated[int, typer.Argument(min=1, help="As `orders list` shows it.")],
    account: ACCOUNT = None,
    as_json: JSON = False,
) -> None:
    """Print the Python code that builds an order again; nothing is sent."""
    from infrastructure.schwab.orders.from_history import IMPORTS, as_code, order_again
    from system.algo_trader import terminal

    with current(context).runtime() as runtime:
        client = runtime.handler.client()
        listed = client.order(client.account_hash(account), order_id, raw=True)
        order = order_again(listed)
    if as_json or current(context).as_json:
        terminal.print_json(order.to_wire())
    else:
        print(f"{IMPORTS}order = {as_code(order)}")


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


def _ledger(runtime: Runtime) -> OrderLedger:
    from system.algo_trader.storage.order_ledger import FileOrderLedger

    return FileOrderLedger(runtime.realm.root / "orders" / "keys.json", runtime.clock)


def _words(name: str) -> str:
    """Return a wire name in words: `orderValue` as `order value`."""
    return re.sub(r"(?=[A-Z])", " ", name).lower()


def _order(
    instruction: str,
    quantity: int,
    symbol: str,
    limit: str | None,
    stop: str | None,
    session: str,
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
    order = Order().with_session(session).with_duration("DAY")
    order = order.with_type(kinds[limit is not None, stop is not None])
    order = order if limit is None else order.with_price(limit)
    order = order if stop is None else order.with_stop(stop)
    option = parse_symbol(symbol).asset_class is AssetClass.OPTION
    add = order.add_option if option else order.add_equity
    made = add(instruction, symbol, quantity)
    check_order(made)
    return made
