"""The client of asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

from system.algo_trader.client import question
from system.algo_trader.client.bulk import Bulk
from system.algo_trader.client.connection import Connection
from system.algo_trader.client.continuation import continued, joined
from system.algo_trader.client.contract import Contract
from system.algo_trader.client.http_answer import TIMEOUT_S, away, result_in
from system.algo_trader.client.question import Question, When
from system.algo_trader.client.refusal import Refused
from system.algo_trader.client.result import Result


class AsyncClient:
    """Ask the service as `Client` does, from a coroutine.

    Args:
        url: As `Client` takes it.
        key: As `Client` takes it.
        flight_url: As `Client` takes it; a thread waits for what comes by Flight.
        timeout_s: As `Client` takes it.
        certificate: As `Client` takes it.
        transport: Carries requests; tests give one.
        sleep: Waits between attempts, seconds.

    Raises:
        MissingService: If nothing says where the service is.
        UsageError: If a URL comes without a key.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        flight_url: str | None = None,
        timeout_s: float = TIMEOUT_S,
        certificate: Path | str | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        where = Connection.of(url, key, flight_url, certificate)
        self._http = httpx2.AsyncClient(
            base_url=where.url,
            headers=where.headers,
            timeout=timeout_s,
            verify=where.trust(),
            trust_env=False,
            transport=transport,
        )
        self._bulk = Bulk.of(where)
        self._sleep = sleep

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()
        if self._bulk is not None:
            self._bulk.close()

    async def quote(self, symbol: str) -> Result:
        """Return the newest quote of a symbol: one row; errors as `ask`."""
        return await self.ask(question.quotes([symbol]))

    async def quotes(self, symbols: Sequence[str] | str) -> Result:
        """Return the newest quotes; symbols of which nobody has one are left out."""
        return await self.ask(question.quotes(symbols))

    async def history(
        self, symbol: str, timeframe: str = "1d", start: When = None, end: When = None, **more: Any
    ) -> Result:
        """Return bars.

        Args:
            symbol: The instrument, or a continuous future as `ES.c.0`.
            timeframe: 1s to 1mo.
            start: The first start; without one, the last bars are given (10,000, or `limit`).
            end: The instant before which they start.
            **more: session, adjustment, rolls, limit.
        """
        return await self.ask(question.history(symbol, timeframe, start, end, **more))

    async def trades(
        self, symbols: Sequence[str] | str, start: When, end: When = None, *, sampled: bool = False
    ) -> Result:
        """Return stored trades.

        Args:
            symbols: Whose.
            start: The first instant.
            end: The instant before which they were.
            sampled: Whether a source that leaves trades out will do.

        Raises:
            UsageError: If the source has no tape and `sampled` is not said.
        """
        found = await self.ask(question.trades(symbols, start, end))
        return question.check_tape(found, symbols, sampled=sampled)

    async def chain(
        self,
        symbol: str,
        *,
        expiry: date | str | None = None,
        right: str | None = None,
        strikes: int | None = None,
        at: When = None,
    ) -> Result:
        """Return the contracts of an underlying."""
        return await self.ask(question.chain(symbol, expiry, right, strikes, at))

    async def option_quote(
        self,
        symbol: str,
        expiry: date | str | None = None,
        strike: float | None = None,
        right: str | None = None,
    ) -> Result:
        """Return the quote of one contract: one row.

        Args:
            symbol: Its OSI symbol; or the underlying, with the three others.
            expiry: Its date.
            strike: Dollars.
            right: C or P.
        """
        contract = Contract.of(symbol, expiry, strike, right)
        return contract.row_in(await self.ask(contract.chain()))

    async def gex(self, symbol: str, *, at: When = None) -> Result:
        """Return gamma exposure by strike; `summary` has flip and walls."""
        return await self.ask(question.gex(symbol, at))

    async def gex_history(
        self, symbol: str, start: When = None, end: When = None, limit: int = 1000
    ) -> Result:
        """Return how exposure went."""
        return await self.ask(question.gex_history(symbol, start, end, limit))

    async def levels(
        self,
        symbol: str,
        date: date | str | None = None,
        *,
        session: str | None = None,
        pivot: str | None = None,
    ) -> Result:
        """Return pivots and VWAP of a trading date; `summary` is the document levels.v1."""
        return await self.ask(question.levels(symbol, date, session, pivot))

    async def metrics(self, symbol: str) -> Result:
        """Return the key figures of a symbol."""
        return await self.ask(question.metrics(symbol))

    async def quality(
        self, symbols: Sequence[str] | str | None = None, *, timeframe: str = "1m", days: int = 5
    ) -> Result:
        """Return coverage by symbol and day."""
        return await self.ask(question.quality(symbols, timeframe, days))

    async def sql(self, text: str, *, max_rows: int | None = None) -> Result:
        """Return what a SELECT over the archive finds.

        Args:
            text: The statement.
            max_rows: The most rows; the service says how many it allows.
        """
        return await self.ask(question.sql(text, max_rows))

    async def ask(self, asked: Question) -> Result:
        """Ask anything of the catalogue; errors as `Client.ask`."""
        parts: list[Result] = []
        following: Question | None = asked
        while following is not None:
            found, following = continued(following, await self._answered(following))
            parts.append(found)
        return joined(parts)

    async def _answered(self, asked: Question) -> Result:
        """Ask until there is an answer, or asking again makes no sense."""
        attempt = 0
        while True:
            try:
                return await self._once(asked)
            except Refused as refused:
                wait_s = refused.wait_s(attempt)
                if wait_s is None:
                    raise refused.error() from None
            await self._sleep(wait_s)
            attempt += 1

    async def _once(self, asked: Question) -> Result:
        if asked.is_bulk and self._bulk is not None:
            return await asyncio.to_thread(self._bulk.ask, asked)
        method = "GET" if asked.content is None else "POST"
        try:
            answer = await self._http.request(
                method, asked.path, params=asked.parameters or None, json=asked.content
            )
        except httpx2.HTTPError as error:
            raise away(error) from error
        return result_in(answer)
