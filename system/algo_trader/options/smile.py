"""What bids, middles and asks imply: bands by contract, at the money, and along one expiry."""

from __future__ import annotations

from typing import Any

import numpy as np

from infrastructure.clock import rfc3339
from system.algo_trader.options.black import Floats
from system.algo_trader.options.chain import Numbers
from system.algo_trader.options.early_exercise import american_volatility, tables_of
from system.algo_trader.options.implied import Bands, Implied, Reason, implied_bands
from system.algo_trader.options.surface import Surface

_SIDES = ("bid", "mid", "ask")


def bands_of(surface: Surface) -> Bands:
    """Return what every contract's own bid, middle and ask imply.

    American contracts whose early exercise may matter are solved for as such. Each side that is
    NaN has its reason.
    """
    chain, terms, at = surface.chain, surface.terms, surface.expiry_index
    european = implied_bands(
        chain.bid,
        chain.ask,
        terms.forward[at],
        chain.strike,
        terms.years[at],
        chain.is_call,
        discount=terms.discount[at],
    )
    if not chain.is_american.any():
        return european
    highest = np.fmax(european.ask.volatility, european.bid.volatility)
    tables = tables_of(chain, terms, at, highest)
    intrinsic = np.where(chain.is_call, chain.spot - chain.strike, chain.strike - chain.spot)

    def exercised(price: Floats, plain: Implied) -> Implied:
        volatility = american_volatility(
            chain, terms, at, tables, price, plain.volatility, np.isfinite(plain.volatility)
        )
        refused = chain.is_american & (plain.reason == Reason.OK) & (price <= intrinsic)
        volatility = np.where(refused, np.nan, volatility)
        lost = (plain.reason == Reason.OK) & np.isnan(volatility)
        reason = np.where(lost, np.uint8(Reason.BELOW_INTRINSIC), plain.reason)
        return Implied(volatility, reason.astype(np.uint8))

    return Bands(
        exercised(chain.bid, european.bid),
        exercised(0.5 * (chain.bid + chain.ask), european.mid),
        exercised(chain.ask, european.ask),
    )


def band_documents(surface: Surface, bands: Bands) -> dict[str, Any]:
    """Return how many sides have a volatility and why others have none, and the next smile.

    Args:
        surface: Of the chain.
        bands: Of its contracts.

    Returns:
        `reasons`: counts by side and reason; `smile`: columns of the next expiry's out-of-the-money
        contracts by strike, None without one; every null volatility has its reason.
    """
    chain, terms = surface.chain, surface.terms
    reasons = {
        side: {
            member.name.lower(): int(np.count_nonzero(implied.reason == member))
            for member in Reason
        }
        for side, implied in zip(_SIDES, bands, strict=True)
    }
    if not terms.settles_ns.size:
        return {"reasons": reasons, "smile": None}
    here = np.flatnonzero(surface.expiry_index == 0)
    is_otm = chain.is_call[here] == (chain.strike[here] >= terms.forward[0])
    rows = here[is_otm]
    return {
        "reasons": reasons,
        "smile": {
            "settles": rfc3339(int(terms.settles_ns[0])),
            "strike": chain.strike[rows].tolist(),
            "right": ["C" if call else "P" for call in chain.is_call[rows]],
            **{
                side: [band_value(implied, int(row)) for row in rows]
                for side, implied in zip(_SIDES, bands, strict=True)
            },
        },
    }


def at_the_money(surface: Surface, bands: Bands) -> list[dict[str, Any] | None]:
    """Return, by expiry, the band of the out-of-the-money contract nearest the forward."""
    found: list[dict[str, Any] | None] = []
    chain, terms = surface.chain, surface.terms
    is_otm = chain.is_call == (chain.strike >= terms.forward[surface.expiry_index])
    away = np.abs(chain.strike - terms.forward[surface.expiry_index])
    for expiry in range(terms.settles_ns.size):
        rows: Numbers = np.flatnonzero((surface.expiry_index == expiry) & is_otm)
        if not rows.size:
            found.append(None)
            continue
        row = int(rows[np.argmin(away[rows])])
        found.append(
            {
                "strike": float(chain.strike[row]),
                "right": "C" if chain.is_call[row] else "P",
                **{
                    side: band_value(implied, row)
                    for side, implied in zip(_SIDES, bands, strict=True)
                },
            }
        )
    return found


def band_value(implied: Implied, row: int) -> dict[str, Any]:
    """Return one side's volatility, or null and the code of its reason."""
    reason = Reason(int(implied.reason[row]))
    if reason is Reason.OK:
        return {"value": float(implied.volatility[row]), "reason": None}
    return {"value": None, "reason": reason.name.lower()}
