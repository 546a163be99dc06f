"""`schwab conform|record`: look at Schwab's wire, read-only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from system.algo_trader.cli.invocation import current

if TYPE_CHECKING:
    from system.algo_trader.cli.invocation import Invocation
    from system.algo_trader.conformance.report import Report
    from system.algo_trader.recording.session import Recording

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


@app.command()
def record(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A new file; `zcat` shows it.")],
    seconds: Annotated[
        str | None, typer.Option("--for", help="How long, as 30s, 10m or 2h; else until Ctrl-C.")
    ] = None,
    symbols: Annotated[
        str | None, typer.Option("--symbols", help="With commas, in Schwab's writing.")
    ] = None,
    services: Annotated[
        str | None, typer.Option("--services", help="With commas; else all that fit the symbols.")
    ] = None,
    append: Annotated[bool, typer.Option("--append", help="Add to a file that is there.")] = False,
    live: LIVE = False,
    as_json: JSON = False,
) -> None:
    """Keep the frames of Schwab's streamer, redacted, for the simulator to replay.

    Market data stay letter for letter. Ids are taken out; account activity is left out unless
    ACCT_ACTIVITY is named, and then tells kinds of events only. `algo-trader sim --frames FILE`
    replays the file.
    """
    from infrastructure.errors import UsageError
    from system.algo_trader.recording import session
    from system.algo_trader.recording.selection import (
        DEFAULT_SYMBOLS,
        parse_seconds,
        parse_services,
        selection,
    )

    invocation = current(context)
    invocation.as_json = invocation.as_json or as_json
    if (live or invocation.live) and invocation.sim:
        raise UsageError("--sim and --live exclude each other", next_step="Choose one of them.")
    text = symbols if symbols is not None else invocation.flags.get("symbols")
    named = DEFAULT_SYMBOLS if text is None else text.split(",")
    keys = selection(named, None if services is None else parse_services(services))
    made = session.record(
        invocation.settings(),
        file,
        keys,
        None if seconds is None else parse_seconds(seconds),
        append=append,
        live=live or invocation.live,
        tell=_tell_on_stderr,
    )
    _show_recording(made, invocation.as_json)


def _tell_on_stderr(text: str) -> None:
    import sys

    print(text, file=sys.stderr, flush=True)


def _show_recording(made: Recording, as_json: bool) -> None:
    from system.algo_trader import terminal

    if as_json:
        terminal.print_json(made.as_dict())
        return
    terminal.console().print(
        f"{made.kept} frames of {made.source} in {made.path}, {made.left_out} left out as personal."
    )


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
