"""Which of Schwab's streaming services carry an instrument, and under what key."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from infrastructure.errors import UsageError
from infrastructure.exchange.continuous import (
    ContinuousFuture,
    RollRule,
    calendar_legs,
    parse_continuous,
)
from infrastructure.exchange.contracts import active_contract
from infrastructure.exchange.markets import calendar_of
from infrastructure.exchange.symbology import (
    Equity,
    Forex,
    Future,
    FutureOption,
    FutureRoot,
    Index,
    IndicativeValue,
    MutualFund,
    Option,
    Symbol,
    parse_symbol,
)
from infrastructure.schwab.streamer.services import Service
from system.algo_trader.feeds.live import Instrument


def stream_instruments(symbols: Sequence[str], today: date) -> list[Instrument]:
    """Return the instruments of symbols, each once, in their order.

    Args:
        symbols: As a person writes them: AAPL, $SPX, /ES, ES.c.0, an option in any spelling.
        today: Decides which contract the root of a future means.

    Raises:
        UsageError: If one is no symbol, or nothing streams it.
    """
    found: dict[str, Instrument] = {}
    for text in symbols:
        future = parse_continuous(text)
        symbol = _leading(future, today) if future is not None else parse_symbol(text.upper())
        if isinstance(symbol, FutureRoot):
            symbol = active_contract(symbol.root, today)
        instrument = _instrument(symbol)
        found.setdefault(instrument.symbol, instrument)
    return list(found.values())


def _leading(future: ContinuousFuture, today: date) -> Future:
    """Return the contract that a continuous future means today."""
    if future.rule is not RollRule.CALENDAR:
        raise UsageError(
            f"{future} is not streamed: which contract it means is decided by stored bars",
            next_step=f"Stream {future.root}.c.{future.rank}, or the contract that "
            f"`futures rolls {future}` names.",
        )
    return calendar_legs(future, today, today)[0].contract


def _instrument(symbol: Symbol) -> Instrument:
    key = symbol.to_schwab()
    if isinstance(symbol, MutualFund | IndicativeValue):
        raise UsageError(
            f"{key} is not streamed: Schwab streams no funds and no indicative values",
            next_step="Leave it out, or fetch its daily bars with `candles fetch`.",
        )
    if isinstance(symbol, Forex | FutureOption):
        # They have no calendar of their own; their pairs trade on the days of CME's currencies.
        service = (
            Service.LEVELONE_FOREX
            if isinstance(symbol, Forex)
            else Service.LEVELONE_FUTURES_OPTIONS
        )
        return Instrument(key, key, service, "CME_FX")
    return Instrument(key, key, _level_one(symbol), calendar_of(symbol).name)


def _level_one(symbol: Equity | Index | Option | Future | FutureRoot) -> Service:
    if isinstance(symbol, Option):
        return Service.LEVELONE_OPTIONS
    if isinstance(symbol, Future | FutureRoot):
        return Service.LEVELONE_FUTURES
    return Service.LEVELONE_EQUITIES


def chart_service(instrument: Instrument) -> Service | None:
    """Return the service of an instrument's minute bars, None where Schwab has none."""
    charts = {
        Service.LEVELONE_EQUITIES: Service.CHART_EQUITY,
        Service.LEVELONE_FUTURES: Service.CHART_FUTURES,
    }
    return charts.get(Service(instrument.service))


def book_services(instrument: Instrument) -> tuple[Service, ...]:
    """Return the services that may carry an instrument's book.

    The listing decides between NYSE_BOOK and NASDAQ_BOOK, and a symbol does not tell it; a
    service says nothing about keys that it does not know, so both are asked.
    """
    if instrument.service == Service.LEVELONE_OPTIONS:
        return (Service.OPTIONS_BOOK,)
    if instrument.service == Service.LEVELONE_EQUITIES and not instrument.key.startswith("$"):
        return (Service.NASDAQ_BOOK, Service.NYSE_BOOK)
    return ()
