"""Read Schwab's level-one updates as ticks: what is known of a key after each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from infrastructure.schwab.streamer.services import Service, ServiceSpec
from infrastructure.schwab.streamer.updates import Columns, Update, columns_of
from system.algo_trader.feeds.level_one_kernels import FIELDS, WHOLE, level_one_kernel
from system.algo_trader.market.ticks import Ticks

_NS_PER_MS: Final = 1_000_000
_QUOTE: Final = ("bid_price", "ask_price", "bid_size", "ask_size")
_NAMES: Final = (*_QUOTE, "last_price", "last_size", "total_volume", "quote_time", "trade_time")
_BELOW_ZERO: Final = (Service.LEVELONE_FUTURES, Service.LEVELONE_FUTURES_OPTIONS)
"""Services whose prices may be negative: a calendar spread, or oil in April 2020."""


class LevelOneReader:
    """Turn the updates of one level-one service into ticks, key by key.

    The first update of a key on a connection is an image of what already was: it shows a quote,
    and no trade. What was traded while no connection stood is in the running total that the image
    brings; it is handed out as `unseen` volume and never as a trade. A field that holds no number
    has not changed; a price or count that none can be is unknown from then on.

    Args:
        spec: The service.
        symbols: The position of every key; updates of other keys are counted in `strangers`.

    Attributes:
        numbers: The field numbers that it reads.
        strangers: Updates of keys that nobody asked for.
    """

    def __init__(self, spec: ServiceSpec, symbols: dict[str, int]) -> None:
        self._symbols = symbols
        self._below_zero = spec.service in _BELOW_ZERO
        self.numbers = tuple(spec.by_name[name].number for name in _NAMES)
        self._words = {name: str(spec.by_name[name].number) for name in _NAMES}
        count = max(symbols.values(), default=-1) + 1
        self._known = np.full((count, FIELDS), np.nan)
        self._is_known = np.zeros(count, dtype=np.bool_)
        self._image_due = np.zeros(count, dtype=np.bool_)
        self._unseen = np.zeros(count, dtype=np.int64)
        self.strangers = 0

    @property
    def unseen(self) -> dict[int, int]:
        """Return the volume by symbol's position that was traded while nobody listened."""
        places = np.flatnonzero(self._unseen)
        return dict(zip(places.tolist(), self._unseen[places].tolist(), strict=True))

    def disconnected(self) -> None:
        """Expect an image of every key next, since the connection is gone."""
        self._image_due[:] = self._is_known

    def read(
        self, updates: Sequence[Update], *, timestamp_ms: int, received_ns: int, order: int
    ) -> Ticks:
        """Return the updates of one frame as ticks.

        Args:
            updates: As the wire has them, in their order.
            timestamp_ms: When the server sent the frame, milliseconds UTC.
            received_ns: When it reached us, nanoseconds UTC.
            order: Number of the first update within the run.
        """
        columns = columns_of([update["key"] for update in updates], updates, self.numbers)
        return self.read_columns(
            columns, timestamp_ms=timestamp_ms, received_ns=received_ns, order=order
        )

    def read_named(
        self, records: Mapping[str, Mapping[str, Any]], *, received_ns: int, order: int
    ) -> Ticks:
        """Return quotes that were asked for as ticks.

        Args:
            records: By key, values by the service's names.
            received_ns: As in `read`.
            order: As in `read`.
        """
        updates = [
            {"key": key, **{self._words[name]: record.get(name) for name in _NAMES}}
            for key, record in records.items()
        ]
        return self.read(
            updates,
            timestamp_ms=received_ns // _NS_PER_MS,
            received_ns=received_ns,
            order=order,
        )

    def read_columns(
        self, columns: Columns, *, timestamp_ms: int, received_ns: int, order: int
    ) -> Ticks:
        """Return the updates of one frame as ticks.

        Args:
            columns: The fields `numbers` of the updates, in their order.
            timestamp_ms: As in `read`.
            received_ns: As in `read`.
            order: As in `read`.
        """
        symbols = self._symbols
        symbol = np.array([symbols.get(key, -1) for key in columns.keys], dtype=np.int64)
        orders = np.arange(order, order + len(symbol))
        changed = columns.values
        ours = symbol >= 0
        if not ours.all():
            self.strangers += int((~ours).sum())
            symbol, orders, changed = symbol[ours], orders[ours], changed[ours]
        count = len(symbol)
        whole = np.empty((WHOLE, count), dtype=np.int64)
        prices = np.empty((3, count))
        is_quote = np.empty(count, dtype=np.bool_)
        is_trade = np.empty(count, dtype=np.bool_)
        level_one_kernel(
            symbol,
            changed,
            self._below_zero,
            timestamp_ms * _NS_PER_MS,
            self._known,
            self._is_known,
            self._image_due,
            self._unseen,
            whole,
            prices,
            is_quote,
            is_trade,
        )
        place, ts_quote, ts_trade, bid_size, ask_size, last_size, volume, total = whole
        bid, ask, last = prices
        return Ticks(
            symbol=place,
            order=orders,
            ts_recv=np.full(count, received_ns, dtype=np.int64),
            ts_quote=ts_quote,
            ts_trade=ts_trade,
            bid=bid,
            ask=ask,
            bid_size=bid_size,
            ask_size=ask_size,
            last=last,
            last_size=last_size,
            volume=volume,
            total=total,
            is_quote=is_quote,
            is_trade=is_trade,
        )
