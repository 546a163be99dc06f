"""The last quote of every symbol, written by a thread of its own so that nothing waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any, Final, Protocol

import numpy as np

from infrastructure.logging import get_logger
from system.algo_trader.market.ticks import NO_TIME, Ticks
from system.algo_trader.storage.hot_keys import QUOTE

_COLUMNS: Final = (
    *("bid", "bid_size", "ask", "ask_size", "last", "last_size", "total"),
    *("ts_quote", "ts_trade", "ts_recv", "order"),
)
QUOTE_FIELDS: Final = (*_COLUMNS[:-1], "sequence")
"""What a hash `quote:{symbol}` holds beside `source` and `is_synthetic`; unknown is absent."""

EVERY_S: Final = 0.2
"""How often they are written: of what came in between, the newest of each symbol."""
_AT_ONCE: Final = 32
_PAUSE_S: Final = 0.002
"""After so many symbols the thread rests: frames on their way need the interpreter too."""
_log = get_logger("pipeline.last_quotes")


class LastValues(Protocol):
    """Merge last values: the part of `HotHashes` that is needed."""

    def update(self, name: str, fields: Mapping[str, Any]) -> None:
        """Merge fields into a hash; None removes one."""

    def flush(self) -> bool:
        """Send what changed."""


class LastQuotes:
    """Keep the newest row of each symbol and write it soon.

    Args:
        values: Where to.
        names: The list of symbols; rows name them by position.
        facts: Fields that every hash has.
        every_s: Seconds between two writes.
    """

    def __init__(
        self,
        values: LastValues,
        names: tuple[str, ...],
        facts: Mapping[str, str],
        every_s: float = EVERY_S,
    ) -> None:
        self._values = values
        self._keys = [QUOTE.of(symbol=name) for name in names]
        self._facts = facts
        self._every_s = every_s
        self._newest: dict[int, tuple[Ticks, int]] = {}
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="to-quotes", daemon=True)
        self._thread.start()

    def take(self, ticks: Ticks) -> None:
        """Take rows; the last one of a symbol is what is known of it.

        Raises:
            BaseException: What ended the thread, if it failed.
        """
        if self._failure is not None:
            raise self._failure
        with self._lock:
            for row, symbol in enumerate(ticks.symbol.tolist()):
                self._newest[symbol] = (ticks, row)

    def close(self, timeout_s: float) -> bool:
        """Write what waits and end; say whether that was done in time. Errors as `take`."""
        self._ending.set()
        self._thread.join(timeout_s)
        if self._failure is not None:
            raise self._failure
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._ending.wait(self._every_s):
                self._write()
            self._write()
        except BaseException as error:
            _log.error("last quotes are not written any more: %s", error)
            self._failure = error

    def _write(self) -> None:
        with self._lock:
            newest, self._newest = self._newest, {}
        by_frame: dict[int, list[tuple[int, Ticks, int]]] = {}
        for symbol, (frame, row) in newest.items():
            by_frame.setdefault(id(frame), []).append((symbol, frame, row))
        waiting = 0
        for mine in by_frame.values():
            for first in range(0, len(mine), _AT_ONCE):
                waiting += self._merge(mine[first : first + _AT_ONCE])
                if waiting >= _AT_ONCE:
                    waiting = 0
                    self._values.flush()
                    time.sleep(_PAUSE_S)
        if waiting:
            self._values.flush()

    def _merge(self, mine: list[tuple[int, Ticks, int]]) -> int:
        """Merge rows of one frame; return how many."""
        frame = mine[0][1]
        rows = np.array([row for _, _, row in mine])
        columns = [getattr(frame, name)[rows].tolist() for name in _COLUMNS]
        for (symbol, _, _), values in zip(mine, zip(*columns, strict=True), strict=True):
            fields = {
                name: None if value == NO_TIME or value != value else value
                for name, value in zip(QUOTE_FIELDS, values, strict=True)
            }
            self._values.update(self._keys[symbol], {**fields, **self._facts})
        return len(mine)
