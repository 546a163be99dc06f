"""`sim`: the local Schwab by itself, for any program that speaks Schwab's API."""

from __future__ import annotations

import typer

PASS_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
"""Everything after `sim` is the simulator's own command line, `--help` too."""


def sim(context: typer.Context) -> None:
    """Run the local Schwab until Ctrl-C (`sim --help` lists its options)."""
    from infrastructure.simulators.schwab.command import run
    from system.algo_trader.cli.invocation import current

    replay = current(context).replay
    before = [] if replay is None else ["--replay", str(replay)]
    raise typer.Exit(run([*before, *context.args], program="algo-trader sim"))
