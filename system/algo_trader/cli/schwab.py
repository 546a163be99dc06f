"""`schwab conform|record`: look at Schwab's wire, read-only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from system.algo_trader.cli.invocation import current

if TYPE_CHECKING:
    from system.algo_trader.cli.invocation import Invocation
    from system.algo_trader.conformance.report import Report

app = typer.Typer(help="Compare Schwab's wire with our forms; record it.", no_args_is_help=True)

JSON = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
LIVE = Annotated[bool, typer.Option("--live", help="Ask the real Schwab, with your sign-in.")]
DIFFERENT = 1


@app.command()
def conform(
    context: typer.Context,
    live: LIVE = False,
    as_json: JSON = False,
    report: Annotated[
        Path | None, typer.Option("--report", help="Write a redacted report, fit to publish.")
    ] = None,
) -> None:
    """Ask everything that only reads and compare the answers with our forms.

    The embedded simulator is asked, with --live the real Schwab. No order can be placed, replaced
    or cancelled. Ends with 1 when an answer differs.
    """
    from system.algo_trader.conformance.report import check_report_file, write_report

    invocation = current(context)
    invocation.as_json = invocation.as_json or as_json
    if report is not None:
        check_report_file(report)
    made = _conform(invocation, live=live or invocation.live)
    if report is not None:
        write_report(made, report)
    _show_report(made, invocation.as_json, report)
    if made.differences:
        raise typer.Exit(DIFFERENT)


def _conform(invocation: Invocation, *, live: bool) -> Report:
    from infrastructure.clock import SystemClock
    from infrastructure.errors import UsageError
    from system.algo_trader.conformance import suite, targets

    if live and invocation.sim:
        raise UsageError("--sim and --live exclude each other", next_step="Choose one of them.")
    settings, clock = invocation.settings(), SystemClock()
    if live:
        with targets.live_target(settings, clock) as target:
            return suite.conform(target, clock)
    with (
        targets.simulator_to_ask() as simulator,
        targets.simulated_target(settings, simulator) as target,
    ):
        return suite.conform(target, clock)


def _show_report(made: Report, as_json: bool, written: Path | None) -> None:
    from system.algo_trader import terminal

    if as_json:
        terminal.print_json(made.as_dict())
        return
    whom = "the simulated Schwab" if made.source == "simulator" else "the real Schwab"
    if made.differences:
        rows = [
            (each.case, each.path, each.kind, each.expected, each.observed, each.count)
            for each in made.differences
        ]
        columns = ("case", "path", "difference", "expected", "observed", "times")
        title = f"Differences of {whom}"
        terminal.print_table(terminal.table(title, columns, rows, numeric="lllllr"))
    if made.unobserved:
        terminal.print_table(terminal.table("Not looked at", ("case", "why"), made.unobserved))
    out = terminal.console()
    out.print(
        f"{len(made.cases)} cases asked of {whom}: {len(made.differences)} differences, "
        f"{len(made.unobserved)} not looked at."
    )
    if written is not None:
        out.print(f"Report without accounts, tokens, holdings or balances: {written}")
