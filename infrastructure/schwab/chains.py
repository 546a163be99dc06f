"""Typed option chains, and the merging of chains that were asked for in parts.

Keys are the observed ones (schwab-api.md §0.2): `bid`, not `bidPrice`. Prices are floats in dollars
as on the wire; -999 and NaN stand for "none" there and become None here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec

from infrastructure.schwab.wire import Record, WireFormError, build_record

NONE_ON_THE_WIRE = -999.0
_MAYBE_NONE = ("volatility", "delta", "gamma", "theta", "vega", "rho")


class OptionContract(Record, frozen=True, kw_only=True, rename="camel"):
    """One contract of a chain; volatility is in percent."""

    symbol: str
    put_call: str | None = None
    description: str | None = None
    bid: float | None = None
    ask: float | None = None
    last: float | None = None
    mark: float | None = None
    bid_size: int | None = None
    ask_size: int | None = None
    total_volume: int | None = None
    open_interest: float | None = None
    volatility: float | None = None
    delta: float | None = None
    gamma: float | None = None
    theta: float | None = None
    vega: float | None = None
    rho: float | None = None
    strike_price: float | None = None
    expiration_date: str | None = None
    days_to_expiration: int | None = None
    expiration_type: str | None = None
    settlement_type: str | None = None
    exercise_type: str | None = None
    option_root: str | None = None
    multiplier: float | None = None
    quote_time_in_long: int | None = None
    trade_time_in_long: int | None = None
    in_the_money: bool | None = None
    mini: bool | None = None
    non_standard: bool | None = None


class OptionChain(Record, frozen=True, kw_only=True, rename="camel"):
    """The contracts of one underlying.

    Attributes:
        calls: In the order of the answer: by expiry, then strike.
        puts: The same.
    """

    symbol: str
    status: str | None = None
    strategy: str | None = None
    underlying: dict[str, Any] | None = None
    underlying_price: float | None = None
    interest_rate: float | None = None
    dividend_yield: float | None = None
    is_delayed: bool | None = None
    is_index: bool | None = None
    is_chain_truncated: bool | None = None
    number_of_contracts: int | None = None
    calls: tuple[OptionContract, ...] = ()
    puts: tuple[OptionContract, ...] = ()

    def __len__(self) -> int:
        return len(self.calls) + len(self.puts)


class Expiration(Record, frozen=True, kw_only=True, rename="camel"):
    """One expiry of an underlying; the day is YYYY-MM-DD."""

    expiration_date: str
    days_to_expiration: int | None = None
    expiration_type: str | None = None
    settlement_type: str | None = None
    option_roots: str | None = None
    standard: bool | None = None


class Mover(Record, frozen=True, kw_only=True, rename="camel"):
    """One row of the movers, with the observed keys (schwab-api.md §0.4)."""

    symbol: str
    description: str | None = None
    volume: int | None = None
    last_price: float | None = None
    net_change: float | None = None
    net_percent_change: float | None = None
    market_share: float | None = None
    total_volume: int | None = None
    trades: int | None = None


def parse_chain(value: Any) -> OptionChain:
    """Return the chain of a decoded answer.

    Raises:
        WireFormError: If it is no chain.
    """
    if not isinstance(value, dict):
        raise WireFormError(f"$: expected an object, got {type(value).__name__}")
    rest = {
        key: item
        for key, item in value.items()
        if key not in ("callExpDateMap", "putExpDateMap", "calls", "puts")
    }
    chain = build_record(OptionChain, rest)
    return msgspec.structs.replace(
        chain,
        calls=_contracts(value.get("callExpDateMap"), "callExpDateMap"),
        puts=_contracts(value.get("putExpDateMap"), "putExpDateMap"),
    )


def _contracts(by_expiry: Any, name: str) -> tuple[OptionContract, ...]:
    if by_expiry is None:
        return ()
    if not isinstance(by_expiry, dict):
        raise WireFormError(f"$.{name}: expected an object, got {type(by_expiry).__name__}")
    found: list[OptionContract] = []
    for expiry, strikes in by_expiry.items():
        if not isinstance(strikes, dict):
            raise WireFormError(f"$.{name}.{expiry}: expected an object")
        for strike, entries in strikes.items():
            listed = entries if isinstance(entries, list) else [entries]
            found += [_contract(entry, f"$.{name}.{expiry}.{strike}") for entry in listed]
    return tuple(found)


def _contract(entry: Any, path: str) -> OptionContract:
    if isinstance(entry, dict):
        empty = {name: None for name in _MAYBE_NONE if _is_none(entry.get(name))}
        entry = {**entry, **empty}
    return build_record(OptionContract, entry, path)


def _is_none(value: Any) -> bool:
    if isinstance(value, float) and not math.isfinite(value):
        return True
    return value in (NONE_ON_THE_WIRE, "NaN")


def merged_chain(parts: Sequence[OptionChain]) -> OptionChain:
    """Return parts of one underlying's chain as one; a contract that came twice counts once.

    Raises:
        ValueError: If there is no part.
    """
    if not parts:
        raise ValueError("there is no chain to merge")
    calls = {contract.symbol: contract for part in parts for contract in part.calls}
    puts = {contract.symbol: contract for part in parts for contract in part.puts}
    return msgspec.structs.replace(
        parts[0],
        calls=tuple(calls.values()),
        puts=tuple(puts.values()),
        number_of_contracts=len(calls) + len(puts),
        is_chain_truncated=any(part.is_chain_truncated for part in parts),
    )


def parse_expirations(value: Any) -> tuple[Expiration, ...]:
    """Return the expiries of a decoded answer.

    Raises:
        WireFormError: If it has no list of them.
    """
    return tuple(build_record(Expiration, entry) for entry in _listed(value, "expirationList"))


def parse_movers(value: Any) -> tuple[Mover, ...]:
    """Return the movers of a decoded answer; none outside trading hours.

    Raises:
        WireFormError: If it has no list of them.
    """
    return tuple(build_record(Mover, entry) for entry in _listed(value, "screeners"))


def _listed(value: Any, key: str) -> list[Any]:
    listed = value.get(key) if isinstance(value, dict) else None
    if not isinstance(listed, list):
        raise WireFormError(f"$: expected an object with a list `{key}`")
    return listed
