"""Which bars should exist: the starts of bars inside the hours of a market."""

from __future__ import annotations

import numpy as np

from infrastructure.exchange.zones import Instants


def bar_starts_in_spans(spans: Instants, step_ns: int, start_ns: int, end_ns: int) -> Instants:
    """Return the starts of the bars of one length inside spans of trading.

    Bars are counted from the start of each span, as Schwab and the exchanges do: an hour bar of
    the regular session starts at 09:30, and the last one of a span may be shorter than its name.

    Args:
        spans: int64 (n, 2), start and end in nanoseconds UTC, in order and not overlapping.
        step_ns: Length of a bar in nanoseconds.
        start_ns: First instant at which a bar may start.
        end_ns: Instant before which it must start.

    Returns:
        int64 nanoseconds UTC, strictly rising.
    """
    opens, closes = spans[:, 0], spans[:, 1]
    first = np.maximum(_ceil_div(start_ns - opens, step_ns), 0)
    stop = _ceil_div(np.minimum(closes, end_ns) - opens, step_ns)
    counts = np.maximum(stop - first, 0)
    total = int(counts.sum())
    rows = np.repeat(np.arange(counts.size), counts)
    before = np.cumsum(counts) - counts
    position = np.arange(total, dtype=np.int64) - before[rows] + first[rows]
    starts: Instants = opens[rows] + position * step_ns
    return starts


def _ceil_div(values: Instants, step: int) -> Instants:
    result: Instants = -(-values // step)
    return result
