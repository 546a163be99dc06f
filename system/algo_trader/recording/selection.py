"""Which keys of which services are recorded: what a person names, sorted by what it is."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from typing import Final

from infrastructure.errors import UsageError
from infrastructure.exchange.symbology import AssetClass, parse_symbol
from infrastructure.schwab.streamer.services import Service

DEFAULT_SYMBOLS: Final = ("AAPL", "IBM", "MSFT")

_BY_CLASS: Final = {
    AssetClass.EQUITY: (
        Service.LEVELONE_EQUITIES,
        Service.CHART_EQUITY,
        Service.NYSE_BOOK,
        Service.NASDAQ_BOOK,
    ),
    AssetClass.INDEX: (Service.LEVELONE_EQUITIES,),
    AssetClass.OPTION: (Service.LEVELONE_OPTIONS, Service.OPTIONS_BOOK),
    AssetClass.FUTURE: (Service.LEVELONE_FUTURES, Service.CHART_FUTURES),
    AssetClass.FUTURE_OPTION: (Service.LEVELONE_FUTURES_OPTIONS,),
    AssetClass.FOREX: (Service.LEVELONE_FOREX,),
}
_FIXED: Final = {
    Service.SCREENER_EQUITY: ("EQUITY_ALL_VOLUME_0",),
    Service.SCREENER_OPTION: ("OPTION_ALL_PERCENT_CHANGE_UP_0",),
    Service.ACCT_ACTIVITY: ("Account Activity",),
}


_SECONDS: Final = {"s": 1.0, "m": 60.0, "h": 3_600.0}


def parse_seconds(text: str) -> float:
    """Return the seconds of a length of time: `30s`, `10m`, `2h`.

    Raises:
        UsageError: If it is no such length, or not above 0.
    """
    try:
        seconds = float(text[:-1]) * _SECONDS[text[-1:]]
    except (ValueError, KeyError):
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise UsageError(f"--for is a length of time as 30s, 10m or 2h, not {text!r}")
    return seconds


def parse_services(text: str) -> tuple[Service, ...]:
    """Return the services of a list with commas.

    Raises:
        UsageError: If one is unknown; the sentence says which one may be meant.
    """
    services = []
    for word in filter(None, (part.strip() for part in text.split(","))):
        if word.upper() not in Service.__members__:
            close = difflib.get_close_matches(word.upper(), list(Service), n=1, cutoff=0.4)
            hint = f"Did you mean {close[0]}?" if close else f"There are {', '.join(Service)}."
            raise UsageError(f"{word!r} is no service of the streamer", next_step=hint)
        services.append(Service(word.upper()))
    if not services:
        raise UsageError("--services names no service")
    return tuple(dict.fromkeys(services))


def selection(
    symbols: Sequence[str], services: Sequence[Service] | None
) -> dict[Service, tuple[str, ...]]:
    """Return the keys to record by service.

    Args:
        symbols: In Schwab's writing; each goes to the services of its kind.
        services: Only these; None for all but the screeners and account activity.

    Raises:
        UsageError: If a named service has no key among the symbols.
        InputError: If a symbol cannot be read.
    """
    keys: dict[Service, list[str]] = {}
    for symbol in filter(None, dict.fromkeys(symbol.strip() for symbol in symbols)):
        for service in _BY_CLASS.get(parse_symbol(symbol).asset_class, ()):
            keys.setdefault(service, []).append(symbol)
    if services is None:
        if not keys:
            raise UsageError("no symbol is named that Schwab streams")
        return {service: tuple(found) for service, found in keys.items()}
    chosen = {}
    for service in services:
        found = _FIXED.get(service) or tuple(keys.get(service, ()))
        if not found:
            raise UsageError(
                f"none of the symbols is one of {service}",
                next_step=f"Name one with --symbols, or leave {service} out.",
            )
        chosen[service] = found
    return chosen
