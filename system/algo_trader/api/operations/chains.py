"""Option chains, gamma exposure and what else a chain says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from infrastructure.errors import (
    CorruptStore,
    FileLimitExceeded,
    NoDataError,
    QueryError,
    RetryableError,
)
from infrastructure.logging import get_logger
from system.algo_trader.api.operations.answer import Answer, Facts, Page
from system.algo_trader.api.operations.stores import Stores
from system.algo_trader.jobs.chain_standing import standing_of
from system.algo_trader.jobs.option_archive import archived_chain
from system.algo_trader.jobs.option_cache import cached_chain, cached_report
from system.algo_trader.jobs.option_rows import quote_rows
from system.algo_trader.market.source import Source
from system.algo_trader.options.chain import Chain
from system.algo_trader.options.gex import GexReport
from system.algo_trader.storage.records import OPTION_QUOTES
from system.algo_trader.storage.tables import OPTION_METRICS

_MEASURES: Final = ("gex", "dex", "vanna", "charm")
_EXPIRY: Final = ("date", "settles", "days", "forward", "atm_volatility", "expected_move", "skew")
_log = get_logger("api.chains")


@dataclass(frozen=True, slots=True)
class FoundChain:
    """Hold a chain and where it was found.

    Attributes:
        chain: The quotes.
        source: Where they came from.
        is_synthetic: Whether they were made up.
        store: "cache" or "archive".
        stale_because: Why there may be newer ones; None when there are not.
    """

    chain: Chain
    source: str
    is_synthetic: bool
    store: str
    stale_because: str | None = None

    def facts(self) -> Facts:
        """Return the facts of an answer that this chain gives."""
        return Facts(
            (self.source,),
            self.is_synthetic,
            as_of_ns=self.chain.as_of_ns,
            stale_because=self.stale_because,
        )


def find_chain(stores: Stores, symbol: str, at_ns: int | None = None) -> FoundChain:
    """Return the freshest chain: that of Redis, else the archive's last.

    Args:
        stores: Where to look.
        symbol: The underlying.
        at_ns: Return the chain that was true then, nanoseconds UTC; None for now.

    Raises:
        NoDataError: If there is none.
        CorruptStore: If the archive is damaged.
    """
    because = None
    if at_ns is None:
        try:
            chain = cached_chain(stores.redis, symbol)
        except (RetryableError, CorruptStore) as error:
            because = f"the cache is passed over: {error}"
        else:
            if chain is not None:
                return FoundChain(chain, _source(stores, chain), _made_up(stores, chain), "cache")
    found = archived_chain(stores.archive, symbol, at_ns)
    return FoundChain(found.chain, found.source, found.is_synthetic, "archive", because)


def _source(stores: Stores, chain: Chain) -> str:
    if chain.source is not None:
        return chain.source
    return str(Source.SCHWAB_SIM if stores.realm.is_simulated else Source.SCHWAB)


def _made_up(stores: Stores, chain: Chain) -> bool:
    return chain.is_synthetic or stores.realm.is_simulated


def chain(stores: Stores, values: Mapping[str, Any]) -> Answer:
    """Return the contracts of a chain with quotes, volatilities and Greeks."""
    found = find_chain(stores, values["symbol"], values["at"])
    report = stores.terms.report(found.chain, stores.clock.now_ns())
    rows = quote_rows(report, source=found.source, is_synthetic=found.is_synthetic)
    strikes = report.surface.chain.strike
    keep = np.ones(rows.num_rows, dtype=np.bool_)
    expiries = np.array(rows.column("expiry").to_pylist())
    if values["expiry"] is not None:
        keep &= expiries == values["expiry"].isoformat()
        if not keep.any():
            listed = ", ".join(sorted(set(expiries.tolist()))[:12])
            raise NoDataError(
                f"{values['symbol']} has no expiry on {values['expiry']}",
                next_step=f"Listed are {listed}.",
            )
    if values["right"] is not None:
        keep &= np.array(rows.column("right").to_pylist()) == values["right"]
    if values["strikes"] is not None:
        levels = np.unique(strikes)
        nearest = levels[np.argsort(abs(levels - found.chain.spot))[: values["strikes"]]]
        keep &= np.isin(strikes, nearest)
    chosen = rows.filter(pa.array(keep))
    # Numbers, not the tags of a table, are what a reader computes with.
    place = chosen.column_names.index("strike")
    chosen = chosen.set_column(place, "strike", pa.array(strikes[keep]))
    chosen = chosen.drop_columns([n for n in ("time", "slot") if n in chosen.column_names])
    in_all = chosen.num_rows
    summary = {
        "symbol": found.chain.underlying,
        "spot": found.chain.spot,
        "contracts": in_all,
        "contracts_listed": len(found.chain),
        "expired_left_out": report.expired,
        "store": found.store,
    }
    return Answer(chosen.slice(0, values["limit"]), found.facts(), summary)


def gex(stores: Stores, values: Mapping[str, Any]) -> Answer:
    """Return gamma exposure by strike: the report that was computed a moment ago, else a new one.

    Raises:
        NoDataError: If there is no chain.
    """
    symbol, at_ns = values["symbol"], values["at"]
    document, facts, store = None, None, "report"
    if at_ns is None:
        document, because = _kept_report(stores, symbol)
        if document is not None:
            facts = _facts_of_document(stores, document, because)
    if document is None or facts is None:
        found = find_chain(stores, symbol, at_ns)
        now_ns = stores.clock.now_ns() if at_ns is None else at_ns
        document = stores.terms.report(found.chain, now_ns).as_dict()
        facts, store = found.facts(), found.store
    strikes = document["strikes"]
    columns: dict[str, Any] = {"strike": pa.array([row["strike"] for row in strikes], pa.float64())}
    for measure in _MEASURES:
        for side in ("call", "put", "net"):
            values_of = [row[measure][side] for row in strikes]
            columns[f"{measure}_{side}"] = pa.array(values_of, pa.float64())
    return Answer(pa.table(columns), facts, {**_summary(document), "store": store})


def _kept_report(stores: Stores, symbol: str) -> tuple[dict[str, Any] | None, str | None]:
    try:
        kept = cached_report(stores.redis, symbol, stores.terms, stores.clock.now_ns())
    except (RetryableError, CorruptStore) as error:
        _log.debug("the report of %s is passed over: %s", symbol, error)
        return None, str(error)
    return (None if kept is None else kept.document), None


def _facts_of_document(stores: Stores, document: Mapping[str, Any], because: str | None) -> Facts:
    from infrastructure.clock import parse_rfc3339

    return Facts(
        (str(document["source"]),),
        bool(document.get("is_synthetic")) or stores.realm.is_simulated,
        as_of_ns=parse_rfc3339(document["as_of"]),
        stale_because=because,
    )


def _summary(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a report says beside its strikes, flat enough for a model."""
    marks = ("flip", "per_strike_flip", "cumulative_flip", "call_wall", "put_wall", "max_gamma")
    return {
        "symbol": document["symbol"],
        "spot": document["spot"],
        "net_gex": document["total"]["gex"]["net"],
        "total": document["total"],
        **{name: document[name]["price"] for name in marks},
        "reasons": {
            name: document[name]["reason"] for name in marks if document[name]["price"] is None
        },
        "put_call_volume": document["put_call_volume"]["value"],
        "put_call_open_interest": document["put_call_open_interest"]["value"],
        "confidence": document["confidence"],
        "contracts_used": document["contracts_used"],
        "convention": document["convention"],
        "weighting": document["weighting"],
        "units": document["units"],
        "buckets": document["buckets"],
        "expiries": [
            {**{name: row[name] for name in _EXPIRY}, "gex": row["gex"]["net"]}
            for row in document["expiries"]
        ],
        "profile": document["profile"],
    }


def gex_history(stores: Stores, values: Mapping[str, Any]) -> Answer:
    """Return how a chain's key figures went, out of InfluxDB's `option_metrics`.

    Raises:
        ServiceUnavailable: If InfluxDB gives no answer.
        NoDataError: If nothing is stored of the symbol.
    """
    page = Page.of(values)
    fields = [column.name for column in OPTION_METRICS.fields]
    where = ["underlying = $symbol", "expiry = 'all'"]
    parameters: dict[str, Any] = {"symbol": values["symbol"]}
    for name, sign, at_ns in (("low", ">=", page.start_ns), ("high", "<", page.end_ns)):
        if at_ns is not None:
            where.append(f"time {sign} to_timestamp_nanos(${name})")
            parameters[name] = at_ns
    forward = page.start_ns is not None
    names = ", ".join(["time", "source", *fields])
    rows = _stored_metrics(
        stores,
        f"SELECT {names} FROM option_metrics WHERE {' AND '.join(where)} "
        f"ORDER BY time {'ASC' if forward else 'DESC'} LIMIT {page.limit}",
        parameters,
    )
    if rows is None or not rows.num_rows:
        raise NoDataError(
            f"no exposures of {values['symbol']} are stored for that time",
            next_step=f"Keep them coming with `algo-trader options refresh '{values['symbol']}'`.",
        )
    rows = rows.sort_by("time").combine_chunks()
    times = rows.column("time").cast(pa.timestamp("ns", "UTC")).cast(pa.int64())
    place = rows.column_names.index("time")
    rows = rows.set_column(place, "time", times.cast(pa.timestamp("ns", "UTC")))
    made_up = bool(pa.compute.any(rows.column("is_synthetic")).as_py())
    sources = tuple(sorted(set(rows.column("source").to_pylist())))
    facts = Facts(sources, made_up, as_of_ns=times[-1].as_py())
    return Answer(rows, facts)


def _stored_metrics(stores: Stores, sql: str, parameters: dict[str, Any]) -> pa.Table | None:
    """Return rows; None where database or table are not there yet: that is no caller's fault."""
    try:
        return stores.influxdb().query(sql, parameters)
    except FileLimitExceeded:
        raise
    except QueryError as error:
        _log.warning("no exposures are read: %s", error)
        return None


def chain_version(stores: Stores, values: Mapping[str, Any]) -> str:
    """Return what changes with every archived chain; a cached one lives for seconds only."""
    return stores.version(OPTION_QUOTES, [values["symbol"]])


def standing(stores: Stores, symbol: str) -> tuple[FoundChain, GexReport, dict[str, Any]]:
    """Return a chain, its report, and where it stands in its past.

    Raises:
        NoDataError: If there is no chain.
    """
    found = find_chain(stores, symbol)
    report = stores.terms.report(found.chain, stores.clock.now_ns())
    return found, report, standing_of(report, stores.realm.root)
