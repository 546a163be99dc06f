"""`watchlist add|remove|list`: the symbols of the main job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from system.algo_trader.cli.invocation import Invocation, current

if TYPE_CHECKING:
    from collections.abc import Sequence

app = typer.Typer(help="The symbols of the main job.", no_args_is_help=True)

JSON = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
NAME = Annotated[str | None, typer.Option("--name", help="Of another list than the main job's.")]
SYMBOLS = Annotated[list[str], typer.Argument(help="One or more symbols.")]


@app.command("list")
def list_(context: typer.Context, name: NAME = None, as_json: JSON = False) -> None:
    """Print a watchlist; the names of the others come with the main job's."""
    invocation = current(context)
    with invocation.runtime() as runtime:
        _show(invocation, runtime.redis.watchlist(name), as_json)
        others = runtime.redis.watchlists() if name is None else ()
    if others and not (as_json or invocation.as_json):
        from system.algo_trader import terminal

        terminal.console(stderr=True).print(f"other lists: {', '.join(others)}")


@app.command()
def add(context: typer.Context, symbols: SYMBOLS, name: NAME = None, as_json: JSON = False) -> None:
    """Add symbols; each must be well formed."""
    invocation = current(context)
    wanted = [_as_listed(symbol) for symbol in symbols]
    with invocation.runtime() as runtime:
        runtime.redis.watchlist_add(wanted, name)
        _show(invocation, runtime.redis.watchlist(name), as_json)


@app.command()
def remove(
    context: typer.Context, symbols: SYMBOLS, name: NAME = None, as_json: JSON = False
) -> None:
    """Remove symbols; one that is not there is an error."""
    from infrastructure.errors import UnknownSymbol

    invocation = current(context)
    wanted = [_as_listed(symbol) for symbol in symbols]
    with invocation.runtime() as runtime:
        listed = runtime.redis.watchlist(name)
        missing = [symbol for symbol in wanted if symbol not in listed]
        if missing:
            raise UnknownSymbol(
                f"{', '.join(missing)} is not on the watchlist",
                next_step=f"It holds {', '.join(listed) or 'nothing'}.",
            )
        runtime.redis.watchlist_remove(wanted, name)
        _show(invocation, runtime.redis.watchlist(name), as_json)


def _as_listed(symbol: str) -> str:
    """Return a symbol as the list holds it: BRK/B for brk.b."""
    from infrastructure.exchange.symbology import parse_symbol

    return parse_symbol(symbol.upper()).to_schwab()


def _show(invocation: Invocation, symbols: Sequence[str], as_json: bool) -> None:
    from system.algo_trader import terminal

    if as_json or invocation.as_json:
        terminal.print_json({"symbols": list(symbols)})
    else:
        terminal.console().print("\n".join(symbols) or "the watchlist is empty")
