"""`services start|stop|restart|status`: the servers and long-running processes of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from system.algo_trader.cli.invocation import Invocation, current

if TYPE_CHECKING:
    from system.algo_trader.processes.control import ProcessRow
    from system.algo_trader.services import ServiceRow

app = typer.Typer(
    help="Start, stop and show Redis and InfluxDB, and the processes of the pipeline.",
    no_args_is_help=True,
)

JSON = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
NAMES = Annotated[
    list[str] | None,
    typer.Argument(help="redis, influxdb, stream, candles-sync, options-refresh, keep-fresh."),
]
WITH = Annotated[
    str | None,
    typer.Option("--with", help="Options of the process's verb: --with '--channels ticks'."),
]
NOT_RUNNING = 3


@app.command()
def start(
    context: typer.Context,
    names: NAMES = None,
    adopt: Annotated[
        list[str] | None,
        typer.Option(help="Confirm that the server at this service's default port is yours."),
    ] = None,
    options: WITH = None,
    as_json: JSON = False,
) -> None:
    """Start services and keep them until `services stop`; redis and influxdb without names.

    A process that ends or hangs is started anew, after growing waits, until it fails too often.
    """
    from system.algo_trader.services import NAMES as SERVERS
    from system.algo_trader.services import Services

    invocation = current(context)
    servers, others = _sorted(names or SERVERS)
    settings = invocation.settings()
    rows: Sequence[ServiceRow] = ()
    if servers or adopt:
        with Services(settings) as services:
            rows = services.start(servers, adopt=adopt or ())
    started = [_begin(invocation, name, options) for name in others]
    _show(invocation, rows, started, as_json)


@app.command()
def stop(context: typer.Context, names: NAMES = None, as_json: JSON = False) -> None:
    """Stop services, all without names: processes drain first; what others run is left alone."""
    from system.algo_trader.processes.control import Processes
    from system.algo_trader.processes.order import NAMES as PROCESSES
    from system.algo_trader.services import NAMES as SERVERS
    from system.algo_trader.services import Services

    invocation = current(context)
    servers, others = _sorted(names or (*SERVERS, *PROCESSES))
    settings = invocation.settings()
    processes = Processes(settings)
    # What writes ends before what it writes to.
    ended = [name for name in others if processes.stop(name)]
    with Services(settings) as services:
        rows = services.stop(servers) if servers else []
    shown = [processes.status(name) for name in (others if names else ended)]
    _show(invocation, rows, shown, as_json)


@app.command()
def restart(
    context: typer.Context,
    names: Annotated[list[str], typer.Argument(help="As for `start`.")],
    options: WITH = None,
    as_json: JSON = False,
) -> None:
    """Stop services and start them as they were started last."""
    from system.algo_trader.processes.control import Processes
    from system.algo_trader.services import Services

    invocation = current(context)
    servers, others = _sorted(names)
    settings = invocation.settings()
    rows: Sequence[ServiceRow] = ()
    if servers:
        with Services(settings) as services:
            services.stop(servers)
            rows = services.start(servers)
    processes = Processes(settings)
    _show(invocation, rows, [processes.restart(name, options) for name in others], as_json)


@app.command()
def status(context: typer.Context, names: NAMES = None, as_json: JSON = False) -> None:
    """Show where each service comes from and how it is; exit code 3 when one needs a person."""
    from system.algo_trader.processes.control import Processes
    from system.algo_trader.processes.order import NAMES as PROCESSES
    from system.algo_trader.services import NAMES as SERVERS
    from system.algo_trader.services import Services

    invocation = current(context)
    servers, others = _sorted(names or (*SERVERS, *PROCESSES))
    settings = invocation.settings()
    with Services(settings) as services:
        rows = services.status(servers) if servers else []
    processes = Processes(settings)
    found = [processes.status(name) for name in others]
    _show(invocation, rows, found, as_json)
    is_broken = any(row.state in ("unreachable", "gave up") for row in rows)
    if is_broken or not all(row.is_well for row in found):
        raise typer.Exit(NOT_RUNNING)


def _sorted(names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the servers and the processes among some names.

    Raises:
        UsageError: If one is neither.
    """
    from system.algo_trader.processes.order import check_name
    from system.algo_trader.services import NAMES as SERVERS

    servers = [name for name in dict.fromkeys(names) if name in SERVERS]
    others = [name for name in dict.fromkeys(names) if name not in SERVERS]
    for name in others:
        check_name(name)
    return servers, others


def _begin(invocation: Invocation, name: str, options: str | None) -> ProcessRow:
    from system.algo_trader.processes.control import Processes
    from system.algo_trader.runtime import choose_realm

    settings = invocation.settings()
    realm = choose_realm(settings, sim=invocation.sim, live=invocation.live)
    return Processes(settings).start(name, options, is_simulated=realm.is_simulated)


def _show(
    invocation: Invocation,
    rows: Sequence[ServiceRow],
    processes: Sequence[ProcessRow],
    as_json: bool,
) -> None:
    from system.algo_trader import terminal

    if as_json or invocation.as_json:
        documents = [row.as_dict() for row in rows]
        terminal.print_json(documents + [row.as_dict() for row in processes])
        return
    if rows:
        _show_servers(rows)
    if processes:
        _show_processes(processes)


def _show_servers(rows: Sequence[ServiceRow]) -> None:
    from system.algo_trader import terminal

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


def _show_processes(rows: Sequence[ProcessRow]) -> None:
    from system.algo_trader import terminal

    terminal.print_table(
        terminal.table(
            "Processes",
            ("process", "state", "health", "url", "pid", "restarts", "since"),
            [
                (row.name, row.state, row.health, row.url or None, row.pid, row.restarts, row.since)
                for row in rows
            ],
        )
    )
    for row in rows:
        for reason in row.reasons:
            terminal.console().print(f"{row.name}: {reason}")
