"""`auth login|status|logout`: the sign-in at Schwab."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from system.algo_trader.cli.invocation import current

if TYPE_CHECKING:
    from system.algo_trader.sign_in import SignInStatus

app = typer.Typer(help="Sign in at Schwab, out, and see how it stands.", no_args_is_help=True)

JSON = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
SIGN_IN_DUE = 2


@app.command()
def login(
    context: typer.Context,
    listen: Annotated[
        bool,
        typer.Option("--listen", help="Catch the redirect; the callback must name a port."),
    ] = False,
    as_json: JSON = False,
) -> None:
    """Sign in: open the printed URL, then paste the address that the browser ends at."""
    invocation = current(context)
    invocation.as_json = invocation.as_json or as_json
    with invocation.runtime() as runtime:
        _show(runtime.handler.sign_in(listen=listen), invocation.as_json)


@app.command()
def status(context: typer.Context, as_json: JSON = False) -> None:
    """Show the sign-in's age and deadlines; exit code 2 when signing in is due."""
    invocation = current(context)
    with invocation.runtime() as runtime:
        found = runtime.stored_sign_in()
        _show(found, as_json or invocation.as_json)
    if found.is_due:
        raise typer.Exit(SIGN_IN_DUE)


@app.command()
def logout(context: typer.Context, as_json: JSON = False) -> None:
    """Forget the sign-in on this machine and in Redis."""
    from system.algo_trader import terminal

    invocation = current(context)
    with invocation.runtime() as runtime:
        was_there = runtime.handler.sign_out()
    if as_json or invocation.as_json:
        terminal.print_json({"signed_out": was_there})
    else:
        terminal.console().print("signed out" if was_there else "nobody was signed in")


def _show(found: SignInStatus, as_json: bool) -> None:
    from system.algo_trader import terminal

    document = found.as_dict()
    if as_json:
        terminal.print_json(document)
        return
    from infrastructure.clock import utc_from_ns

    rows = {"realm": found.realm, "state": found.state}
    for label, instant in (
        ("signed in", found.signed_in_at_ns),
        ("access token until", found.access_expires_at_ns),
        ("sign-in ends", found.refresh_expires_at_ns),
    ):
        if instant is not None:
            rows[label] = f"{utc_from_ns(instant).astimezone():%Y-%m-%d %H:%M:%S %Z}"
    if found.refresh_age_s is not None:
        rows["age"] = f"{found.refresh_age_s / 86_400:.1f} of 7 days"
    if found.next_step:
        rows["next"] = found.next_step
    terminal.console().print(terminal.pairs(rows))
