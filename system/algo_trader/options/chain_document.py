"""A chain as plain documents, one an expiry: what is kept for other readers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from infrastructure.clock import parse_rfc3339, rfc3339
from system.algo_trader.options.black import Floats
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
    document; `settles` tells them apart, and `listed` names all dates of the snapshot.

    Args:
        chain: Quotes of one underlying.
    """
    moments = chain.expiries_ns
    dates = np.array([str(day) for day in new_york_dates(moments)])[chain.expiry_index]
    listed = [str(day) for day in sorted(set(dates))]
    return {day: _document(chain.where(dates == day), day, listed) for day in listed}


def chain_of_documents(documents: Sequence[Mapping[str, Any]]) -> Chain:
    """Return the chain of the documents of its expiries, in any order.

    Args:
        documents: One or more of one snapshot.

    Raises:
        KeyError: If a document lacks a column.
        TypeError: If a value is none of its kind.
        ValueError: If columns differ in length, or there is no document.
    """
    if not documents:
        raise ValueError("there is no document")
    first = documents[0]

    def column(name: str) -> list[Any]:
        return [value for each in documents for value in each[name]]

    columns: dict[str, Any] = {
        name: [np.nan if value is None else value for value in column(name)]
        for name in _COLUMNS
        if name != "strike"
    }
    return Chain.of(
        first["symbol"],
        first["spot"],
        parse_rfc3339(first["as_of"]),
        _instants(column("settles")),
        column("strike"),
        [{"C": True, "P": False}[right] for right in column("right")],
        multiplier=first["multiplier"],
        is_american=column("american"),
        source=first["source"],
        fetched_at_ns=None if first["fetched_at"] is None else parse_rfc3339(first["fetched_at"]),
        is_synthetic=first["is_synthetic"],
        **columns,
    )


def _document(chain: Chain, day: str, listed: Sequence[str]) -> dict[str, Any]:
    moments = {moment: rfc3339(moment) for moment in chain.expiries_ns.tolist()}
    return {
        "symbol": chain.underlying,
        "expiry": day,
        "listed": listed,
        "spot": chain.spot,
        "as_of": rfc3339(chain.as_of_ns),
        "multiplier": chain.multiplier,
        "source": chain.source,
        "fetched_at": None if chain.fetched_at_ns is None else rfc3339(chain.fetched_at_ns),
        "is_synthetic": chain.is_synthetic,
        "american": chain.is_american.tolist(),
        "settles": [moments[moment] for moment in chain.settles_ns.tolist()],
        "right": ["C" if call else "P" for call in chain.is_call.tolist()],
        **{name: _nullable(getattr(chain, name)) for name in _COLUMNS},
    }


def _nullable(column: Floats) -> list[float | None]:
    return [None if math.isnan(value) else value for value in column.tolist()]


def _instants(texts: Sequence[str]) -> list[int]:
    """Read instants, of which thousands are the same."""
    known = {text: parse_rfc3339(text) for text in set(texts)}
    return [known[text] for text in texts]
