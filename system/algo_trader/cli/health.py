"""`health`, `doctor` and `version`: is it well, what is missing, what is this."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from system.algo_trader.cli.invocation import Invocation, current

if TYPE_CHECKING:
    from system.algo_trader.health.check import Report

JSON = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
NOT_WELL = 3
_COLOURS = {"ok": "green", "degraded": "yellow", "down": "red"}


def version(context: typer.Context, as_json: JSON = False) -> None:
    """Print this software's version and the Python that runs it."""
    import platform

    from system.algo_trader import terminal
    from system.algo_trader.health.version import VERSION

    facts = {
        "algo-trader": VERSION,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
    }
    if as_json or current(context).as_json:
        terminal.print_json(facts)
    else:
        terminal.console().print(terminal.pairs(facts))


def health(
    context: typer.Context,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every part of the archive, however long it takes.")
    ] = False,
    as_json: JSON = False,
) -> None:
    """Check sign-in, stores, services and processes; exit code 3 when one of them is down.

    All are asked at once, and one that does not answer within 3 s is down.
    """
    from system.algo_trader.health.checks import check_health

    invocation = current(context)
    with invocation.runtime() as runtime:
        report = check_health(runtime, deep=deep)
    _show(invocation, "Health", report, as_json)


def doctor(context: typer.Context, as_json: JSON = False) -> None:
    """Check this machine: Python, packages, folders, space, Docker; exit code 3 when one fails."""
    from infrastructure.clock import SystemClock
    from system.algo_trader.health.check import Report
    from system.algo_trader.health.machine import check_machine

    invocation = current(context)
    checks = check_machine(invocation.settings())
    _show(invocation, "Doctor", Report.of(checks, SystemClock().now_ns()), as_json)


def _show(invocation: Invocation, title: str, report: Report, as_json: bool) -> None:
    from system.algo_trader import terminal

    if as_json or invocation.as_json:
        terminal.print_json(report.as_dict())
    else:
        rows = [
            (
                check.name,
                terminal.styled(check.state, _COLOURS[check.state]),
                None if check.took_ms is None else f"{check.took_ms:.0f}",
                check.detail,
            )
            for check in report.checks
        ]
        columns = ("what", "state", "ms", "detail")
        terminal.print_table(terminal.table(title, columns, rows, numeric="llrl"))
    if report.state == "down":
        raise typer.Exit(NOT_WELL)
