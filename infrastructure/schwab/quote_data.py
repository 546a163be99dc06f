"""Quotes: of one symbol, of up to 500, and of any number in parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, overload
from urllib.parse import quote as percent_encode

import msgspec

from infrastructure.errors import UnknownSymbol
from infrastructure.schwab.answer import Answer
from infrastructure.schwab.endpoint import Endpoint
from infrastructure.schwab.enums import QuoteField, listed_words, member
from infrastructure.schwab.models import Quote, Quotes, merged_quotes, parse_quotes
from infrastructure.schwab.symbols import MAX_SYMBOLS, checked_symbol, checked_symbols

ROOT = "/marketdata/v1"
LONGEST_LIST = 6_000
"""Characters of the symbols of one request when asked in parts: gateways cut URLs near 8 KB."""
Fields = str | QuoteField | Iterable[str | QuoteField] | None


class QuoteData(Endpoint):
    """Ask for quotes."""

    @overload
    def quotes(
        self,
        symbols: str | Iterable[str],
        *,
        fields: Fields = None,
        indicative: bool | None = None,
        raw: Literal[False] = False,
    ) -> Quotes: ...
    @overload
    def quotes(
        self,
        symbols: str | Iterable[str],
        *,
        fields: Fields = None,
        indicative: bool | None = None,
        raw: Literal[True],
    ) -> Any: ...
    def quotes(
        self,
        symbols: str | Iterable[str],
        *,
        fields: Fields = None,
        indicative: bool | None = None,
        raw: bool = False,
    ) -> Any:
        """Return the quotes of up to 500 symbols of any class, in one request.

        Args:
            symbols: Symbols, or one text with commas.
            fields: Blocks to send: quote, fundamental, extended, reference, regular or all.
            indicative: Whether to add the indicative value of each ETF.
            raw: Return the decoded answer instead.

        Raises:
            UsageError: If the symbols or fields cannot be asked for; nothing is sent.
            UnknownSymbol: If Schwab knows none of the symbols.
            StackError: Any other leaf of the retry, sign-in and input branches.
        """
        answer = self._asked(checked_symbols(symbols), _params(fields, indicative))
        if raw:
            return self._parsed(answer, msgspec.json.decode)
        return _some(self._quotes(answer), answer)

    def all_quotes(
        self,
        symbols: str | Iterable[str],
        *,
        fields: Fields = None,
        indicative: bool | None = None,
    ) -> Quotes:
        """Return the quotes of any number of symbols, asked in parts and merged.

        What Schwab does not know is in `invalid_symbols`, whichever part it was in.

        Args:
            symbols: Symbols, or one text with commas.
            fields: Blocks to send, as in `quotes`.
            indicative: As in `quotes`.

        Raises:
            UsageError: If the symbols or fields cannot be asked for; nothing is sent.
            UnknownSymbol: If Schwab knows none of the symbols.
            StackError: As `quotes`.
        """
        params = _params(fields, indicative)
        parts: list[Quotes] = []
        for part in symbol_parts(checked_symbols(symbols, most=None)):
            answer = self._asked(part, params)
            parts.append(self._quotes(answer))
        return _some(merged_quotes(parts), answer)

    @overload
    def quote(
        self, symbol: str, *, fields: Fields = None, raw: Literal[False] = False
    ) -> Quote: ...
    @overload
    def quote(self, symbol: str, *, fields: Fields = None, raw: Literal[True]) -> Any: ...
    def quote(self, symbol: str, *, fields: Fields = None, raw: bool = False) -> Any:
        """Return the quote of one symbol.

        Args:
            symbol: A symbol of any class.
            fields: Blocks to send, as in `quotes`.
            raw: Return the decoded answer instead.

        Raises:
            UnknownSymbol: If Schwab does not know the symbol.
            StackError: As in `quotes`.
        """
        text = checked_symbol(symbol)
        answer = self._requester.get(
            f"{ROOT}/{percent_encode(text, safe='')}/quotes",
            _params(fields, None),
            what=f"the quote of {text}",
            symbol=text,
        )
        if raw:
            return self._parsed(answer, msgspec.json.decode)
        quotes = self._quotes(answer)
        if len(quotes) != 1:
            raise UnknownSymbol(
                f"Schwab does not know the symbol {text!r}",
                next_step="Check its spelling; indices begin with $ ($SPX).",
                correlation_id=answer.correlation_id,
                symbol=text,
            )
        return next(iter(quotes.by_symbol.values()))

    def _asked(self, symbols: Sequence[str], params: dict[str, str]) -> Answer:
        named = symbols[0] if len(symbols) == 1 else f"{len(symbols)} symbols"
        return self._requester.get(
            f"{ROOT}/quotes", {"symbols": ",".join(symbols), **params}, what=f"quotes of {named}"
        )

    def _quotes(self, answer: Answer) -> Quotes:
        return self._parsed(answer, lambda body: parse_quotes(msgspec.json.decode(body)))


def symbol_parts(symbols: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the symbols in parts that one request each can carry, in their order."""
    part: list[str] = []
    length = 0
    for symbol in symbols:
        added = len(percent_encode(symbol, safe="")) + 3  # the comma is three characters as well
        if part and (len(part) == MAX_SYMBOLS or length + added > LONGEST_LIST):
            yield tuple(part)
            part, length = [], 0
        part.append(symbol)
        length += added
    if part:
        yield tuple(part)


def _some(quotes: Quotes, answer: Answer) -> Quotes:
    if not quotes and quotes.invalid_symbols:
        raise UnknownSymbol(
            f"Schwab does not know {', '.join(map(repr, quotes.invalid_symbols[:5]))}",
            next_step="Check the spelling; indices begin with $ ($SPX).",
            correlation_id=answer.correlation_id,
            symbols=list(quotes.invalid_symbols),
        )
    return quotes


def _params(fields: Fields, indicative: bool | None) -> dict[str, str]:
    params: dict[str, str] = {}
    if fields is not None:
        words = [member(QuoteField, word, "fields").value for word in listed_words(fields)]
        if words:
            params["fields"] = ",".join(dict.fromkeys(words))
    if indicative is not None:
        params["indicative"] = "true" if indicative else "false"
    return params
