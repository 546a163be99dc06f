"""Set apart rows of one symbol and instant, over all portions of a run."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from infrastructure.influxdb.schema import TIME
from system.algo_trader.market.bars import Int64s
from system.algo_trader.storage.records import EVENT_TIME

_KEPT: Final = 200_000


class SlotCounter:
    """Number rows that share symbol and time, so that InfluxDB merges none of them.

    The numbers are those that a rebuilding of the table gives, as long as rows of one instant
    come in their order. Of what happened long ago nothing is remembered: it does not come again.
    """

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        none = np.empty(0, dtype=np.int64)
        self._symbols, self._times, self._used = none, none, none

    def begin_after(self, stored: pa.Table) -> None:
        """Count rows that were numbered before this counter was made.

        Args:
            stored: Of the dataset's schema, in the order in which they came.
        """
        self._number(*self._keys(stored))

    def numbered(self, rows: pa.Table) -> pa.Table:
        """Return rows of `trades` or `quotes` as rows of their table.

        Args:
            rows: Of the dataset's schema, in the order in which they came.
        """
        slots = self._number(*self._keys(rows))
        return (
            rows.drop_columns([EVENT_TIME])
            .append_column("slot", pa.array(slots).cast(pa.string()))
            .append_column(TIME, rows.column(EVENT_TIME))
        )

    def _keys(self, rows: pa.Table) -> tuple[Int64s, Int64s]:
        words = rows.column("symbol").combine_chunks().dictionary_encode()
        names = words.dictionary.to_pylist()
        codes = [self._codes.setdefault(name, len(self._codes)) for name in names]
        symbols = np.array(codes, dtype=np.int64)[words.indices.to_numpy()]
        return symbols, rows.column(EVENT_TIME).to_numpy()

    def _number(self, symbols: Int64s, times: Int64s) -> Int64s:
        """Return each row's number among those of its key, and remember how many there are."""
        known = len(self._used)
        every_symbol = np.concatenate([self._symbols, symbols])
        every_time = np.concatenate([self._times, times])
        count = np.concatenate([self._used, np.ones(len(symbols), dtype=np.int64)])
        order = np.lexsort((every_time, every_symbol))
        begins = np.ones(len(order), dtype=np.bool_)
        begins[1:] = np.diff(every_symbol[order]) != 0
        begins[1:] |= np.diff(every_time[order]) != 0
        first = np.flatnonzero(begins)
        # The sum of what stands before a row, less what stood there when its key began.
        before = np.concatenate([[0], np.cumsum(count[order])])
        number = np.empty(len(order), dtype=np.int64)
        number[order] = before[:-1] - before[first][np.cumsum(begins) - 1]
        ends = np.append(first[1:], len(order))
        self._symbols, self._times = every_symbol[order][first], every_time[order][first]
        self._used = before[ends] - before[first]
        if len(self._used) > _KEPT:
            newest = np.argpartition(self._times, -_KEPT // 2)[-_KEPT // 2 :]
            self._symbols, self._times = self._symbols[newest], self._times[newest]
            self._used = self._used[newest]
        return number[known:]
