"""`services start|stop|status`: Redis and InfluxDB of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from system.algo_trader.cli.invocation import Invocation, current

if TYPE_CHECKING:
    from system.algo_trader.services import ServiceRow

app = typer.Typer(help="Start, stop and show Redis and InfluxDB.", no_args_is_help=True)

JSON = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
NAMES = Annotated[list[str] | None, typer.Argument(help="redis, influxdb; both when left out.")]
NOT_RUNNING = 3


@app.command()
def start(
    context: typer.Context,
    names: NAMES = None,
    adopt: Annotated[
        list[str] | None,
        typer.Option(help="Confirm that the server at this service's default port is yours."),
    ] = None,
    as_json: JSON = False,
) -> None:
    """Start services and keep them until `services stop`."""
    from system.algo_trader.services import NAMES as ALL
    from system.algo_trader.services import Services

    invocation = current(context)
    with Services(invocation.settings()) as services:
        _show(invocation, services.start(names or ALL, adopt=adopt or ()), as_json)


@app.command()
def stop(context: typer.Context, names: NAMES = None, as_json: JSON = False) -> None:
    """Stop the embedded services; what others run is left alone."""
    from system.algo_trader.services import NAMES as ALL
    from system.algo_trader.services import Services

    invocation = current(context)
    with Services(invocation.settings()) as services:
        _show(invocation, services.stop(names or ALL), as_json)


@app.command()
def status(context: typer.Context, names: NAMES = None, as_json: JSON = False) -> None:
    """Show where each service comes from and how it is; exit code 3 when one is unreachable."""
    from system.algo_trader.services import NAMES as ALL
    from system.algo_trader.services import Services

    invocation = current(context)
    with Services(invocation.settings()) as services:
        rows = services.status(names or ALL)
    _show(invocation, rows, as_json)
    if any(row.state in ("unreachable", "gave up") for row in rows):
        raise typer.Exit(NOT_RUNNING)


def _show(invocation: Invocation, rows: Sequence[ServiceRow], as_json: bool) -> None:
    from system.algo_trader import terminal

    if as_json or invocation.as_json:
        terminal.print_json([row.as_dict() for row in rows])
        return
    terminal.print_table(
        terminal.table(
            "Services",
            ("service", "from", "state", "url", "pid", "kept", "since"),
            [
                (
                    row.name,
                    row.origin,
                    row.state,
                    row.url or None,
                    row.pid,
                    "yes" if row.kept else "no",
                    row.since,
                )
                for row in rows
            ],
        )
    )
    for row in rows:
        if row.note:
            terminal.console().print(f"{row.name}: {row.note}")
