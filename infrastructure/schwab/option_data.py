"""Option chains, expiries and movers; chains too large for Schwab's gateway are asked in parts."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal, Unpack, overload
from urllib.parse import quote as percent_encode

import msgspec

from infrastructure.errors import AnswerTooLarge, NoDataError, UsageError
from infrastructure.schwab.chain_request import ChainWords, chain_request, underlying_symbol
from infrastructure.schwab.chain_words import MOVER_FREQUENCIES, MoverIndex, MoverSort
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

ROOT = "/marketdata/v1"


class OptionData(Endpoint):
    """Ask for option chains, expiries and movers."""

    @overload
    def option_chain(
        self, symbol: str, *, raw: Literal[False] = False, **asked: Unpack[ChainWords]
    ) -> OptionChain: ...
    @overload
    def option_chain(
        self, symbol: str, *, raw: Literal[True], **asked: Unpack[ChainWords]
    ) -> Any: ...
    def option_chain(self, symbol: str, *, raw: bool = False, **asked: Unpack[ChainWords]) -> Any:
        """Return the chain of an equity or index, in one request.

        Args:
            symbol: The underlying; futures have no chains at Schwab.
            raw: Return the decoded answer instead.
            **asked: Every parameter of Schwab's, as in `ChainWords`.

        Raises:
            UsageError: If Schwab would refuse it; nothing is sent.
            AnswerTooLarge: If the gateway does not let it through; see `whole_option_chain`.
            NoDataError: If there is no such chain.
        """
        request = chain_request(symbol, **asked)
        what = f"the option chain of {request.symbol}"
        answer = self._requester.get(
            f"{ROOT}/chains", request.params(), what=what, symbol=request.symbol
        )
        if raw:
            return self._parsed(answer, msgspec.json.decode)
        chain = self._parsed(answer, lambda body: parse_chain(msgspec.json.decode(body)))
        if chain.status == "FAILED":
            raise NoDataError(f"Schwab has no options of {request.symbol}")
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
        text = underlying_symbol(symbol)
        what = f"the expiries of {text}"
        answer = self._requester.get(
            f"{ROOT}/expirationchain", {"symbol": text}, what=what, symbol=text
        )
        if raw:
            return self._parsed(answer, msgspec.json.decode)
        return self._parsed(answer, lambda body: parse_expirations(msgspec.json.decode(body)))

    @overload
    def movers(
        self,
        index: MoverIndex | str,
        *,
        sort: MoverSort | str | None = None,
        frequency: int | None = None,
        raw: Literal[False] = False,
    ) -> tuple[Mover, ...]: ...
    @overload
    def movers(
        self,
        index: MoverIndex | str,
        *,
        sort: MoverSort | str | None = None,
        frequency: int | None = None,
        raw: Literal[True],
    ) -> Any: ...
    def movers(
        self,
        index: MoverIndex | str,
        *,
        sort: MoverSort | str | None = None,
        frequency: int | None = None,
        raw: bool = False,
    ) -> Any:
        """Return the ten with the largest share of volume.

        Args:
            index: Whose movers.
            sort: VOLUME, TRADES, PERCENT_CHANGE_UP or PERCENT_CHANGE_DOWN; Schwab takes it and
                keeps its own order all the same (§0.4), and so with `frequency`.
            frequency: 0, 1, 5, 10, 30 or 60 minutes.
            raw: Return the decoded answer instead.

        Raises:
            UsageError: If a word or the frequency is unknown; nothing is sent.
            StackError: Any leaf of the retry, sign-in and input branches.
        """
        word = member(MoverIndex, index, "index").value
        params: dict[str, str] = {}
        if sort is not None:
            params["sort"] = member(MoverSort, sort, "sort").value
        if frequency is not None:
            if type(frequency) is not int or frequency not in MOVER_FREQUENCIES:
                known = ", ".join(map(str, MOVER_FREQUENCIES))
                raise UsageError(f"frequency={frequency!r} is none of {known}")
            params["frequency"] = str(frequency)
        path = f"{ROOT}/movers/{percent_encode(word, safe='')}"
        answer = self._requester.get(path, params, what=f"the movers of {word}")
        if raw:
            return self._parsed(answer, msgspec.json.decode)
        return self._parsed(answer, lambda body: parse_movers(msgspec.json.decode(body)))
