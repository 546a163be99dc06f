"""One request for an option chain: every parameter of Schwab's, checked before it is sent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, TypedDict, Unpack

from infrastructure.errors import UsageError
from infrastructure.schwab.chain_words import (
    ChainStrategy,
    ContractType,
    Entitlement,
    ExpiryMonth,
    OptionKind,
    StrikeRange,
)
from infrastructure.schwab.enums import member
from infrastructure.schwab.symbols import checked_symbol

NOT_SPREADS = (ChainStrategy.SINGLE, ChainStrategy.ANALYTICAL)
ANALYTICAL_ONLY = ("volatility", "underlying_price", "interest_rate", "days_to_expiration")
_MONTHS = tuple(month for month in ExpiryMonth if month is not ExpiryMonth.ALL)


class ChainWords(TypedDict, total=False):
    """What may be asked of a chain; what is left out is left to Schwab.

    Attributes:
        contract_type: CALL, PUT or ALL.
        strike_count: Strikes above and below the money.
        strike_range: ITM, NTM, OTM, SAK, SBK, SNK or ALL.
        strike: One strike only, dollars.
        from_date: First expiry.
        to_date: Last expiry.
        expiry_month: JAN to DEC, or ALL.
        option_kind: S (standard), NS (non-standard) or ALL.
        strategy: SINGLE, ANALYTICAL, COVERED, VERTICAL, CALENDAR, STRANGLE, STRADDLE, BUTTERFLY,
            CONDOR, DIAGONAL, COLLAR or ROLL.
        interval: Distance of the strikes of a spread, dollars; with a strategy of spreads.
        volatility: Percent; with ANALYTICAL, as the next three.
        underlying_price: Dollars.
        interest_rate: Percent.
        days_to_expiration: Whole days.
        entitlement: PN, NP or PP.
        underlying_quote: Whether to ask for the underlying's quote too.
    """

    contract_type: ContractType | str
    strike_count: int | None
    strike_range: StrikeRange | str | None
    strike: float | None
    from_date: date | None
    to_date: date | None
    expiry_month: ExpiryMonth | str | None
    option_kind: OptionKind | str | None
    strategy: ChainStrategy | str | None
    interval: float | None
    volatility: float | None
    underlying_price: float | None
    interest_rate: float | None
    days_to_expiration: int | None
    entitlement: Entitlement | str | None
    underlying_quote: bool


@dataclass(frozen=True, slots=True)
class ChainRequest:
    """Hold a request that Schwab answers.

    Attributes:
        symbol: The underlying, in upper case.
        strategy: What the chain lists.
        query: The parameters as sent.
    """

    symbol: str
    strategy: ChainStrategy
    query: tuple[tuple[str, str], ...]

    @property
    def lists_spreads(self) -> bool:
        """Whether the answer has spreads instead of contracts."""
        return self.strategy not in NOT_SPREADS

    def params(self) -> dict[str, str]:
        """Return the query's parameters."""
        return dict(self.query)


def chain_request(symbol: str, **asked: Unpack[ChainWords]) -> ChainRequest:
    """Return the checked request.

    Args:
        symbol: An equity or index; futures have no chains at Schwab.
        **asked: As in `ChainWords`.

    Raises:
        UsageError: If Schwab would refuse or misread it; the sentence says why.
    """
    text = underlying_symbol(symbol)
    unknown = set(asked) - ChainWords.__annotations__.keys()
    if unknown:
        raise UsageError(
            f"{min(unknown)} is no parameter of a chain, only "
            f"{', '.join(ChainWords.__annotations__)}"
        )
    strategy = member(ChainStrategy, asked.get("strategy") or ChainStrategy.SINGLE, "strategy")
    _check_strategy(strategy, asked)
    days = {name: _day(name, asked.get(name)) for name in ("from_date", "to_date")}
    _check_days(days["from_date"], days["to_date"], asked.get("expiry_month"))
    values: dict[str, str | None] = {
        "symbol": text,
        "contractType": _word(ContractType, asked, "contract_type") or ContractType.ALL.value,
        "strikeCount": _whole(asked, "strike_count", least=1),
        "includeUnderlyingQuote": "true" if asked.get("underlying_quote") else None,
        "strategy": strategy.value if asked.get("strategy") is not None else None,
        "interval": _positive(asked, "interval"),
        "strike": _positive(asked, "strike"),
        "range": _word(StrikeRange, asked, "strike_range"),
        "fromDate": None if days["from_date"] is None else days["from_date"].isoformat(),
        "toDate": None if days["to_date"] is None else days["to_date"].isoformat(),
        "volatility": _positive(asked, "volatility"),
        "underlyingPrice": _positive(asked, "underlying_price"),
        "interestRate": _finite(asked, "interest_rate"),
        "daysToExpiration": _whole(asked, "days_to_expiration", least=0),
        "expMonth": _word(ExpiryMonth, asked, "expiry_month"),
        "optionType": _word(OptionKind, asked, "option_kind"),
        "entitlement": _word(Entitlement, asked, "entitlement"),
    }
    query = tuple((name, value) for name, value in values.items() if value is not None)
    return ChainRequest(text, strategy, query)


def underlying_symbol(symbol: str) -> str:
    """Return the checked symbol of something that has options at Schwab.

    Raises:
        UsageError: If it is a future, or no symbol.
    """
    text = checked_symbol(symbol)
    if text.startswith(("/", "./")):
        raise UsageError(
            f"{text!r} is a future, and Schwab has chains of equities and indices only"
        )
    return text


def _check_strategy(strategy: ChainStrategy, asked: ChainWords) -> None:
    for name in ANALYTICAL_ONLY:
        if asked.get(name) is not None and strategy is not ChainStrategy.ANALYTICAL:
            raise UsageError(
                f"{name}={asked.get(name)} goes into the values of an ANALYTICAL chain, and Schwab "
                f"ignores it for {strategy.value}",
                next_step="Give strategy='ANALYTICAL', or leave it out.",
            )
    if asked.get("interval") is not None and strategy in NOT_SPREADS:
        raise UsageError(
            f"interval={asked.get('interval')} is the distance between the strikes of a spread, "
            f"and a {strategy.value} chain has none",
            next_step="Give a strategy such as VERTICAL, or leave it out.",
        )


def _check_days(first: date | None, last: date | None, month: ExpiryMonth | str | None) -> None:
    if first is None or last is None:
        return
    if first > last:
        raise UsageError(f"from_date={first} is after to_date={last}")
    wanted = None if month is None else member(ExpiryMonth, month, "expiry_month")
    if wanted in (None, ExpiryMonth.ALL) or last - first > timedelta(days=366):
        return
    months = (last.year - first.year) * 12 + last.month - first.month
    held = {_MONTHS[(first.month - 1 + i) % 12] for i in range(months + 1)}
    if wanted not in held:
        raise UsageError(f"from {first} to {last} there is no {wanted}, so no expiry can match")


def _day(name: str, value: Any) -> date | None:
    if value is None:
        return None
    if isinstance(value, datetime) or not isinstance(value, date):
        raise UsageError(f"{name}={value!r} is no day", next_step="Give a datetime.date.")
    return value


def _word(kind: type[Any], asked: ChainWords, name: str) -> str | None:
    value = asked.get(name)
    return None if value is None else str(member(kind, value, name).value)


def _whole(asked: ChainWords, name: str, *, least: int) -> str | None:
    value = asked.get(name)
    if value is None:
        return None
    if type(value) is not int or value < least:
        limit = "not positive" if least == 1 else "negative"
        reason = limit if type(value) is int else "no whole number"
        raise UsageError(f"{name}={value!r} is {reason}")
    return str(value)


def _finite(asked: ChainWords, name: str) -> str | None:
    value: Any = asked.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UsageError(f"{name}={value!r} is no finite number")
    return str(value)


def _positive(asked: ChainWords, name: str) -> str | None:
    text = _finite(asked, name)
    if text is not None and float(text) <= 0:
        raise UsageError(f"{name}={asked.get(name)!r} is not positive")
    return text
