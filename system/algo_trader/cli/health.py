"""`health`, `doctor` and `version`: is it well, what is missing, what is this."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from system.algo_trader.cli.invocation import Invocation, current

if TYPE_CHECKING:
    from system.algo_trader.health.checks import Check

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


def health(context: typer.Context, as_json: JSON = False) -> None:
    """Check sign-in, services and archive; exit code 3 when one of them is down."""
    from system.algo_trader.health.checks import check_health

    invocation = current(context)
    with invocation.runtime() as runtime:
        checks = check_health(runtime)
    _show(invocation, "Health", checks, as_json)


def doctor(context: typer.Context, as_json: JSON = False) -> None:
    """Check this machine: Python, packages, folders, space, Docker; exit code 3 when one fails."""
    from system.algo_trader.health.machine import check_machine

    invocation = current(context)
    _show(invocation, "Doctor", check_machine(invocation.settings()), as_json)


def _show(invocation: Invocation, title: str, checks: Sequence[Check], as_json: bool) -> None:
    from system.algo_trader import terminal

    if as_json or invocation.as_json:
        worst = max(checks, key=lambda check: check.severity).state
        terminal.print_json({"state": worst, "checks": [check.as_dict() for check in checks]})
    else:
        rows = [
            (check.name, terminal.styled(check.state, _COLOURS[check.state]), check.detail)
            for check in checks
        ]
        terminal.print_table(terminal.table(title, ("what", "state", "detail"), rows))
    if any(check.state == "down" for check in checks):
        raise typer.Exit(NOT_WELL)
