"""The market-data endpoints: check the arguments, ask, return typed answers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any, Literal, overload

import msgspec

from infrastructure.errors import NoDataError, UsageError
from infrastructure.exchange.timeframes import trading_date
from infrastructure.schwab.enums import Market, Projection, listed_words, member
from infrastructure.schwab.history_data import HistoryData
from infrastructure.schwab.models import Hours, Instrument, parse_instruments, parse_market_hours
from infrastructure.schwab.quote_data import QuoteData

ROOT = "/marketdata/v1"
Markets = str | Market | Iterable[str | Market]
FURTHEST_DAYS = 366
"""Hours are told for today and a year ahead (schwab-api.md §2.1)."""
_CUSIP = re.compile(r"[0-9A-Z*@#]{9}")


class MarketData(QuoteData, HistoryData):
    """Ask for price histories, quotes, hours and instruments."""

    @overload
    def market_hours(
        self,
        markets: Markets = Market.EQUITY,
        date: date | str | None = None,
        *,
        raw: Literal[False] = False,
    ) -> dict[str, dict[str, Hours]]: ...
    @overload
    def market_hours(
        self,
        markets: Markets = Market.EQUITY,
        date: date | str | None = None,
        *,
        raw: Literal[True],
    ) -> Any: ...
    def market_hours(
        self,
        markets: Markets = Market.EQUITY,
        date: date | str | None = None,
        *,
        raw: bool = False,
    ) -> Any:
        """Return the hours by market and product.

        Args:
            markets: equity, option, bond, future, forex.
            date: The day, YYYY-MM-DD as text; Schwab's today when None.
            raw: Return the decoded answer instead.

        Raises:
            UsageError: If a market or the day is none that Schwab takes; nothing is sent.
            StackError: Any leaf of the retry, sign-in and input branches.
        """
        words = [member(Market, market, "markets").value for market in listed_words(markets)]
        if not words:
            raise UsageError("No market was given", next_step="Give one such as equity.")
        params = {"markets": ",".join(dict.fromkeys(words)), **self._day_param(date)}
        answer = self._requester.get(f"{ROOT}/markets", params, what="market hours")
        if raw:
            return self._parsed(answer, msgspec.json.decode)
        return self._parsed(answer, lambda body: parse_market_hours(msgspec.json.decode(body)))

    @overload
    def hours_of_market(
        self, market: str | Market, date: date | str | None = None, *, raw: Literal[False] = False
    ) -> dict[str, Hours]: ...
    @overload
    def hours_of_market(
        self, market: str | Market, date: date | str | None = None, *, raw: Literal[True]
    ) -> Any: ...
    def hours_of_market(
        self, market: str | Market, date: date | str | None = None, *, raw: bool = False
    ) -> Any:
        """Return the hours of one market by product.

        Args:
            market: equity, option, bond, future or forex.
            date: The day, YYYY-MM-DD as text; Schwab's today when None.
            raw: Return the decoded answer instead.

        Raises:
            UsageError: As `market_hours`.
            NoDataError: If Schwab answers without this market.
            StackError: As `market_hours`.
        """
        word = member(Market, market, "market").value
        what = f"the hours of the {word} market"
        answer = self._requester.get(f"{ROOT}/markets/{word}", self._day_param(date), what=what)
        if raw:
            return self._parsed(answer, msgspec.json.decode)
        hours = self._parsed(answer, lambda body: parse_market_hours(msgspec.json.decode(body)))
        if word not in hours:
            raise NoDataError(
                f"Schwab has nothing for {what}", correlation_id=answer.correlation_id
            )
        return hours[word]

    @overload
    def instruments(
        self,
        symbol: str,
        projection: str | Projection = Projection.SYMBOL_SEARCH,
        *,
        raw: Literal[False] = False,
    ) -> tuple[Instrument, ...]: ...
    @overload
    def instruments(
        self,
        symbol: str,
        projection: str | Projection = Projection.SYMBOL_SEARCH,
        *,
        raw: Literal[True],
    ) -> Any: ...
    def instruments(
        self,
        symbol: str,
        projection: str | Projection = Projection.SYMBOL_SEARCH,
        *,
        raw: bool = False,
    ) -> Any:
        """Return the instruments that match; none is no error.

        Args:
            symbol: A symbol, several with commas, a regular expression or words, by projection.
            projection: symbol-search, symbol-regex, desc-search, desc-regex, search, fundamental.
            raw: Return the decoded answer instead.

        Raises:
            UsageError: If the projection is unknown or the text empty; nothing is sent.
            StackError: Any leaf of the retry, sign-in and input branches.
        """
        kind = member(Projection, projection, "projection")
        text = symbol.strip()
        if not text:
            raise UsageError("There is nothing to look up", next_step="Give a symbol or words.")
        answer = self._requester.get(
            f"{ROOT}/instruments",
            {"symbol": text, "projection": kind.value},
            what=f"instruments like {text!r}",
        )
        if raw:
            return self._parsed(answer, msgspec.json.decode)
        return self._parsed(answer, lambda body: parse_instruments(msgspec.json.decode(body)))

    @overload
    def instrument(self, cusip: str, *, raw: Literal[False] = False) -> Instrument: ...
    @overload
    def instrument(self, cusip: str, *, raw: Literal[True]) -> Any: ...
    def instrument(self, cusip: str, *, raw: bool = False) -> Any:
        """Return the instrument of a CUSIP.

        Args:
            cusip: Nine characters; leading zeros count.
            raw: Return the decoded answer instead.

        Raises:
            UsageError: If it is no CUSIP; nothing is sent.
            NoDataError: If Schwab does not know it.
            StackError: Any other leaf of the retry, sign-in and input branches.
        """
        text = str(cusip).strip().upper()
        if _CUSIP.fullmatch(text) is None:
            raise UsageError(
                f"cusip={cusip!r} is no CUSIP, which has nine characters",
                next_step="Give it as text: leading zeros count, as in 037833100.",
            )
        what = f"the instrument {text}"
        answer = self._requester.get(f"{ROOT}/instruments/{text}", what=what)
        if raw:
            return self._parsed(answer, msgspec.json.decode)
        found = self._parsed(answer, lambda body: _instruments_of(msgspec.json.decode(body)))
        if not found:
            raise NoDataError(f"Schwab does not know {what}", correlation_id=answer.correlation_id)
        return found[0]

    def _day_param(self, value: Any) -> dict[str, str]:
        if value is None:
            return {}
        day = _day(value)
        # Only the real Schwab's today is ours: a replaying simulator lives on another day.
        today = None if self._requester.is_loopback else trading_date(self._requester.now_ns())
        if today is not None and not today <= day <= today + timedelta(days=FURTHEST_DAYS):
            raise UsageError(
                f"date={day} is not between today ({today}) and a year ahead, for which Schwab "
                "tells hours",
                next_step="Ask infrastructure.exchange.calendars for other days.",
            )
        return {"date": day.isoformat()}


def _instruments_of(value: Any) -> tuple[Instrument, ...]:
    """Return what a CUSIP's answer holds: observed a list of one, in the papers the object."""
    bare = isinstance(value, dict) and "instruments" not in value and "symbol" in value
    return parse_instruments({"instruments": [value]} if bare else value)


def _day(value: Any) -> date:
    if isinstance(value, datetime):
        raise UsageError(f"date={value!r} is an instant, and a day is expected")
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        raise UsageError(f"date={value!r} is no day", next_step="Give it as YYYY-MM-DD.") from None
