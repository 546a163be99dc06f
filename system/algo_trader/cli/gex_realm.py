"""Which realm a report of a chain belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from system.algo_trader.cli.invocation import current

if TYPE_CHECKING:
    import typer

    from system.algo_trader.realm import Realm
    from system.algo_trader.runtime import Runtime


def realm_of(context: typer.Context, runtime: Runtime | None = None) -> Realm:
    """Return the realm that a report belongs to.

    Args:
        context: The command's, for its settings.
        runtime: The run that asked for the chain. Without it the chain comes out of a file, whose
            quotes are real unless --sim says otherwise.
    """
    from system.algo_trader.realm import Realm

    if runtime is not None:
        return runtime.realm
    invocation = current(context)
    home = invocation.settings().home
    return Realm.sim(home) if invocation.sim else Realm.live(home)
