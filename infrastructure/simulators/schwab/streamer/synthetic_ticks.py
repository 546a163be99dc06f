"""Invent ticks of level one fast: trades and quotes of many symbols at a steady rate, by seed."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from infrastructure.errors import InputError
from infrastructure.simulators.schwab.streamer.equity_line import LEVELONE_EQUITIES
from infrastructure.simulators.schwab.streamer.forms import service_forms
from infrastructure.simulators.schwab.streamer.sources import Publish

_NS_PER_S: Final = 1_000_000_000
_NS_PER_MS: Final = 1_000_000
_CHUNK: Final = 4_096
_LARGEST_STEP: Final = 3
ASSETS: Final = {LEVELONE_EQUITIES: "EQUITY", "LEVELONE_OPTIONS": "OPTION"}
_FIRST_CENTS: Final = (2_000, 40_000)


class SyntheticTicks:
    """Tell ticks of a level-one service for symbols SIM0000, SIM0001 and so on.

    Tick number n happens at `start_ns + n / rate`, until another pace is set, and is the same for
    one seed however the time is stepped. Ticks of symbols that nobody asked for are passed over.

    Args:
        symbols: How many symbols.
        rate: Ticks a second of market time, of all symbols together.
        start_ns: When the first tick happens, nanoseconds UTC.
        seed: Of prices, sizes and the order of symbols.
        service: LEVELONE_EQUITIES or LEVELONE_OPTIONS.
        prefix: Begins every symbol.

    Raises:
        InputError: If there is no symbol or no rate.
    """

    def __init__(
        self,
        symbols: int,
        rate: int,
        start_ns: int,
        seed: int = 0,
        *,
        service: str = LEVELONE_EQUITIES,
        prefix: str = "SIM",
    ) -> None:
        if symbols < 1 or rate < 1:
            raise InputError(f"ticks need a symbol and a rate, not {symbols} and {rate}")
        self.symbols = tuple(f"{prefix}{number:04d}" for number in range(symbols))
        self._numbers = {symbol: number for number, symbol in enumerate(self.symbols)}
        self._service = service
        self._rate = rate
        self._start_ns = start_ns
        self._chance = np.random.Generator(np.random.PCG64(seed))
        draws = self._chance.random(symbols)
        low, high = _FIRST_CENTS
        self._cents = [low + int(draw * (high - low)) for draw in draws]
        self._base = list(self._cents)
        self._volume = [0] * symbols
        self._opened = [False] * symbols
        self._next = 0
        self._paced = 0
        self._chunk: list[tuple[int, int, int]] = []
        self._place = 0
        form = service_forms()[self._service]
        names = ("bidPrice", "askPrice", "lastPrice", "totalVolume", "lastSize", "quoteTime")
        self._bid, self._ask, self._last, self._total, self._size, self._quote = (
            form.number(name) for name in names
        )
        self._trade, self._mark, self._change = (
            form.number(name) for name in ("tradeTime", "mark", "netChange")
        )

    def pace(self, rate: int, now_ns: int) -> None:
        """Go on at another rate from a moment on.

        Args:
            rate: Ticks a second of market time.
            now_ns: The moment, nanoseconds UTC; the next tick happens then.

        Raises:
            InputError: If there is no rate.
        """
        if rate < 1:
            raise InputError(f"ticks need a rate, not {rate}")
        self._rate, self._start_ns, self._paced = rate, now_ns, self._next

    def open(self, service: str, key: str, now_ns: int, publish: Publish) -> bool:
        """Publish a symbol's whole state; False for other services and symbols."""
        number = self._numbers.get(key)
        if service != self._service or number is None:
            return False
        self._opened[number] = True
        cents = self._base[number] / 100
        form = service_forms()[self._service]
        facts = {
            "description": f"SIMULATED {key}",
            "exchangeName": "NASDAQ",
            "securityStatus": "Normal",
            "closePrice": cents,
            "openPrice": cents,
            "bidSize": 100,
            "askSize": 100,
        }
        values = form.filled(facts)
        values |= self._values(number, now_ns // _NS_PER_MS, 0)
        extras = {"delayed": False, "assetMainType": ASSETS[self._service]}
        publish(service, key, values, extras)
        return True

    def advance(self, now_ns: int, publish: Publish) -> None:
        """Publish the ticks up to a moment."""
        until = self._paced + (now_ns - self._start_ns) * self._rate // _NS_PER_S + 1
        step_ns, start = _NS_PER_S / self._rate, self._start_ns
        while self._next < until:
            if self._place == len(self._chunk):
                self._draw()
            number, cents, size = self._chunk[self._place]
            self._place += 1
            moment_ms = (start + round((self._next - self._paced) * step_ns)) // _NS_PER_MS
            self._next += 1
            self._cents[number] = max(100, self._cents[number] + cents)
            self._volume[number] += size
            if self._opened[number]:
                values = self._values(number, moment_ms, size)
                publish(self._service, self.symbols[number], values)

    def _values(self, number: int, moment_ms: int, size: int) -> dict[str, Any]:
        cents = self._cents[number]
        last = cents / 100
        return {
            self._bid: (cents - 1) / 100,
            self._ask: (cents + 1) / 100,
            self._last: last,
            self._total: self._volume[number],
            self._size: size,
            self._quote: moment_ms,
            self._trade: moment_ms,
            self._mark: last,
            self._change: (cents - self._base[number]) / 100,
        }

    def _draw(self) -> None:
        draws = self._chance.random((3, _CHUNK))
        numbers = (draws[0] * len(self.symbols)).astype(np.int64)
        steps = np.floor(draws[1] * (2 * _LARGEST_STEP + 1)).astype(np.int64) - _LARGEST_STEP
        sizes = 100 * (1 + np.floor(draws[2] * 10).astype(np.int64))
        self._chunk = list(zip(numbers.tolist(), steps.tolist(), sizes.tolist(), strict=True))
        self._place = 0
