"""Option chains, expiries and movers; chains too large for Schwab's gateway are asked in parts."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Any, Literal, overload
from urllib.parse import quote as percent_encode

import msgspec

from infrastructure.errors import AnswerTooLarge, NoDataError, UsageError
from infrastructure.schwab.chains import (
    Expiration,
    Mover,
    OptionChain,
    merged_chain,
    parse_chain,
    parse_expirations,
    parse_movers,
)
from infrastructure.schwab.endpoint import Endpoint
from infrastructure.schwab.enums import member
from infrastructure.schwab.symbols import checked_symbol

ROOT = "/marketdata/v1"


class ContractType(StrEnum):
    """Which side of a chain."""

    CALL = "CALL"
    PUT = "PUT"
    ALL = "ALL"


class StrikeRange(StrEnum):
    """Which strikes of a chain, by their distance from the money."""

    IN_THE_MONEY = "ITM"
    NEAR_THE_MONEY = "NTM"
    OUT_OF_THE_MONEY = "OTM"
    ABOVE_MARKET = "SAK"
    BELOW_MARKET = "SBK"
    NEAR_MARKET = "SNK"
    ALL = "ALL"


class MoverIndex(StrEnum):
    """Lists of movers."""

    DJI = "$DJI"
    COMPX = "$COMPX"
    SPX = "$SPX"
    NYSE = "NYSE"
    NASDAQ = "NASDAQ"
    OTCBB = "OTCBB"
    INDEX_ALL = "INDEX_ALL"
    EQUITY_ALL = "EQUITY_ALL"
    OPTION_ALL = "OPTION_ALL"
    OPTION_PUT = "OPTION_PUT"
    OPTION_CALL = "OPTION_CALL"


class OptionData(Endpoint):
    """Ask for option chains, expiries and movers."""

    @overload
    def option_chain(
        self,
        symbol: str,
        *,
        contract_type: ContractType | str = ContractType.ALL,
        strike_count: int | None = None,
        strike_range: StrikeRange | str | None = None,
        from_date: date | None = None,
        to_date: date | None = None,
        underlying_quote: bool = False,
        raw: Literal[False] = False,
    ) -> OptionChain: ...
    @overload
    def option_chain(
        self,
        symbol: str,
        *,
        contract_type: ContractType | str = ContractType.ALL,
        strike_count: int | None = None,
        strike_range: StrikeRange | str | None = None,
        from_date: date | None = None,
        to_date: date | None = None,
        underlying_quote: bool = False,
        raw: Literal[True],
    ) -> Any: ...
    def option_chain(
        self,
        symbol: str,
        *,
        contract_type: ContractType | str = ContractType.ALL,
        strike_count: int | None = None,
        strike_range: StrikeRange | str | None = None,
        from_date: date | None = None,
        to_date: date | None = None,
        underlying_quote: bool = False,
        raw: bool = False,
    ) -> Any:
        """Return the chain of an equity or index, in one request.

        Args:
            symbol: The underlying; futures have no chains at Schwab.
            contract_type: CALL, PUT or ALL.
            strike_count: Strikes above and below the money.
            strike_range: ITM, NTM, OTM, SAK, SBK, SNK or ALL.
            from_date: First expiry.
            to_date: Last expiry.
            underlying_quote: Whether to ask for the underlying's quote too.

        Raises:
            UsageError: If Schwab would refuse it; nothing is sent.
            AnswerTooLarge: If the gateway does not let it through; see `whole_option_chain`.
            NoDataError: If there is no such chain.
        """
        text = _underlying(symbol)
        params = {
            "symbol": text,
            "contractType": member(ContractType, contract_type, "contract_type").value,
        }
        if strike_count is not None:
            if strike_count < 1:
                raise UsageError(f"strike_count={strike_count} is not positive")
            params["strikeCount"] = str(strike_count)
        if strike_range is not None:
            params["range"] = member(StrikeRange, strike_range, "strike_range").value
        if from_date is not None and to_date is not None and from_date > to_date:
            raise UsageError(f"from_date={from_date} is after to_date={to_date}")
        for name, day in (("fromDate", from_date), ("toDate", to_date)):
            if day is not None:
                params[name] = f"{day:%Y-%m-%d}"
        if underlying_quote:
            params["includeUnderlyingQuote"] = "true"
        what = f"the option chain of {text}"
        answer = self._requester.get(f"{ROOT}/chains", params, what=what, symbol=text)
        if raw:
            return self._parsed(answer, msgspec.json.decode)
        chain = self._parsed(answer, lambda body: parse_chain(msgspec.json.decode(body)))
        if chain.status == "FAILED":
            raise NoDataError(f"Schwab has no options of {text}")
        return chain

    def whole_option_chain(
        self, symbol: str, *, from_date: date | None = None, to_date: date | None = None
    ) -> OptionChain:
        """Return a chain of any size: halves its expiries where the gateway refuses the answer.

        Raises:
            AnswerTooLarge: If a single expiry is too large.
            StackError: As `option_chain`.
        """
        try:
            return self.option_chain(symbol, from_date=from_date, to_date=to_date)
        except AnswerTooLarge:
            days = sorted(
                {
                    date.fromisoformat(expiry.expiration_date)
                    for expiry in self.option_expirations(symbol)
                }
            )
        days = [day for day in days if from_date is None or day >= from_date]
        days = [day for day in days if to_date is None or day <= to_date]
        if len(days) < 2:
            raise AnswerTooLarge(f"one expiry of {symbol} is larger than Schwab's gateway allows")
        return merged_chain(self._halves(symbol, days))

    def _halves(self, symbol: str, days: list[date]) -> list[OptionChain]:
        middle = len(days) // 2
        parts: list[OptionChain] = []
        for half in (days[:middle], days[middle:]):
            try:
                parts.append(self.option_chain(symbol, from_date=half[0], to_date=half[-1]))
            except AnswerTooLarge:
                if len(half) == 1:
                    raise
                parts += self._halves(symbol, half)
        return parts

    @overload
    def option_expirations(
        self, symbol: str, *, raw: Literal[False] = False
    ) -> tuple[Expiration, ...]: ...
    @overload
    def option_expirations(self, symbol: str, *, raw: Literal[True]) -> Any: ...
    def option_expirations(self, symbol: str, *, raw: bool = False) -> Any:
        """Return the expiries of an underlying's options."""
        text = _underlying(symbol)
        what = f"the expiries of {text}"
        answer = self._requester.get(
            f"{ROOT}/expirationchain", {"symbol": text}, what=what, symbol=text
        )
        if raw:
            return self._parsed(answer, msgspec.json.decode)
        return self._parsed(answer, lambda body: parse_expirations(msgspec.json.decode(body)))

    @overload
    def movers(
        self, index: MoverIndex | str, *, raw: Literal[False] = False
    ) -> tuple[Mover, ...]: ...
    @overload
    def movers(self, index: MoverIndex | str, *, raw: Literal[True]) -> Any: ...
    def movers(self, index: MoverIndex | str, *, raw: bool = False) -> Any:
        """Return the ten with the largest share of volume; Schwab ignores any other order."""
        word = member(MoverIndex, index, "index").value
        path = f"{ROOT}/movers/{percent_encode(word, safe='')}"
        answer = self._requester.get(path, what=f"the movers of {word}")
        if raw:
            return self._parsed(answer, msgspec.json.decode)
        return self._parsed(answer, lambda body: parse_movers(msgspec.json.decode(body)))


def _underlying(symbol: str) -> str:
    text = checked_symbol(symbol)
    if text.startswith(("/", "./")):
        raise UsageError(
            f"{text!r} is a future, and Schwab has chains of equities and indices only"
        )
    return text
