"""Stream invented options, futures, futures options and forex: seeded functions of the time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from zlib import crc32

from infrastructure.errors import UnknownSymbol
from infrastructure.exchange.contracts import active_contract, spec
from infrastructure.exchange.symbology import parse_symbol
from infrastructure.exchange.symbols import Forex, Future, FutureOption, FutureRoot, Option
from infrastructure.exchange.timeframes import trading_date
from infrastructure.exchange.zones import local_moment_ns
from infrastructure.simulators.schwab.replay_rows import NEW_YORK
from infrastructure.simulators.schwab.streamer import derived_values
from infrastructure.simulators.schwab.streamer.book import book_values
from infrastructure.simulators.schwab.streamer.derived_values import (
    FOREX,
    FUTURES,
    FUTURES_OPTIONS,
    OPTIONS,
    RATE,
    VOLATILITY,
    Quote,
    priced,
)
from infrastructure.simulators.schwab.streamer.equity_feed import EquityFeed
from infrastructure.simulators.schwab.streamer.forms import service_forms
from infrastructure.simulators.schwab.streamer.option_value import option_value
from infrastructure.simulators.schwab.streamer.sources import Publish
from infrastructure.simulators.schwab.streamer.waves import Wave

OPTIONS_BOOK: Final = "OPTIONS_BOOK"
CHART_FUTURES: Final = "CHART_FUTURES"

_NS_PER_S: Final = 1_000_000_000
_NS_PER_MS: Final = 1_000_000
_NS_PER_MINUTE: Final = 60 * _NS_PER_S
_NICKEL: Final = 0.05
_PIP: Final = 0.0001
_QUARTER_YEAR: Final = 0.25
_Values = Callable[[int], dict[str, Any]]


class DerivedFeed:
    """Invent what the replayed market does not trade; one quote a second and key.

    Args:
        equities: Whose prices options follow.
        seed: Of all that is invented.
        chart_delay_s: Seconds after the end of a minute until its bar is told.
    """

    def __init__(self, equities: EquityFeed, seed: int = 0, chart_delay_s: float = 3.0) -> None:
        self._equities = equities
        self._seed = seed
        self._delay_ns = round(chart_delay_s * _NS_PER_S)
        self._values: dict[tuple[str, str], _Values] = {}
        self._told: dict[tuple[str, str], int] = {}

    def open(self, service: str, key: str, now_ns: int, publish: Publish) -> bool:
        """Publish a key's state; False for other services and for what is no symbol of one."""
        try:
            symbol = parse_symbol(key)
            values = self._maker(service, key, symbol, now_ns)
        except UnknownSymbol:
            return False
        if values is None:
            return False
        if service == CHART_FUTURES:
            minute = now_ns // _NS_PER_MINUTE - 1
            self._told[service, key] = minute
            publish(service, key, values(minute * _NS_PER_MINUTE))
        else:
            self._told[service, key] = now_ns // _NS_PER_S
            extras = {"delayed": False, "assetMainType": service.removeprefix("LEVELONE_")[:6]}
            told = values(now_ns)
            publish(service, key, told, extras if service.startswith("LEVELONE_") else None)
        self._values[service, key] = values
        return True

    def values(self, service: str, key: str, now_ns: int) -> dict[str, Any] | None:
        """Return a key's fields at a moment, None for what is no symbol of the service."""
        try:
            values = self._maker(service, key, parse_symbol(key), now_ns)
        except UnknownSymbol:
            return None
        return None if values is None else values(now_ns)

    def advance(self, now_ns: int, publish: Publish) -> None:
        """Publish every second and every minute up to a moment."""
        for (service, key), values in self._values.items():
            step, delay = _NS_PER_S, 0
            until = now_ns // _NS_PER_S
            if service == CHART_FUTURES:
                step, delay = _NS_PER_MINUTE, self._delay_ns
                until = (now_ns - delay) // _NS_PER_MINUTE - 1
            for number in range(self._told[service, key] + 1, until + 1):
                publish(service, key, values(number * step))
            self._told[service, key] = max(until, self._told[service, key])

    def _maker(self, service: str, key: str, symbol: Any, now_ns: int) -> _Values | None:
        if service in (OPTIONS, OPTIONS_BOOK) and isinstance(symbol, Option):
            return self._option(service, key, symbol, now_ns)
        if service == FUTURES and isinstance(symbol, Future | FutureRoot):
            return self._future(symbol, now_ns)
        if service == CHART_FUTURES and isinstance(symbol, Future | FutureRoot):
            wave = self._future_wave(symbol.root)
            return lambda minute_ns: _minute(wave, minute_ns)
        if service == FUTURES_OPTIONS and isinstance(symbol, FutureOption):
            return self._future_option(symbol)
        if service == FOREX and isinstance(symbol, Forex):
            wave = Wave(key, 1 + crc32(key.encode()) % 100 / 100, _PIP, self._seed)
            return lambda moment: derived_values.forex_fields(symbol, _quote(wave, moment))
        return None

    def _option(self, service: str, key: str, option: Option, now_ns: int) -> _Values | None:
        line = self._equities.line(option.root, now_ns)
        if line is None:
            return None

        def fields(moment_ns: int) -> dict[str, Any]:
            today, spot = trading_date(moment_ns), line.last
            value = priced(option, spot, today)
            last = max(0.01, round(value.value, 2))
            before = priced(option, line.previous_close or spot, today).value
            quote = Quote(
                last,
                0.01,
                max(0.01, round(before, 2)),
                _traded(self._seed, key, moment_ns),
                moment_ns // _NS_PER_MS,
            )
            return derived_values.option_fields(option, spot, value, quote, today)

        def book(moment_ns: int) -> dict[str, Any]:
            today = trading_date(moment_ns)
            price = max(0.3, round(priced(option, line.last, today).value, 2))
            return book_values(
                service,
                key,
                price,
                _NICKEL,
                moment_ns // _NS_PER_MS,
                local_moment_ns(today, 0, NEW_YORK) // _NS_PER_MS,
                self._seed,
            )

        return fields if service == OPTIONS else book

    def _future(self, symbol: Future | FutureRoot, now_ns: int) -> _Values:
        product = spec(symbol.root)
        multiplier, tick = float(product.multiplier), float(product.tick_size)
        active = active_contract(symbol.root, trading_date(now_ns)).to_schwab()
        wave = self._future_wave(symbol.root)
        return lambda moment: derived_values.future_fields(
            f"/{symbol.root}", active, product.name, multiplier, tick, _quote(wave, moment)
        )

    def _future_wave(self, root: str) -> Wave:
        tick = float(spec(root).tick_size)
        return Wave(f"/{root}", tick * (5_000 + crc32(root.encode()) % 10_000), tick, self._seed)

    def _future_option(self, option: FutureOption) -> _Values:
        wave = Wave(f"./{option.root}", float(option.strike), _NICKEL, self._seed)
        underlying = f"/{option.root}"

        def fields(moment_ns: int) -> dict[str, Any]:
            strike, is_call = float(option.strike), option.right == "C"
            spot = wave.price(moment_ns)
            value = option_value(spot, strike, _QUARTER_YEAR, VOLATILITY, RATE, is_call=is_call)
            last = max(_NICKEL, round(round(value.value / _NICKEL) * _NICKEL, 10))
            quote = Quote(
                last,
                _NICKEL,
                last,
                _traded(self._seed, underlying, moment_ns),
                moment_ns // _NS_PER_MS,
            )
            return derived_values.future_option_fields(
                underlying, strike, str(option.right), 1.0, quote
            )

        return fields


def _quote(wave: Wave, moment_ns: int) -> Quote:
    midnight = local_moment_ns(trading_date(moment_ns), 0, NEW_YORK)
    volume = _traded(wave.seed, wave.name, moment_ns)
    return Quote(
        wave.price(moment_ns),
        wave.tick,
        wave.price(midnight),
        volume,
        moment_ns // _NS_PER_MS,
    )


def _traded(seed: int, name: str, moment_ns: int) -> int:
    """Return an invented volume of the day that never falls within it."""
    midnight = local_moment_ns(trading_date(moment_ns), 0, NEW_YORK)
    return (moment_ns - midnight) // _NS_PER_S * (1 + crc32(f"{seed}|{name}".encode()) % 3)


def _minute(wave: Wave, minute_ns: int) -> dict[str, Any]:
    """Return CHART_FUTURES by number: the prices of the minute's 60 seconds."""
    prices = [wave.price(minute_ns + second * _NS_PER_S) for second in range(60)]
    first = minute_ns // _NS_PER_S
    return service_forms()[CHART_FUTURES].numbered(
        {
            "chartTime": minute_ns // _NS_PER_MS,
            "openPrice": prices[0],
            "highPrice": max(prices),
            "lowPrice": min(prices),
            "closePrice": prices[-1],
            "volume": float(sum(wave.volume(first + second) for second in range(60))),
        }
    )
