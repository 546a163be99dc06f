"""Snapshots of chains in the archive: stored as they were quoted, and read back as of a time."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from infrastructure.clock import rfc3339
from infrastructure.errors import NoDataError
from infrastructure.exchange.exercise import exercise_on
from system.algo_trader.options.chain import Chain
from system.algo_trader.storage.archive import Archive
from system.algo_trader.storage.records import EVENT_TIME, OPTION_QUOTE_SCHEMA, OPTION_QUOTES

_NUMBERS = (
    *("bid", "ask", "last", "volume", "open_interest"),
    *("vendor_volatility", "vendor_delta", "vendor_gamma"),
)


class ArchivedChain(NamedTuple):
    """A snapshot out of the archive.

    Attributes:
        chain: Its quotes.
        source: Where they came from.
        is_synthetic: Whether they were made up.
    """

    chain: Chain
    source: str
    is_synthetic: bool


def chain_rows(chain: Chain, *, source: str, is_synthetic: bool) -> pa.Table:
    """Return a snapshot as rows of the archive's `option_quotes`.

    Args:
        chain: Quotes of one moment; NaN becomes null.
        source: Where they came from.
        is_synthetic: Whether they were made up.
    """
    same = {
        "symbol": chain.underlying,
        "source": source,
        EVENT_TIME: chain.as_of_ns,
        "multiplier": chain.multiplier,
        "spot": chain.spot,
        "is_synthetic": is_synthetic,
    }
    columns: dict[str, Any] = {
        "settles": chain.settles_ns,
        "strike": chain.strike,
        "right": np.where(chain.is_call, "C", "P"),
        **{name: _nullable(getattr(chain, name)) for name in _NUMBERS},
    }
    arrays = [
        pa.array(columns[field.name], field.type)
        if field.name in columns
        else pa.repeat(pa.scalar(same[field.name], field.type), len(chain))
        for field in OPTION_QUOTE_SCHEMA
    ]
    return pa.table(arrays, schema=OPTION_QUOTE_SCHEMA)


def archive_chain(
    archive: Archive, chain: Chain, *, source: str, is_synthetic: bool, request_id: str
) -> int:
    """Store a snapshot; return how many rows were not there already.

    Raises:
        StackError: As `Archive.append_records`.
    """
    rows = chain_rows(chain, source=source, is_synthetic=is_synthetic)
    return archive.append_records(OPTION_QUOTES, rows, request_id).new


def archived_chain(archive: Archive, symbol: str, at_ns: int | None = None) -> ArchivedChain:
    """Return the last snapshot that was true at a moment.

    Args:
        archive: Of the realm that is asked.
        symbol: The underlying.
        at_ns: The moment, nanoseconds UTC, itself included; None for the latest snapshot.

    Raises:
        NoDataError: If no snapshot is as old; says what there is.
        CorruptStore: If a part is missing or damaged.
    """
    end_ns = None if at_ns is None else at_ns + 1
    parts = archive.parts(OPTION_QUOTES, symbol, end_ns=end_ns)
    if not parts:
        raise _nothing(archive, symbol, at_ns)
    # Every part has a row at its beginning, so that the snapshot begins there or later.
    rows = archive.records(OPTION_QUOTES, symbol, max(part.first_ns for part in parts), end_ns)
    rows = rows.filter(pc.equal(rows.column(EVENT_TIME), pc.max(rows.column(EVENT_TIME))))
    source = rows.column("source")[0].as_py()
    return chain_of(symbol, rows.filter(pc.equal(rows.column("source"), source)))


def chain_of(symbol: str, rows: pa.Table) -> ArchivedChain:
    """Return the chain that rows of one moment and one source make, at least one.

    Args:
        symbol: The underlying.
        rows: Of the archive's `option_quotes`.
    """
    rows = rows.combine_chunks()
    first = rows.slice(0, 1).to_pylist()[0]
    chain = Chain.of(
        symbol,
        first["spot"],
        first[EVENT_TIME],
        rows.column("settles").to_numpy(),
        rows.column("strike").to_numpy(),
        pc.equal(rows.column("right"), "C").to_numpy(),
        multiplier=first["multiplier"],
        is_american=exercise_on(symbol) == "american",
        source=first["source"],
        is_synthetic=bool(pc.any(rows.column("is_synthetic")).as_py()),
        **{name: rows.column(name).to_numpy() for name in _NUMBERS},
    )
    return ArchivedChain(chain, first["source"], chain.is_synthetic)


def _nothing(archive: Archive, symbol: str, at_ns: int | None) -> NoDataError:
    stored = archive.parts(OPTION_QUOTES, symbol)
    if not stored:
        return NoDataError(
            f"the archive holds no chain of {symbol}",
            next_step=f"Store one with `algo-trader gex '{symbol}' --store`, or keep them coming "
            f"with `algo-trader options refresh '{symbol}'`.",
        )
    first_ns = min(part.first_ns for part in stored)
    at = "" if at_ns is None else f" at or before {rfc3339(at_ns)}"
    return NoDataError(
        f"the archive holds no chain of {symbol}{at}",
        next_step=f"The first one is of {rfc3339(first_ns)}.",
    )


def _nullable(values: np.typing.NDArray[np.float64]) -> pa.Array:
    return pa.array(values, pa.float64(), mask=np.isnan(values))
