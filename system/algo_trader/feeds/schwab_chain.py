"""Option chains out of Schwab's `GET /marketdata/v1/chains`.

A chain above the gateway's 10 MB comes in parts, which the client merges. What Schwab could not
compute is NaN here, and null in every report.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

from infrastructure.clients.schwab_client import SchwabClient
from infrastructure.errors import NoDataError, ProviderUnavailable, UnknownSymbol
from infrastructure.exchange.exercise import exercise_of
from infrastructure.exchange.option_expiry import settlement_ns
from infrastructure.exchange.symbology import Option, parse_option
from infrastructure.schwab.chains import OptionChain, OptionContract
from infrastructure.schwab.symbols import checked_symbol
from system.algo_trader.options.chain import Chain

STANDARD_SHARES: Final = 100.0

_NS_PER_MS: Final = 1_000_000
_NEXT_STEP: Final = "Ask again; if it stays, report what Schwab answered."
_COLUMNS: Final = {
    "bid": "bid",
    "ask": "ask",
    "last": "last",
    "volume": "total_volume",
    "open_interest": "open_interest",
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


def fetch_schwab_chain(client: SchwabClient, symbol: str) -> SchwabChain:
    """Return every listed contract on a symbol, in as many requests as its size takes.

    Args:
        client: Signed in.
        symbol: The underlying; an index begins with $.

    Raises:
        NoDataError: If the symbol has no options, or Schwab does not know it: it answers alike.
        StackError: As the client's requests, and if the symbol cannot be one.
    """
    wanted = checked_symbol(symbol)
    try:
        answer = client.whole_option_chain(wanted)
    except (NoDataError, UnknownSymbol) as error:
        raise no_options(wanted) from error
    return standard_chain(answer, wanted)


def standard_chain(answer: OptionChain, symbol: str) -> SchwabChain:
    """Return the standard contracts of an answer as columns.

    The quotes hold for the latest quote time among the contracts, so a replay of the past keeps
    its own date.

    Args:
        answer: The whole chain.
        symbol: What was asked for.

    Raises:
        NoDataError: If the symbol has no options.
        ProviderUnavailable: If the answer lacks what a chain needs; says what is wrong.
    """
    contracts = (*answer.calls, *answer.puts)
    if not contracts:
        raise no_options(symbol)
    standard = [each for each in contracts if _is_standard(each)]
    if not standard:
        raise NoDataError(f"{symbol} has no option that delivers {STANDARD_SHARES:g} shares")
    options = [_option(each, symbol) for each in standard]
    columns: dict[str, Any] = {
        ours: [_number(getattr(each, theirs)) for each in standard]
        for ours, theirs in _COLUMNS.items()
    }
    columns["vendor_volatility"] = [
        value / 100 if value > 0 else math.nan for value in columns["vendor_volatility"]
    ]
    moments: dict[tuple[str, object], int] = {}
    for option in options:
        if (option.root, option.expiry) not in moments:
            moments[option.root, option.expiry] = settlement_ns(option)
    latest_ms = max((each.quote_time_in_long or 0 for each in standard), default=0)
    if latest_ms <= 0:
        raise _unreadable(symbol, "no contract says when it was quoted")
    spot = _number(answer.underlying_price)
    if not spot > 0:
        raise _unreadable(symbol, "it does not say the underlying's price")
    chain = Chain.of(
        symbol,
        spot,
        latest_ms * _NS_PER_MS,
        [moments[option.root, option.expiry] for option in options],
        [float(option.strike) for option in options],
        [option.right == "C" for option in options],
        multiplier=STANDARD_SHARES,
        is_american=[exercise_of(option) == "american" for option in options],
        **columns,
    )
    return SchwabChain(
        chain, len(contracts) - len(standard), answer.is_delayed, answer.is_chain_truncated
    )


def no_options(symbol: str) -> NoDataError:
    """Return the error of a symbol on which Schwab lists no options."""
    return NoDataError(
        f"Schwab lists no options on {symbol}",
        next_step="Check the symbol; an index begins with $, such as $SPX.",
    )


def _is_standard(contract: OptionContract) -> bool:
    return (
        contract.non_standard is not True
        and contract.mini is not True
        and contract.multiplier in (None, STANDARD_SHARES)
    )


def _option(contract: OptionContract, symbol: str) -> Option:
    try:
        return parse_option(contract.symbol)
    except UnknownSymbol as error:
        raise _unreadable(symbol, error.message) from error


def _number(value: float | None) -> float:
    """Return a finite number, else NaN; `Chain.of` clears the sentinels -900 and below."""
    return float(value) if value is not None and math.isfinite(value) else math.nan


def _unreadable(symbol: str, why: str) -> ProviderUnavailable:
    return ProviderUnavailable(
        f"Schwab's chain of {symbol} cannot be read: {why}", next_step=_NEXT_STEP
    )
