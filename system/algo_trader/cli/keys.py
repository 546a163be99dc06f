"""`keys create|list|revoke`: who may ask the service."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from system.algo_trader.cli.invocation import current

if TYPE_CHECKING:
    from system.algo_trader.api.access.key_store import KeyStore

app = typer.Typer(help="Keys of those who may ask the service.", no_args_is_help=True)

JSON = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
LICENCE_NOTE = (
    "Data of Schwab and of the exchanges are for your own use: a key for somebody else would pass "
    "them on, which your agreements do not allow."
)


@app.command()
def create(
    context: typer.Context,
    name: Annotated[str, typer.Option("--name", help="What you call the key.")],
    scope: Annotated[
        list[str], typer.Option("--scope", help="read:ticks, read:options or admin; several.")
    ],
    expires: Annotated[
        str | None, typer.Option("--expires", help="How long it lives: 12h, 30d; for good without.")
    ] = None,
    rate: Annotated[
        int, typer.Option("--rate", min=1, max=1_000_000, help="Requests a minute.")
    ] = 600,
    as_json: JSON = False,
) -> None:
    """Make a key and print it; nobody can show it again."""
    from infrastructure.errors import UsageError
    from system.algo_trader import terminal
    from system.algo_trader.api.access.api_key import KeyScope
    from system.algo_trader.cli.durations import duration_ns

    try:
        scopes = frozenset(KeyScope(each) for each in scope)
    except ValueError:
        raise UsageError(
            f"{', '.join(scope)!r}: no such scope", next_step=f"There are {', '.join(KeyScope)}."
        ) from None
    lives_s = None if expires is None else duration_ns(expires, "--expires") / 1e9
    key, text = _store(context).create(name, scopes, expires_in_s=lives_s, rate_per_minute=rate)
    sys.stderr.write(f"{LICENCE_NOTE}\n")
    if as_json or current(context).as_json:
        terminal.print_json({**key.as_row(key.created_at_ns), "key": text})
        return
    sys.stderr.write("This is shown once:\n")
    sys.stdout.write(f"{text}\n")


@app.command("list")
def list_(context: typer.Context, as_json: JSON = False) -> None:
    """Show the keys, without their secrets."""
    from infrastructure.clock import SystemClock
    from system.algo_trader import terminal

    now_ns = SystemClock().now_ns()
    rows = [key.as_row(now_ns) for key in _store(context).list()]
    if as_json or current(context).as_json:
        terminal.print_json(rows)
        return
    names = ("key_id", "name", "scopes", "state", "rate_per_minute", "created_at", "expires_at")
    shown = [tuple(", ".join(row[n]) if n == "scopes" else row[n] for n in names) for row in rows]
    heads = ("key id", "name", "scopes", "state", "a minute", "created", "expires")
    terminal.print_table(terminal.table("Keys", heads, shown, numeric="llllrll"))


@app.command()
def revoke(
    context: typer.Context,
    key_id: Annotated[str, typer.Argument(help="As `keys list` shows it.")],
    as_json: JSON = False,
) -> None:
    """End a key; running services refuse it within a second."""
    from system.algo_trader import terminal

    key = _store(context).revoke(key_id)
    if as_json or current(context).as_json:
        terminal.print_json(key.as_row(key.created_at_ns))
    else:
        terminal.console().print(f"{key.key_id} ({key.name}) is revoked", markup=False)


def _store(context: typer.Context) -> KeyStore:
    from system.algo_trader.api.access.key_store import KeyStore
    from system.algo_trader.runtime import choose_realm

    invocation = current(context)
    realm = choose_realm(invocation.settings(), sim=invocation.sim, live=invocation.live)
    return KeyStore.of(realm)
