"""Where a chain's 30-day volatility stands in the history that earlier reports left."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from system.algo_trader.cli.invocation import current

if TYPE_CHECKING:
    from pathlib import Path

    import typer

    from system.algo_trader.options.gex import GexReport
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


def standing_of(report: GexReport, root: Path) -> dict[str, Any]:
    """Return rank and percentile of the 30-day volatility, null with a reason where there is none.

    Args:
        report: Of the chain.
        root: The realm's folder, with the history of sessions before this one.

    Raises:
        CorruptStore: If the history cannot be read.
    """
    from system.algo_trader.options.iv_rank import thirty_day_volatility
    from system.algo_trader.storage.iv_history import iv_standing_of

    chain = report.surface.chain
    now = thirty_day_volatility(report.terms)
    standing = iv_standing_of(root, chain.underlying, now.value, chain.as_of_ns)
    return {
        "iv_standing": {
            "iv30": now.value,
            "rank": standing.rank,
            "percentile": standing.percentile,
            "window": standing.window,
            "sessions": standing.samples,
            "reason": now.reason or standing.reason,
        }
    }
