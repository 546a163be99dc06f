"""Where a chain's 30-day volatility stands in the history that earlier reports left."""

from __future__ import annotations

from math import nan
from pathlib import Path
from typing import Any

from system.algo_trader.options.flow import as_rows, unusual_contracts
from system.algo_trader.options.gex import GexReport
from system.algo_trader.options.iv_rank import thirty_day_volatility
from system.algo_trader.options.sentiment import (
    ema,
    has_shifted,
    put_call_regime,
    volatility_alert,
)
from system.algo_trader.storage.iv_history import iv_history, iv_standing_of, session_of_quotes


def standing_of(report: GexReport, root: Path) -> dict[str, Any]:
    """Return where the chain stands in its past, null with a reason where there is none.

    That is rank and percentile of the 30-day volatility, the regime of the put/call ratio with its
    mean over five sessions, and the contracts that trade unlike themselves.

    Args:
        report: Of the chain.
        root: The realm's folder, with the history of sessions before this one.

    Raises:
        CorruptStore: If the history cannot be read.
    """
    chain = report.surface.chain
    now = thirty_day_volatility(report.terms)
    standing = iv_standing_of(root, chain.underlying, now.value, chain.as_of_ns)
    today = session_of_quotes(chain.as_of_ns)
    earlier = [
        nan if each.put_call is None else each.put_call
        for each in iv_history(root, chain.underlying)
        if each.session < today
    ]
    ratio = report.volume_ratio.value
    mean = ema([*earlier, nan if ratio is None else ratio])
    return {
        "sentiment": {
            "regime": put_call_regime(ratio),
            "put_call_mean": mean,
            "sessions": sum(each == each for each in earlier),
            "shifted": has_shifted(ema(earlier), ratio),
            "volatility_alert": volatility_alert(standing.rank),
            "reason": report.volume_ratio.reason,
        },
        "flow": as_rows(unusual_contracts(chain)),
        "iv_standing": {
            "iv30": now.value,
            "rank": standing.rank,
            "percentile": standing.percentile,
            "window": standing.window,
            "sessions": standing.samples,
            "reason": now.reason or standing.reason,
        },
    }
