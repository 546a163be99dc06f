"""`sim`: the local Schwab by itself, for any program that speaks Schwab's API."""

from __future__ import annotations

import typer

PASS_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
"""Everything after `sim` is the simulator's own command line, `--help` too."""
RESET = "reset"


def sim(context: typer.Context) -> None:
    """Run the local Schwab until Ctrl-C (`--help` lists its options), or `reset` its accounts."""
    from infrastructure.simulators.schwab.command import run
    from system.algo_trader.cli.invocation import current

    if context.args == [RESET]:
        _reset(context)
        return
    replay = current(context).replay
    before = [] if replay is None else ["--replay", str(replay)]
    raise typer.Exit(run([*before, *context.args], program="algo-trader sim"))


def _reset(context: typer.Context) -> None:
    """Forget what the simulated accounts of this home hold and have ordered; nothing real."""
    from infrastructure.simulators.schwab.account_store import remove_accounts
    from system.algo_trader.cli.invocation import current
    from system.algo_trader.realm import Realm

    invocation = current(context)
    folder = Realm.sim(invocation.settings().home).simulator_folder
    count = remove_accounts(folder)
    if invocation.as_json:
        typer.echo(f'{{"is_simulated": true, "removed": {count}}}')
    else:
        typer.echo(f"Simulated accounts of {count} replayed markets in {folder} are forgotten.")
