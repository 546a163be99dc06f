"""`auth login|status|logout|rotate-key|keep-fresh`: the sign-in at Schwab."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from infrastructure.errors import UsageError
from system.algo_trader.cli.invocation import current

if TYPE_CHECKING:
    from system.algo_trader.jobs.keep_fresh import Round
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
    headless: Annotated[
        bool,
        typer.Option("--headless", help="Paste the redirect, wherever the browser is (SSH)."),
    ] = False,
    as_json: JSON = False,
) -> None:
    """Sign in: open the printed URL, then paste the address that the browser ends at."""
    if listen and headless:
        raise UsageError("--listen and --headless exclude each other")
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


@app.command("rotate-key")
def rotate_key(context: typer.Context, as_json: JSON = False) -> None:
    """Encrypt the stored sign-in with a new key; processes that run pick it up."""
    from system.algo_trader import terminal

    invocation = current(context)
    with invocation.runtime() as runtime:
        identifier = runtime.handler.rotate_key()
    if as_json or invocation.as_json:
        terminal.print_json({"key_id": identifier})
    else:
        terminal.console().print(f"the sign-in is encrypted with the new key {identifier}")


@app.command("keep-fresh")
def keep_fresh(
    context: typer.Context,
    access_interval_minutes: Annotated[
        float, typer.Option(min=1, max=29, help="Refresh the access token so often.")
    ] = 25,
    refresh_interval_days: Annotated[
        float, typer.Option(min=0.1, max=7, help="Age at which signing in is due.")
    ] = 6,
    once: Annotated[bool, typer.Option("--once", help="Look once and end.")] = False,
    as_json: JSON = False,
) -> None:
    """Refresh ahead of expiry until Ctrl-C; warn at days 5, 6 and 6.5 of the seven.

    Warnings go to the log, to `pipeline_metrics`, and to ALGO_TRADER_NOTIFY_URL. Schwab's sign-in
    cannot be renewed without a person.
    """
    from infrastructure.notification.notifier import notifier_of
    from system.algo_trader.jobs.keep_fresh import KeepFresh

    invocation = current(context)
    invocation.as_json = invocation.as_json or as_json
    with invocation.runtime() as runtime:
        where = runtime.settings.notify_url
        notifiers = () if where is None else (notifier_of(where),)
        if runtime.realm.is_simulated:
            runtime.handler.client()

        def measure(row: dict[str, Any]) -> None:
            runtime.influxdb.ensure_tables()
            runtime.influxdb.write_pipeline_metrics([row])

        job = KeepFresh(
            runtime.handler,
            runtime.clock,
            notifiers,
            measure,
            access_interval_s=access_interval_minutes * 60,
            refresh_interval_s=refresh_interval_days * 86_400,
        )
        if not once:
            with invocation.pulse(runtime, "keep-fresh") as beat:

                def on_round(done: Round) -> None:
                    _show_round(done, invocation.as_json)
                    beat()

                job.run(on_round)
        done = job.once()
        _show_round(done, invocation.as_json)
    if done.error is not None:
        raise done.error


def _show_round(done: Round, as_json: bool) -> None:
    from infrastructure.clock import rfc3339
    from system.algo_trader import terminal

    document = {
        "refreshed": done.refreshed,
        "warned": done.warned,
        "error": None if done.error is None else done.error.as_dict(),
        "next_look_s": done.wait_s,
        **done.status.as_dict(),
    }
    if as_json:
        terminal.print_json(document)
        return
    until = done.status.access_expires_at_ns
    said = "refreshed" if done.refreshed else "still fresh"
    if done.error is not None:
        said = "not refreshed"
    ending = "" if until is None else f", until {rfc3339(until)}"
    terminal.console().print(f"access token {said}{ending}", markup=False)


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
