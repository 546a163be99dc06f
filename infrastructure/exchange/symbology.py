"""Read symbols: Schwab's spellings, and the usual others, into the types of `symbols`."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Final, cast

from infrastructure.errors import InputError, UnknownSymbol
from infrastructure.exchange.months import MONTH_CODES, month_of_code
from infrastructure.exchange.symbols import (
    AssetClass,
    Equity,
    Forex,
    Future,
    FutureOption,
    FutureRoot,
    Index,
    IndicativeValue,
    MutualFund,
    Option,
    Right,
    Symbol,
)

__all__ = [
    "AssetClass",
    "Equity",
    "Forex",
    "Future",
    "FutureOption",
    "FutureRoot",
    "Index",
    "IndicativeValue",
    "MutualFund",
    "Option",
    "Right",
    "Symbol",
    "parse_option",
    "parse_symbol",
]

FORMS: Final = (
    "a stock (AAPL, BRK.B), a fund (AAAHX), an index ($SPX), an option "
    "(AAPL  251219C00200000), a future (/ESZ25, /ES), a future option (./OZCZ23C565) "
    "or a currency pair (EUR/USD)"
)

# ISO 4217 codes that trade as spot pairs; without the list EUR/USD would read as a share class.
CURRENCIES: Final = frozenset(
    [
        "AUD",
        "BRL",
        "CAD",
        "CHF",
        "CNH",
        "CZK",
        "DKK",
        "EUR",
        "GBP",
        "HKD",
        "HUF",
        "ILS",
        "JPY",
        "MXN",
        "NOK",
        "NZD",
        "PLN",
        "SEK",
        "SGD",
        "THB",
        "TRY",
        "USD",
        "ZAR",
    ]
)
# Indices that people type without the dollar sign and that name no listed stock.
BARE_INDICES: Final = frozenset({"COMPX", "DJI", "DJX", "NDX", "OEX", "RUT", "SPX", "VIX", "XSP"})
# Other houses' names of the same indices.
FOREIGN_INDICES: Final = {
    "GSPC": "SPX",
    "DJI": "DJI",
    "IXIC": "COMPX",
    "NDX": "NDX",
    "RUT": "RUT",
    "VIX": "VIX",
}

_MONTH: Final = f"[{MONTH_CODES}]"
_ROOT: Final = r"[A-Z0-9]{1,4}?"
_OPTION: Final = re.compile(r"([A-Z][A-Z0-9]{0,5})\s*(\d{6})([CP])(\d{8})")
_FUTURE: Final = re.compile(rf"/?({_ROOT})({_MONTH})(\d{{1,4}})")
_FUTURE_ROOT: Final = re.compile(r"/([A-Z0-9]{1,4})")
_FUTURE_OPTION: Final = re.compile(
    rf"\./([A-Z0-9]{{1,4}}?)({_MONTH})(\d{{2}})([CP])(\d+(?:\.\d+)?)"
)
_FOREX: Final = re.compile(r"([A-Z]{3})/([A-Z]{3})")
_INDEX: Final = re.compile(r"\$([A-Z0-9]{1,10})")
_INDICATIVE: Final = re.compile(r"\$([A-Z0-9]{1,6})\.IV")
_FUND: Final = re.compile(r"[A-Z]{4}X")
_EQUITY: Final = re.compile(r"([A-Z]{1,5})(?:[./ -]([A-Z]{1,4}))?")


def parse_symbol(text: str) -> Symbol:
    """Read a symbol in Schwab's spelling or a usual other one.

    Letters may be small. Share classes may be written BRK.B, BRK-B or BRK/B; options padded or
    compact (AAPL251219C00200000); futures with or without the slash and with two or four digits
    of the year (NQU25, /NQU2025, /6EZ25).

    The reading is of the form only: whether a product lists that month is `contracts.expiry`'s
    question, whether the instrument exists is the provider's.

    Raises:
        UnknownSymbol: If the text has none of the forms; says what was expected and, where there
            is one, the likely meaning.
    """
    symbol = text.strip().upper()
    if not symbol:
        raise UnknownSymbol("the symbol is empty", next_step=f"Expected {FORMS}.")
    for reader in _READERS:
        found = reader(symbol)
        if found is not None:
            return found
    raise UnknownSymbol(
        f"cannot read the symbol {text!r}", next_step=f"Expected {FORMS}.", symbol=text
    )


def parse_option(text: str) -> Option:
    """Read an option symbol, padded to 21 characters or compact.

    Raises:
        UnknownSymbol: If the text is not an option symbol.
    """
    found = _option(text.strip().upper())
    if found is None:
        raise UnknownSymbol(
            f"{text!r} is not an option symbol",
            next_step="Expected root, YYMMDD, C or P and the strike in thousandths with eight "
            "digits: AAPL  251219C00200000.",
            symbol=text,
        )
    return found


def _option(symbol: str) -> Option | None:
    match = _OPTION.fullmatch(symbol)
    if match is None:
        return None
    root, yymmdd, right, strike = match.groups()
    try:
        expiry = date(2000 + int(yymmdd[:2]), int(yymmdd[2:4]), int(yymmdd[4:]))
        return Option(root, expiry, cast("Right", right), int(strike))
    except InputError as error:
        raise UnknownSymbol(f"{symbol!r}: {error.message}", symbol=symbol) from error
    except ValueError as error:
        raise UnknownSymbol(
            f"{symbol!r} has the expiry {yymmdd}, which is no date",
            next_step="Expected YYMMDD after the root.",
            symbol=symbol,
        ) from error


def _future_option(symbol: str) -> FutureOption | None:
    match = _FUTURE_OPTION.fullmatch(symbol)
    if match is None:
        return None
    root, month, year, right, strike = match.groups()
    return FutureOption(
        root, 2000 + int(year), month_of_code(month), cast("Right", right), _plain(strike)
    )


def _plain(number: str) -> Decimal:
    """Return a decimal without trailing zeros and without an exponent."""
    value = Decimal(number).normalize()
    return value.quantize(Decimal(1)) if value == value.to_integral_value() else value


def _future(symbol: str) -> Future | None:
    match = _FUTURE.fullmatch(symbol)
    if match is None:
        return None
    root, month, year = match.groups()
    if len(year) in (1, 3):
        raise UnknownSymbol(
            f"{symbol!r} does not say which decade {month}{year} lies in",
            next_step=f"Write the year with two digits: /{root}{month}2{year[-1]}.",
            symbol=symbol,
        )
    full_year = int(year) if len(year) == 4 else 2000 + int(year)
    try:
        return Future(root, full_year, month_of_code(month))
    except InputError as error:
        raise UnknownSymbol(f"{symbol!r}: {error.message}", symbol=symbol) from error


def _future_root(symbol: str) -> FutureRoot | None:
    match = _FUTURE_ROOT.fullmatch(symbol)
    return FutureRoot(match[1]) if match else None


def _index(symbol: str) -> Index | IndicativeValue | None:
    if symbol.startswith("^"):
        ticker = FOREIGN_INDICES.get(symbol[1:], symbol[1:])
        raise _meant(symbol, f"${ticker}", "indices have a dollar sign here")
    if not symbol.startswith("$"):
        if symbol in BARE_INDICES:
            raise _meant(symbol, f"${symbol}", "indices have a dollar sign here")
        return None
    if symbol.endswith(".X"):
        raise _meant(symbol, symbol[:-2], "the ending .X is TD Ameritrade's and Schwab rejects it")
    indicative = _INDICATIVE.fullmatch(symbol)
    if indicative:
        return IndicativeValue(indicative[1])
    match = _INDEX.fullmatch(symbol)
    return Index(match[1]) if match else None


def _forex(symbol: str) -> Forex | None:
    match = _FOREX.fullmatch(symbol)
    if match is None or not {match[1], match[2]} <= CURRENCIES:
        return None
    if match[1] == match[2]:
        raise UnknownSymbol(f"{symbol!r} pairs a currency with itself", symbol=symbol)
    return Forex(match[1], match[2])


def _fund(symbol: str) -> MutualFund | None:
    return MutualFund(symbol) if _FUND.fullmatch(symbol) else None


def _equity(symbol: str) -> Equity | None:
    match = _EQUITY.fullmatch(symbol)
    return Equity(match[1], match[2] or "") if match else None


def _meant(symbol: str, likely: str, reason: str) -> UnknownSymbol:
    return UnknownSymbol(
        f"{symbol!r} is no symbol at Schwab: {reason}",
        next_step=f"Did you mean {likely}?",
        symbol=symbol,
        did_you_mean=likely,
    )


_READERS: Final[tuple[Callable[[str], Symbol | None], ...]] = (
    _option,
    _future_option,
    _index,
    _forex,
    _future,
    _future_root,
    _fund,
    _equity,
)
