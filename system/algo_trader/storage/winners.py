"""The one function that picks the bar to believe when several are stored for one start."""

from __future__ import annotations

import numpy as np

from system.algo_trader.market.bars import Bars, Int64s
from system.algo_trader.market.source import Source


def pick_winners(bars: Bars) -> Bars:
    """Return one bar for every symbol, timeframe, start, session and adjustment.

    The bar of the source with the highest rank wins; among those the highest revision; among
    those the one fetched last; among those the one that stands last in `bars`.

    Args:
        bars: Bars of any series, in the order in which they were stored.

    Returns:
        The winners by rising start within each series.
    """
    if not len(bars):
        return bars
    identity = [_codes(bars, name) for name in ("symbol", "timeframe", "session", "adjustment")]
    key = [*identity, bars.start]
    order = np.lexsort(
        (
            bars.integers("fetched_at"),
            bars.integers("revision"),
            _ranks(bars),
            *reversed(key),
        )
    )
    last = np.ones(len(order), dtype=np.bool_)
    last[:-1] = np.any([column[order][1:] != column[order][:-1] for column in key], axis=0)
    return bars.take(order[last])


def latest_revisions(bars: Bars) -> Bars:
    """Return the newest revision of every key (the source being part of the key)."""
    if not len(bars):
        return bars
    names = ("symbol", "timeframe", "session", "adjustment", "source")
    key = [*(_codes(bars, name) for name in names), bars.start]
    order = np.lexsort((bars.integers("fetched_at"), bars.integers("revision"), *reversed(key)))
    last = np.ones(len(order), dtype=np.bool_)
    last[:-1] = np.any([column[order][1:] != column[order][:-1] for column in key], axis=0)
    return bars.take(order[last])


def _codes(bars: Bars, name: str) -> Int64s:
    """Return numbers that sort as the texts of a column do."""
    words, index = bars.words(name)
    place = np.empty(len(words), dtype=np.int64)
    place[np.argsort(np.array(words), kind="stable")] = np.arange(len(words))
    return np.asarray(place[index])


def _ranks(bars: Bars) -> Int64s:
    words, index = bars.words("source")
    return np.array([Source(word).rank for word in words], dtype=np.int64)[index]
