"""A report of a chain as rows of `option_quotes`, `option_exposure` and `option_metrics`.

Rows of one expiry date hold both of its settlements where there are two (an index's monthly options
settle in the morning, its weeklies at the close): exposures are sums of both, and the volatility,
expected move and max pain of the date are those of the close. The date `all` is the whole chain.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from infrastructure.exchange.zones import NEW_YORK, local_dates, local_to_ns
from infrastructure.influxdb.schema import TIME, TableSchema
from system.algo_trader.options.black import Flags, Floats
from system.algo_trader.options.chain import Chain, Instants
from system.algo_trader.options.exposure import Ladder, Measure, amounts_of
from system.algo_trader.options.gex import GexReport
from system.algo_trader.options.iv_rank import IvStanding, thirty_day_volatility
from system.algo_trader.options.landmarks import call_wall, put_wall
from system.algo_trader.options.ratios import put_call_ratio
from system.algo_trader.storage.tables import OPTION_EXPOSURE, OPTION_METRICS, OPTION_QUOTES

ALL: Final = "all"
"""The expiry of rows that sum over all of them."""

CLOSE_ROOTS: Final = {"SPX": "SPXW", "NDX": "NDXP", "RUT": "RUTW"}
"""Roots of an index's options that settle at the close; every other root is the underlying."""

_NOON_S: Final = 12 * 3_600
_COLUMNS: Final[dict[str, Measure]] = {"gex": "gex", "dex": "dex", "vex": "vanna", "chex": "charm"}


def quote_rows(report: GexReport, *, source: str, is_synthetic: bool) -> pa.Table:
    """Return one row of `option_quotes` a contract that has not settled.

    Args:
        report: Volatilities and Greeks; what it has not becomes null.
        source: Where the quotes came from.
        is_synthetic: Whether they were made up.
    """
    surface, chain = report.surface, report.surface.chain
    # An index is stored as $SPX, and the roots of its options have no dollar.
    root = chain.underlying.removeprefix("$")
    close_root = CLOSE_ROOTS.get(root, root)
    columns: dict[str, Any] = {
        "expiry": _dates(chain.settles_ns),
        "strike": [strike_text(strike) for strike in chain.strike.tolist()],
        "right": np.where(chain.is_call, "C", "P").tolist(),
        "root": np.where(at_close(chain.settles_ns), close_root, root).tolist(),
        "bid": _known(np.where(chain.bid > 0, chain.bid, np.nan)),
        "ask": _known(np.where(chain.ask > 0, chain.ask, np.nan)),
        "last": _known(np.where(chain.last > 0, chain.last, np.nan)),
        "volume": _whole(chain.volume),
        "open_interest": _whole(chain.open_interest),
        "iv": _known(surface.volatility),
        "delta": _known(surface.delta),
        "gamma": _known(surface.gamma),
        "theta": _known(surface.greeks.theta / 365.0),
        "vega": _known(surface.greeks.vega / 100.0),
    }
    return _table(OPTION_QUOTES, columns, len(chain), chain, source, is_synthetic)


def exposure_rows(report: GexReport, *, source: str, is_synthetic: bool) -> pa.Table:
    """Return the rows of `option_exposure`: each strike of each date, then each strike of `all`.

    Args:
        report: Exposures; strikes where nothing is held and nobody has interest are left out.
        source: Where the quotes came from.
        is_synthetic: Whether they were made up.
    """
    chain, exposures = report.surface.chain, report.exposures
    dates, date_index = np.unique(_days(chain.settles_ns), return_inverse=True)
    strike_index = np.searchsorted(exposures.strikes, chain.strike)
    strikes = exposures.strikes.size
    # The last strip of cells is the sum over all dates.
    cells = (dates.size + 1) * strikes
    slot = date_index * strikes + strike_index
    over_all = dates.size * strikes + strike_index
    amounts = amounts_of(report.surface, exposures.contracts)

    def summed(values: Floats, keep: Flags | None = None) -> Floats:
        weights = np.where(np.isfinite(values), values, 0.0)
        if keep is not None:
            weights = np.where(keep, weights, 0.0)
        by_date = np.bincount(slot, weights=weights, minlength=cells)
        by_date += np.bincount(over_all, weights=weights, minlength=cells)
        return by_date.astype(np.float64)

    sums = {name: summed(amounts[measure]) for name, measure in _COLUMNS.items()}
    sums["call_gex"] = summed(amounts["gex"], chain.is_call)
    sums["put_gex"] = summed(amounts["gex"], ~chain.is_call)
    interest = summed(chain.open_interest)
    kept = np.flatnonzero((interest > 0) | (sums["call_gex"] != 0) | (sums["put_gex"] != 0))
    names = [*(str(day) for day in dates), ALL]
    texts = [strike_text(strike) for strike in exposures.strikes.tolist()]
    columns: dict[str, Any] = {
        "expiry": [names[each] for each in (kept // max(strikes, 1)).tolist()],
        "strike": [texts[each] for each in (kept % max(strikes, 1)).tolist()],
        **{name: values[kept].tolist() for name, values in sums.items()},
        "open_interest": _whole(interest[kept]),
    }
    return _table(OPTION_EXPOSURE, columns, kept.size, chain, source, is_synthetic)


def metric_rows(
    report: GexReport, *, source: str, is_synthetic: bool, standing: IvStanding | None = None
) -> pa.Table:
    """Return the rows of `option_metrics`: one a date, then `all` with the flip and the IV rank.

    The volatility of `all` is that of 30 days. A date has no flip: only the whole chain's profile
    is repriced. `all` has no max pain and no expected move, which belong to a settlement.

    Args:
        report: What the chain says; what it has not becomes null.
        source: Where the quotes came from.
        is_synthetic: Whether they were made up.
        standing: Of the 30-day volatility in its history; None without one.
    """
    chain = report.surface.chain
    days = _days(chain.settles_ns)
    gex = amounts_of(report.surface, report.exposures.contracts)["gex"]
    # Ascending moments: the last of a date, the close, stays.
    terms = {str(_days(np.array([each.settles_ns]))[0]): each for each in report.terms}
    rows: list[Mapping[str, Any]] = []
    for day, term in terms.items():
        here = days == np.datetime64(day)
        part = chain.where(here)
        strikes, ladder = _ladder(part, gex[here])
        rows.append(
            {
                "expiry": day,
                "gex": float(ladder.net.sum()),
                "flip": None,
                "call_wall": call_wall(strikes, ladder, chain.spot).price,
                "put_wall": put_wall(strikes, ladder, chain.spot).price,
                "max_pain": report.max_pain[term.settles_ns].price,
                "atm_iv": term.atm_volatility,
                "put_call_ratio": put_call_ratio(part, part.volume, "volume").value,
                "expected_move": term.expected_move,
            }
        )
    rows.append(
        {
            "expiry": ALL,
            "gex": report.exposures.total("gex")[0],
            "flip": report.profile.flip.price,
            "call_wall": report.call_wall.price,
            "put_wall": report.put_wall.price,
            "atm_iv": thirty_day_volatility(report.terms).value,
            "iv_rank": None if standing is None else standing.rank,
            "iv_percentile": None if standing is None else standing.percentile,
            "put_call_ratio": report.volume_ratio.value,
        }
    )
    columns: dict[str, Any] = {
        field.name: [row.get(field.name) for row in rows]
        for field in OPTION_METRICS.columns
        if any(field.name in row for row in rows)
    }
    return _table(OPTION_METRICS, columns, len(rows), chain, source, is_synthetic)


def strike_text(strike: float) -> str:
    """Return a strike as its tag: `4800`, `12.5`."""
    return np.format_float_positional(strike, trim="-")


def at_close(settles_ns: Instants) -> Flags:
    """Say which moments lie after noon in New York: settlements at the close [n]."""
    flags: Flags = settles_ns > local_to_ns(_days(settles_ns), _NOON_S, NEW_YORK)
    return flags


def _days(instants: Instants) -> npt.NDArray[np.datetime64]:
    return local_dates(np.asarray(instants, dtype=np.int64), NEW_YORK)


def _dates(instants: Instants) -> list[str]:
    return [str(day) for day in _days(instants)]


def _ladder(chain: Chain, amounts: Floats) -> tuple[Floats, Ladder]:
    strikes, index = np.unique(chain.strike, return_inverse=True)
    known = np.where(np.isfinite(amounts), amounts, 0.0)
    call, put = (
        np.bincount(index, weights=np.where(side, known, 0.0), minlength=strikes.size).astype(
            np.float64
        )
        for side in (chain.is_call, ~chain.is_call)
    )
    return strikes, Ladder(call=call, put=put)


def _known(values: Floats) -> pa.Array:
    return pa.array(values, pa.float64(), mask=~np.isfinite(values))


def _whole(values: Floats) -> pa.Array:
    return pa.array(np.rint(values).astype(np.int64), pa.int64())


def _table(
    schema: TableSchema,
    columns: dict[str, Any],
    rows: int,
    chain: Chain,
    source: str,
    is_synthetic: bool,
) -> pa.Table:
    same = {
        "underlying": chain.underlying,
        "source": source,
        "spot": chain.spot,
        "is_synthetic": is_synthetic,
    }
    found: dict[str, pa.Array] = {}
    for column in schema.columns:
        values = columns.get(column.name, [same.get(column.name)] * rows)
        found[column.name] = (
            values if isinstance(values, pa.Array) else pa.array(values, column.arrow_type)
        )
    found[TIME] = pa.array(np.full(rows, chain.as_of_ns, dtype=np.int64))
    return pa.table(found)
