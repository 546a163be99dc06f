"""Option chains out of Schwab's `GET /marketdata/v1/chains`.

The contract's keys are those that live accounts see (`bid`, not the specification's `bidPrice`).
-999 and NaN mark what Schwab could not compute; they become NaN here, and null in every report.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from infrastructure.errors import NoDataError, ProviderUnavailable, UnknownSymbol
from infrastructure.exchange.exercise import exercise_of
from infrastructure.exchange.option_expiry import settlement_ns
from infrastructure.exchange.symbology import Option, parse_option
from system.algo_trader.options.chain import Chain

PATH: Final = "/marketdata/v1/chains"
MAPS: Final = ("callExpDateMap", "putExpDateMap")
STANDARD_SHARES: Final = 100.0

_NS_PER_MS: Final = 1_000_000
_NEXT_STEP: Final = "Ask again; if it stays, report what Schwab answered."
_COLUMNS: Final = {
    "bid": "bid",
    "ask": "ask",
    "last": "last",
    "volume": "totalVolume",
    "open_interest": "openInterest",
    "vendor_volatility": "volatility",
    "vendor_delta": "delta",
    "vendor_gamma": "gamma",
}


class SchwabChain(NamedTuple):
    """What one answer says.

    Attributes:
        chain: Its standard contracts.
        left_out: Contracts whose deliverable is not 100 shares: adjusted and mini ones.
        is_delayed: Whether Schwab says that the quotes are delayed, None when it does not say.
        is_truncated: Whether Schwab says that it left contracts out, None when it does not say.
    """

    chain: Chain
    left_out: int
    is_delayed: bool | None
    is_truncated: bool | None


def chain_query(symbol: str) -> dict[str, str]:
    """Return the query that asks for every listed contract on a symbol."""
    return {"symbol": symbol, "contractType": "ALL", "includeUnderlyingQuote": "true"}


def parse_schwab_chain(document: Any, symbol: str) -> SchwabChain:
    """Return the chain of a decoded answer.

    The quotes hold for the latest quote time among the contracts, so a replay of the past keeps
    its own date.

    Args:
        document: The decoded JSON of the chains endpoint with strategy SINGLE.
        symbol: What was asked for.

    Raises:
        NoDataError: If the symbol has no options.
        ProviderUnavailable: If the answer has not the shape of a chain; says what is wrong.
    """
    if not isinstance(document, Mapping):
        raise _unreadable(symbol, "it is no object")
    contracts = [each for name in MAPS for each in _contracts(document.get(name), name, symbol)]
    if not contracts:
        raise no_options(symbol)
    standard = [each for each in contracts if _is_standard(each)]
    if not standard:
        raise NoDataError(f"{symbol} has no option that delivers {STANDARD_SHARES:g} shares")
    options = [_option(each, symbol) for each in standard]
    columns: dict[str, Any] = {
        ours: [_number(each.get(theirs)) for each in standard] for ours, theirs in _COLUMNS.items()
    }
    columns["vendor_volatility"] = [
        value / 100 if value > 0 else math.nan for value in columns["vendor_volatility"]
    ]
    moments: dict[tuple[str, object], int] = {}
    for option in options:
        if (option.root, option.expiry) not in moments:
            moments[option.root, option.expiry] = settlement_ns(option)
    quoted = [_number(each.get("quoteTimeInLong")) for each in standard]
    latest_ms = max((value for value in quoted if value > 0), default=None)
    if latest_ms is None:
        raise _unreadable(symbol, "no contract says when it was quoted")
    spot = _number(document.get("underlyingPrice"))
    if not (math.isfinite(spot) and spot > 0):
        raise _unreadable(symbol, "it does not say the underlying's price")
    chain = Chain.of(
        symbol,
        spot,
        int(latest_ms) * _NS_PER_MS,
        [moments[option.root, option.expiry] for option in options],
        [float(option.strike) for option in options],
        [option.right == "C" for option in options],
        multiplier=STANDARD_SHARES,
        is_american=[exercise_of(option) == "american" for option in options],
        **columns,
    )
    return SchwabChain(
        chain,
        len(contracts) - len(standard),
        _said(document.get("isDelayed")),
        _said(document.get("isChainTruncated")),
    )


def no_options(symbol: str) -> NoDataError:
    """Return the error of a symbol on which Schwab lists no options."""
    return NoDataError(
        f"Schwab lists no options on {symbol}",
        next_step="Check the symbol; an index begins with $, such as $SPX.",
    )


def _contracts(expiries: Any, name: str, symbol: str) -> Iterator[Mapping[str, Any]]:
    """Yield the contracts of `{"YYYY-MM-DD:DTE": {"strike": [contract, ...]}}`."""
    if expiries is None:
        return
    if not isinstance(expiries, Mapping):
        raise _unreadable(symbol, f"{name} is no object")
    for expiry, strikes in expiries.items():
        if not isinstance(strikes, Mapping):
            raise _unreadable(symbol, f"{name} {expiry} is no object")
        for strike, listed in strikes.items():
            if not isinstance(listed, list) or not all(isinstance(c, Mapping) for c in listed):
                raise _unreadable(symbol, f"{name} {expiry} {strike} is no list of contracts")
            yield from listed


def _is_standard(contract: Mapping[str, Any]) -> bool:
    return (
        contract.get("nonStandard") is not True
        and contract.get("mini") is not True
        and _number(contract.get("multiplier", STANDARD_SHARES)) == STANDARD_SHARES
    )


def _option(contract: Mapping[str, Any], symbol: str) -> Option:
    text = contract.get("symbol")
    if not isinstance(text, str):
        raise _unreadable(symbol, "a contract has no symbol")
    try:
        return parse_option(text)
    except UnknownSymbol as error:
        raise _unreadable(symbol, error.message) from error


def _number(value: Any) -> float:
    """Return a finite number, else NaN; `Chain.of` clears the sentinels -900 and below."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    number = float(value)
    return number if math.isfinite(number) else math.nan


def _said(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _unreadable(symbol: str, why: str) -> ProviderUnavailable:
    return ProviderUnavailable(
        f"Schwab's chain of {symbol} cannot be read: {why}", next_step=_NEXT_STEP
    )
