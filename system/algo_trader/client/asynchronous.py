"""The client of asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import date
from types import TracebackType
from typing import Any, Self

import httpx2

from infrastructure.errors import NetworkError
from system.algo_trader.client import question
from system.algo_trader.client.connection import Connection, failure_of, wait_of
from system.algo_trader.client.question import Question, When
from system.algo_trader.client.result import Result, result_of_stream
from system.algo_trader.client.synchronous import problem_in


class AsyncClient:
    """Ask the service as `Client` does, from a coroutine; histories come over HTTP.

    Args:
        url: As `Client` takes it.
        key: As `Client` takes it.
        timeout_s: Seconds for each answer.
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
        timeout_s: float = 30.0,
        transport: httpx2.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        where = Connection.of(url, key, None)
        self._http = httpx2.AsyncClient(
            base_url=where.url,
            headers=where.headers,
            timeout=timeout_s,
            trust_env=False,
            transport=transport,
        )
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

    async def quote(self, symbol: str) -> dict[str, Any]:
        """Return the newest quote of a symbol with the facts of the answer; errors as `ask`."""
        found = await self.quotes([symbol])
        return {**found.rows()[0], "facts": dict(found.facts)}

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
            start: The first start; without one, the last bars are given.
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

    async def option_quote(self, symbol: str) -> dict[str, Any]:
        """Return the quote of one contract by its OSI symbol."""
        option = question.option_of(symbol)
        asked = question.chain(option.underlying.to_schwab(), option.expiry, None, None, None)
        return question.one_contract(await self.ask(asked), option)

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
        day: date | str | None = None,
        *,
        session: str | None = None,
        pivot: str | None = None,
    ) -> Result:
        """Return pivots and VWAP of a trading date; `summary` is the document levels.v1."""
        return await self.ask(question.levels(symbol, day, session, pivot))

    async def metrics(self, symbol: str) -> Result:
        """Return the key figures of a symbol."""
        return await self.ask(question.metrics(symbol))

    async def quality(
        self, symbols: Sequence[str] | str | None = None, *, timeframe: str = "1m", days: int = 5
    ) -> Result:
        """Return coverage by symbol and day."""
        return await self.ask(question.quality(symbols, timeframe, days))

    async def ask(self, asked: Question) -> Result:
        """Ask anything of the catalogue; errors as `Client.ask`."""
        attempt = 0
        while True:
            try:
                answer = await self._http.get(asked.path, params=asked.parameters)
            except httpx2.HTTPError as error:
                raise NetworkError(f"the service does not answer: {error}") from error
            if answer.status_code == 200:
                return result_of_stream(answer.content)
            wait_s = wait_of(answer.status_code, answer.headers.get("retry-after"), attempt)
            if wait_s is None:
                raise failure_of(answer.status_code, problem_in(answer))
            await self._sleep(wait_s)
            attempt += 1
