"""A chain as plain documents, one an expiry: what is kept for other readers."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from infrastructure.clock import rfc3339
from system.algo_trader.options.chain import Chain, new_york_dates

_COLUMNS: Final = (
    "strike",
    "bid",
    "ask",
    "last",
    "volume",
    "open_interest",
    "vendor_volatility",
    "vendor_delta",
    "vendor_gamma",
)


def expiry_documents(chain: Chain) -> dict[str, dict[str, Any]]:
    """Return one document of columns for each New York expiry date, `YYYY-MM-DD`.

    What is missing is None. Contracts of one date that settle at different moments share its
    document; `settles` tells them apart.

    Args:
        chain: Quotes of one underlying.
    """
    moments = chain.expiries_ns
    dates = np.array([str(day) for day in new_york_dates(moments)])[chain.expiry_index]
    return {str(day): _document(chain.where(dates == day), str(day)) for day in sorted(set(dates))}


def _document(chain: Chain, day: str) -> dict[str, Any]:
    return {
        "symbol": chain.underlying,
        "expiry": day,
        "spot": chain.spot,
        "as_of": rfc3339(chain.as_of_ns),
        "multiplier": chain.multiplier,
        "settles": [rfc3339(int(moment)) for moment in chain.settles_ns],
        "right": ["C" if call else "P" for call in chain.is_call],
        **{
            name: [None if np.isnan(value) else float(value) for value in getattr(chain, name)]
            for name in _COLUMNS
        },
    }
