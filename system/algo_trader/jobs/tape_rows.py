"""Classified trades as rows of `tape_metrics`, one a stretch of time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from infrastructure.exchange.zones import NEW_YORK, local_dates
from infrastructure.influxdb.schema import TIME
from system.algo_trader.storage.tables import TAPE_METRICS
from system.algo_trader.tape.classify import Classified
from system.algo_trader.tape.columns import Int64s
from system.algo_trader.tape.statistics import statistics_by_interval
from system.algo_trader.tape.volume import cumulative_delta, vwap_bands


def tape_rows(
    tape: Classified,
    interval_ns: int,
    *,
    symbol: str,
    timeframe: str,
    source: str,
    is_synthetic: bool,
    sessions: Int64s | None = None,
) -> pa.Table:
    """Return one row of `tape_metrics` for every stretch that holds a trade.

    Args:
        tape: Classified trades; a sampled feed's rows describe the sample.
        interval_ns: Length of a stretch; they begin at multiples of it since 1970.
        symbol: What was traded.
        timeframe: The name of the stretch, such as 1m.
        source: Where the trades came from.
        is_synthetic: Whether they were made up.
        sessions: A number of each trade's session, rising, int64 (n,); None for the New York day.
            Running sums begin anew where it changes.

    Raises:
        InputError: If the interval is not positive.
    """
    times = tape.trades.time_ns
    if sessions is None:
        sessions = local_dates(times, NEW_YORK).astype(np.int64)
    starts = np.diff(sessions, prepend=sessions[:1] - 1) != 0
    running = cumulative_delta(tape, starts=starts).values
    average = vwap_bands(tape.trades, starts=starts).vwap
    found = statistics_by_interval(tape, interval_ns)
    last = np.searchsorted(times, [each.end_ns for each in found], side="left") - 1
    columns: dict[str, Any] = {
        "symbol": [symbol] * len(found),
        "timeframe": [timeframe] * len(found),
        "source": [source] * len(found),
        "buy_volume": [round(each.bought) for each in found],
        "sell_volume": [round(each.sold) for each in found],
        "unknown_volume": [round(each.unknown) for each in found],
        "delta": [round(each.delta) for each in found],
        "cumulative_delta": [round(value) for value in running[last].tolist()],
        "vwap": [None if np.isnan(value) else value for value in average[last].tolist()],
        "trades": [each.trades for each in found],
        "large_trades": [each.blocks for each in found],
        "sweeps": [each.sweeps for each in found],
        "at_bid": [each.at_quote.at_bid for each in found],
        "at_mid": [each.at_quote.at_mid for each in found],
        "at_ask": [each.at_quote.at_ask for each in found],
        "basis": [str(each.basis) for each in found],
        "sampled": [each.sampled for each in found],
        "is_synthetic": [is_synthetic] * len(found),
    }
    arrays = {
        column.name: pa.array(columns[column.name], column.arrow_type)
        for column in TAPE_METRICS.columns
    }
    return pa.table({**arrays, TIME: pa.array([each.start_ns for each in found], pa.int64())})
