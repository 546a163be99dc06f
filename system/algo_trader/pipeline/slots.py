"""Set apart rows of one symbol and instant, over all portions of a run."""

from __future__ import annotations

from collections import Counter
from typing import Final

import pyarrow as pa

from infrastructure.influxdb.schema import TIME
from system.algo_trader.storage.records import EVENT_TIME

_KEPT: Final = 200_000


class SlotCounter:
    """Number rows that share symbol and time, so that InfluxDB merges none of them.

    The numbers are those that a rebuilding of the table gives, as long as rows of one instant
    come in their order.
    """

    def __init__(self) -> None:
        self._used: Counter[tuple[str, int]] = Counter()

    def numbered(self, rows: pa.Table) -> pa.Table:
        """Return rows of `trades` or `quotes` as rows of their table.

        Args:
            rows: Of the dataset's schema, in the order in which they came.
        """
        times = rows.column(EVENT_TIME).to_pylist()
        slots = []
        for key in zip(rows.column("symbol").to_pylist(), times, strict=True):
            slots.append(str(self._used[key]))
            self._used[key] += 1
        if len(self._used) > _KEPT:
            # What happened long ago does not come again; the newest half stays.
            for key in sorted(self._used, key=lambda key: key[1])[: len(self._used) // 2]:
                del self._used[key]
        return (
            rows.drop_columns([EVENT_TIME])
            .append_column("slot", pa.array(slots, pa.string()))
            .append_column(TIME, rows.column(EVENT_TIME))
        )
