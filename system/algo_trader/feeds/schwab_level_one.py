"""Read Schwab's level-one updates as ticks: what is known of a key after each of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from infrastructure.schwab.streamer.services import Service, ServiceSpec
from infrastructure.schwab.streamer.state import Update
from system.algo_trader.market.ticks import NO_TIME, Ticks

_NS_PER_MS: Final = 1_000_000
_NAN: Final = math.nan
_QUOTE: Final = ("bid_price", "ask_price", "bid_size", "ask_size")
_NAMES: Final = (*_QUOTE, "last_price", "last_size", "total_volume", "quote_time", "trade_time")
_PRICES: Final = (0, 1, 4)
_FIRST_TIME: Final = 7
_NOTHING: Final[list[Any]] = [_NAN, _NAN, NO_TIME, NO_TIME, _NAN] + [NO_TIME] * 4
_BELOW_ZERO: Final = (Service.LEVELONE_FUTURES, Service.LEVELONE_FUTURES_OPTIONS)
"""Services whose prices may be negative: a calendar spread, or oil in April 2020."""


class LevelOneReader:
    """Turn the updates of one level-one service into ticks, key by key.

    The first update of a key on a connection is an image of what already was: it shows a quote,
    and no trade. What was traded while no connection stood is in the running total that the image
    brings; it is handed out as `unseen` volume and never as a trade.

    Args:
        spec: The service.
        symbols: The position of every key; updates of other keys are counted in `strangers`.

    Attributes:
        strangers: Updates of keys that nobody asked for.
        unseen: Volume by symbol's position that was traded while nobody listened.
    """

    def __init__(self, spec: ServiceSpec, symbols: dict[str, int]) -> None:
        self._symbols = symbols
        self._below_zero = spec.service in _BELOW_ZERO
        self._word = {name: str(spec.by_name[name].number) for name in _NAMES}
        self._known: dict[str, list[Any]] = {}
        self._images_due: set[str] = set()
        self.strangers = 0
        self.unseen: dict[int, int] = {}

    def disconnected(self) -> None:
        """Expect an image of every key next, since the connection is gone."""
        self._images_due = set(self._known)

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
        rows = []
        sent_ns = timestamp_ms * _NS_PER_MS
        for number, update in enumerate(updates, order):
            key = update["key"]
            symbol = self._symbols.get(key)
            if symbol is None:
                self.strangers += 1
                continue
            rows.append(self._row(key, symbol, update, number, received_ns, sent_ns))
        return Ticks.of_rows(rows)

    def _row(
        self, key: str, symbol: int, update: Update, number: int, received_ns: int, sent_ns: int
    ) -> tuple[Any, ...]:
        is_image = key not in self._known or key in self._images_due
        known = self._known.setdefault(key, _NOTHING.copy())
        total_before, traded_before = known[6], known[8]
        is_quote = False
        for place, name in enumerate(_NAMES):
            value = update.get(self._word[name])
            if value is None:
                continue
            is_quote |= place < 4
            known[place] = self._readable(value, place)
        bid, ask, bid_size, ask_size, last, last_size, total, quoted, traded = known
        ts_quote = quoted if quoted != NO_TIME else sent_ns
        is_trade, volume = False, 0
        if is_image:
            self._images_due.discard(key)
            if NO_TIME not in (total_before, total) and total > total_before:
                self.unseen[symbol] = self.unseen.get(symbol, 0) + total - total_before
        elif NO_TIME in (total, total_before):
            is_trade, volume = traded != traded_before, max(last_size, 0)
        else:
            grown = total - total_before
            is_trade = grown > 0 or traded != traded_before
            # A total that falls is a correction, or begins a new day: the last trade alone is new.
            volume = grown if grown >= 0 else max(last_size, 0)
        is_trade = is_trade and not math.isnan(last)
        ts_trade = traded if traded != NO_TIME else (sent_ns if is_trade else NO_TIME)
        return (
            *(symbol, number, received_ns, ts_quote, ts_trade, bid, ask, bid_size, ask_size),
            *(last, last_size, volume if is_trade else 0, total, is_quote, is_trade),
        )

    def _readable(self, value: Any, place: int) -> Any:
        """Return a value of the wire in our units: NaN or `NO_TIME` for none, times in ns."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if place in _PRICES:
            usable = number and (value > 0 or (value < 0 and self._below_zero))
            return float(value) if usable else _NAN
        if not number or not math.isfinite(value) or value < 0:
            return NO_TIME
        return int(value) * _NS_PER_MS if place >= _FIRST_TIME else int(value)
