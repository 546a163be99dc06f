"""Levels of a day, and the figures that traders look at first."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import pyarrow as pa

from infrastructure.clock import parse_rfc3339
from infrastructure.errors import NoDataError, StackError
from system.algo_trader.api.operations.answer import Answer, Facts
from system.algo_trader.api.operations.chains import standing
from system.algo_trader.api.operations.stores import Stores
from system.algo_trader.jobs.stored_levels import (
    calendar_for,
    last_stored_date,
    price_decimals,
    stored_levels,
)
from system.algo_trader.jobs.tape_report import TapeReport, TapeTerms, tape_report
from system.algo_trader.jobs.tape_rows import tape_rows
from system.algo_trader.jobs.tape_source import (
    last_trade_ns,
    session_numbers,
    tape_of_archive,
    tick_size_of,
)
from system.algo_trader.levels.pivots import PivotKind
from system.algo_trader.levels.request import LevelSession, LevelsRequest
from system.algo_trader.market.timeframe import Timeframe
from system.algo_trader.storage.records import TRADES

_TAPE: Final = (
    *("first", "last", "trades", "volume", "bought", "sold", "unknown", "buy_sell_ratio"),
    *("delta", "delta_high", "delta_low", "vwap", "at_quote", "basis", "blocks", "block_share"),
    *("sampled", "source", "is_synthetic"),
)


def levels(stores: Stores, values: Mapping[str, Any]) -> Answer:
    """Return pivots of the session before and the VWAP of a day: the document `levels.v1`.

    Raises:
        NoDataError: If the session before is not stored.
        InputError: If the date is no session.
    """
    symbol, hours = values["symbol"], LevelSession(values["session"])
    day = values["date"]
    request = LevelsRequest(
        symbol=symbol,
        symbol_raw=symbol,
        date=last_stored_date(symbol, stores.archive, hours) if day is None else day,
        session=hours,
        pivot_kind=PivotKind(values["pivot"]),
        anchor_ns=values["anchor"],
        interval=Timeframe(values["interval"]),
        precision=price_decimals(symbol),
    )
    calendar = calendar_for(symbol)
    found = stored_levels(stores.archive, request, calendar, stores.clock.now_ns())
    document = found.as_dict()
    pivots = found.pivots
    names = [f"R{i}" for i in range(len(pivots.resistances), 0, -1)]
    names += ["P", *(f"S{i}" for i in range(1, len(pivots.supports) + 1)), "VWAP"]
    prices = [*pivots.resistances[::-1], pivots.pivot, *pivots.supports, found.vwap]
    table = pa.table({"level": names, "price": pa.array(prices, pa.float64())})
    provenance = found.provenance
    end = parse_rfc3339(provenance.session_window.split("/")[1])
    facts = Facts((provenance.provider,), provenance.is_synthetic, as_of_ns=end)
    return Answer(table, facts, document)


def metrics(stores: Stores, values: Mapping[str, Any]) -> Answer:
    """Return volatility rank, put/call and tape figures of a symbol; null has a reason beside it.

    Raises:
        NoDataError: If there is neither a chain nor a tape.
    """
    symbol = values["symbol"]
    options, option_facts = _options(stores, symbol)
    trades, tape_facts = _tape(stores, symbol)
    if option_facts is None and tape_facts is None:
        raise NoDataError(
            f"nothing is stored of {symbol} that metrics rest on",
            next_step=f"Run `algo-trader gex '{symbol}' --store` or `algo-trader stream`.",
        )
    known = [each for each in (option_facts, tape_facts) if each is not None]
    facts = Facts(
        tuple(sorted({source for each in known for source in each.sources})),
        any(each.is_synthetic for each in known),
        any(each.is_sampled for each in known),
        as_of_ns=max(each.as_of_ns or 0 for each in known),
        stale_because=next((e.stale_because for e in known if e.stale_because), None),
    )
    rows = [
        ("iv30", _of(options, "iv_standing", "iv30")),
        ("iv_rank", _of(options, "iv_standing", "rank")),
        ("iv_percentile", _of(options, "iv_standing", "percentile")),
        ("put_call_volume", _of(options, "put_call_volume", "value")),
        ("put_call_open_interest", _of(options, "put_call_open_interest", "value")),
        ("net_gex", _of(options, "net_gex")),
        ("tape_delta", _of(trades, "delta")),
        ("tape_buy_sell_ratio", _of(trades, "buy_sell_ratio")),
        ("tape_vwap", _of(trades, "vwap")),
    ]
    table = pa.table(
        {"metric": [name for name, _ in rows],
         "value": pa.array([value for _, value in rows], pa.float64())}
    )  # fmt: skip
    return Answer(table, facts, {"symbol": symbol, "options": options, "tape": trades})


def _options(stores: Stores, symbol: str) -> tuple[dict[str, Any], Facts | None]:
    try:
        found, report, past = standing(stores, symbol)
    except StackError as error:
        return {"reason": str(error)}, None
    document = report.as_dict()
    said = {
        "spot": document["spot"],
        "net_gex": document["total"]["gex"]["net"],
        "put_call_volume": document["put_call_volume"],
        "put_call_open_interest": document["put_call_open_interest"],
        **past,
    }
    return said, found.facts()


def tape(stores: Stores, values: Mapping[str, Any]) -> Answer:
    """Return buys and sells of a trading date, a row a stretch of time.

    Raises:
        NoDataError: If no trade of that date is stored.
        InputError: If the date is no session.
    """
    symbol, timeframe = values["symbol"], Timeframe(values["timeframe"])
    report = _tape_report(stores, symbol, values["date"])
    duration = timeframe.duration_ns or 0
    sessions = session_numbers(report.data.trades.time_ns, calendar_for(symbol))
    rows = tape_rows(
        report.tape,
        duration,
        symbol=symbol,
        timeframe=str(timeframe),
        source=report.data.source,
        is_synthetic=report.data.is_synthetic,
        sessions=sessions,
    )
    times = rows.column("time").cast(pa.timestamp("ns", "UTC"))
    rows = rows.set_column(rows.column_names.index("time"), "time", times)
    facts = _tape_facts(stores, report)
    kept = rows.slice(max(0, rows.num_rows - values["limit"]))
    return Answer(kept, facts, {"symbol": symbol, **_tape_summary(report)})


def tape_version(stores: Stores, values: Mapping[str, Any]) -> str:
    """Return what changes whenever there are new trades of a symbol."""
    return stores.version(TRADES, [values["symbol"]])


def _tape_report(stores: Stores, symbol: str, day: date | None) -> TapeReport:
    calendar = calendar_for(symbol)
    if day is None:
        last_ns = last_trade_ns(stores.archive, symbol)
        session = calendar.session_of(last_ns, "all") or calendar.last_closed_session(last_ns)
    else:
        session = calendar.session(day)
    span = (session.all[0][0], session.all[-1][1])
    data = tape_of_archive(stores.archive, symbol, tick_size=tick_size_of(symbol), span=span)
    return tape_report(data, TapeTerms(), session_numbers(data.trades.time_ns, calendar))


def _tape_facts(stores: Stores, report: TapeReport) -> Facts:
    times = report.data.trades.time_ns
    first_ns, last_ns = int(times[0]), int(times[-1])
    return Facts(
        tuple(report.data.source.split("+")),
        report.data.is_synthetic,
        report.data.trades.sampled,
        as_of_ns=last_ns,
        gaps=tuple(stores.missing_updates([report.data.symbol], first_ns, last_ns)),
    )


def _tape_summary(report: TapeReport) -> dict[str, Any]:
    document = report.as_dict()
    profile = document["profile"]
    return {
        **{name: document[name] for name in _TAPE},
        **{name: profile[name] for name in ("point_of_control", "value_low", "value_high")},
        "sweeps": len(document["sweeps"]),
        "terms": document["terms"],
    }


def _tape(stores: Stores, symbol: str) -> tuple[dict[str, Any], Facts | None]:
    try:
        report = _tape_report(stores, symbol, None)
    except StackError as error:
        return {"reason": str(error)}, None
    return _tape_summary(report), _tape_facts(stores, report)


def _of(document: Mapping[str, Any], *path: str) -> float | None:
    found: Any = document
    for name in path:
        if not isinstance(found, Mapping):
            return None
        found = found.get(name)
    return None if found is None else float(found)
