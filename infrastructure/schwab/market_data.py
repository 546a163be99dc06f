"""The market-data endpoints: check the arguments, ask, return typed answers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any
from urllib.parse import quote as percent_encode

import msgspec

from infrastructure.errors import UnknownSymbol, UsageError
from infrastructure.schwab.candles import CandleList, parse_candle_list
from infrastructure.schwab.endpoint import Endpoint
from infrastructure.schwab.enums import (
    FrequencyType,
    Market,
    PeriodType,
    Projection,
    QuoteField,
    member,
)
from infrastructure.schwab.history import price_history_request
from infrastructure.schwab.models import (
    Hours,
    Instrument,
    Quote,
    Quotes,
    parse_instruments,
    parse_market_hours,
    parse_quotes,
)
from infrastructure.schwab.symbols import checked_symbol, checked_symbols

ROOT = "/marketdata/v1"


class MarketData(Endpoint):
    """Ask for price histories, quotes, hours and instruments."""

    def price_history(
        self,
        symbol: str,
        *,
        period_type: PeriodType | str | None = None,
        period: int | None = None,
        frequency_type: FrequencyType | str | None = None,
        frequency: int | None = None,
        start_ms: int | None = None,
        end_ms: int | None = None,
        extended_hours: bool | None = None,
        previous_close: bool | None = None,
    ) -> CandleList:
        """Return the candles of one symbol; `empty` is True when there are none.

        Args:
            symbol: An equity, ETF or index.
            period_type: day, month, year or ytd.
            period: How many of them; not together with a range.
            frequency_type: minute, daily, weekly or monthly.
            frequency: 1, 5, 10, 15 or 30 minutes, else 1.
            start_ms: First instant, milliseconds UTC.
            end_ms: Last instant, milliseconds UTC; needs `start_ms`.
            extended_hours: Whether to include candles outside regular hours.
            previous_close: Whether to ask for the previous close.

        Raises:
            UsageError: If Schwab would refuse or misread the combination; nothing is sent.
            UnknownSymbol: If Schwab does not know the symbol.
            StackError: Any other leaf of the retry, sign-in and input branches.
        """
        request = price_history_request(
            symbol,
            period_type=period_type,
            period=period,
            frequency_type=frequency_type,
            frequency=frequency,
            start_ms=start_ms,
            end_ms=end_ms,
            extended_hours=extended_hours,
            previous_close=previous_close,
        )
        answer = self._requester.get(
            f"{ROOT}/pricehistory",
            request.params(),
            what=f"the price history of {request.symbol}",
            symbol=request.symbol,
        )
        return self._parsed(answer, parse_candle_list)

    def quotes(
        self,
        symbols: str | Iterable[str],
        *,
        fields: str | QuoteField | Iterable[str | QuoteField] | None = None,
        indicative: bool | None = None,
    ) -> Quotes:
        """Return the quotes of up to 500 symbols of any class.

        Args:
            symbols: Symbols, or one text with commas.
            fields: Blocks to send: quote, fundamental, extended, reference, regular or all.
            indicative: Whether to add the indicative value of each ETF.

        Raises:
            UsageError: If the symbols or fields cannot be asked for; nothing is sent.
            UnknownSymbol: If Schwab knows none of the symbols.
            StackError: Any other leaf of the retry, sign-in and input branches.
        """
        listed = checked_symbols(symbols)
        params = {"symbols": ",".join(listed), **_fields_param(fields)}
        if indicative is not None:
            params["indicative"] = "true" if indicative else "false"
        what = f"quotes of {listed[0] if len(listed) == 1 else f'{len(listed)} symbols'}"
        answer = self._requester.get(f"{ROOT}/quotes", params, what=what)
        quotes = self._parsed(answer, lambda body: parse_quotes(msgspec.json.decode(body)))
        if not quotes and quotes.invalid_symbols:
            raise UnknownSymbol(
                f"Schwab does not know {', '.join(map(repr, quotes.invalid_symbols[:5]))}",
                next_step="Check the spelling; indices begin with $ ($SPX).",
                correlation_id=answer.correlation_id,
                symbols=list(quotes.invalid_symbols),
            )
        return quotes

    def quote(
        self,
        symbol: str,
        *,
        fields: str | QuoteField | Iterable[str | QuoteField] | None = None,
    ) -> Quote:
        """Return the quote of one symbol.

        Args:
            symbol: A symbol of any class.
            fields: Blocks to send, as in `quotes`.

        Raises:
            UnknownSymbol: If Schwab does not know the symbol.
            StackError: As in `quotes`.
        """
        text = checked_symbol(symbol)
        answer = self._requester.get(
            f"{ROOT}/{percent_encode(text, safe='')}/quotes",
            _fields_param(fields),
            what=f"the quote of {text}",
            symbol=text,
        )
        quotes = self._parsed(answer, lambda body: parse_quotes(msgspec.json.decode(body)))
        if len(quotes) != 1:
            raise UnknownSymbol(
                f"Schwab does not know the symbol {text!r}",
                next_step="Check its spelling; indices begin with $ ($SPX).",
                correlation_id=answer.correlation_id,
                symbol=text,
            )
        return next(iter(quotes.by_symbol.values()))

    def market_hours(
        self,
        markets: str | Market | Iterable[str | Market] = Market.EQUITY,
        date: date | str | None = None,
    ) -> dict[str, dict[str, Hours]]:
        """Return the hours by market and product.

        Args:
            markets: equity, option, bond, future, forex.
            date: The day, YYYY-MM-DD as text; Schwab's today when None.

        Raises:
            UsageError: If a market or the day is malformed; nothing is sent.
            StackError: Any leaf of the retry, sign-in and input branches.
        """
        listed = _listed(markets)
        words = [member(Market, market, "markets").value for market in listed]
        if not words:
            raise UsageError("No market was given", next_step="Give one such as equity.")
        params = {"markets": ",".join(dict.fromkeys(words))}
        if date is not None:
            params["date"] = _day(date)
        answer = self._requester.get(f"{ROOT}/markets", params, what="market hours")
        return self._parsed(answer, lambda body: parse_market_hours(msgspec.json.decode(body)))

    def instruments(
        self, symbol: str, projection: str | Projection = Projection.SYMBOL_SEARCH
    ) -> tuple[Instrument, ...]:
        """Return the instruments that match; none is no error.

        Args:
            symbol: A symbol, several with commas, a regular expression or words, by projection.
            projection: symbol-search, symbol-regex, desc-search, desc-regex, search, fundamental.

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
        return self._parsed(answer, lambda body: parse_instruments(msgspec.json.decode(body)))


def _fields_param(
    fields: str | QuoteField | Iterable[str | QuoteField] | None,
) -> dict[str, str]:
    if fields is None:
        return {}
    words = [member(QuoteField, word, "fields").value for word in _listed(fields)]
    return {"fields": ",".join(dict.fromkeys(words))} if words else {}


def _listed(words: str | Iterable[str]) -> list[str]:
    if isinstance(words, str):
        return [word.strip() for word in words.split(",") if word.strip()]
    return list(words)


def _day(value: Any) -> str:
    if isinstance(value, datetime):
        raise UsageError(f"date={value!r} is an instant, and a day is expected")
    if isinstance(value, date):
        return value.isoformat()
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError:
        raise UsageError(f"date={value!r} is no day", next_step="Give it as YYYY-MM-DD.") from None
