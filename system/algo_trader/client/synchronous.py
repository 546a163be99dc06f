"""The client that waits for its answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import date
from types import TracebackType
from typing import Any, Self

import httpx2

from infrastructure.errors import NetworkError
from system.algo_trader.client import question
from system.algo_trader.client.bulk import Bulk
from system.algo_trader.client.connection import Connection, failure_of, wait_of
from system.algo_trader.client.question import Question, When
from system.algo_trader.client.result import Result, result_of_stream


class Client:
    """Ask the service; without arguments that of this machine.

    Args:
        url: Of the service; `ALGO_TRADER_URL`, else this home's running one.
        key: An API key; `ALGO_TRADER_API_KEY`, else what opens this home's service for its owner.
        flight_url: Of Flight, by which histories come where it is known.
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
        flight_url: str | None = None,
        timeout_s: float = 30.0,
        transport: httpx2.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        where = Connection.of(url, key, flight_url)
        self._http = httpx2.Client(
            base_url=where.url,
            headers=where.headers,
            timeout=timeout_s,
            trust_env=False,
            transport=transport,
        )
        self._bulk = None if where.flight_url is None else Bulk(where.flight_url, where.key)
        self._sleep = sleep

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        if self._bulk is not None:
            self._bulk.close()

    def quote(self, symbol: str) -> dict[str, Any]:
        """Return the newest quote of a symbol with the facts of the answer; errors as `ask`."""
        found = self.quotes([symbol])
        return {**found.rows()[0], "facts": dict(found.facts)}

    def quotes(self, symbols: Sequence[str] | str) -> Result:
        """Return the newest quotes; symbols of which nobody has one are left out."""
        return self.ask(question.quotes(symbols))

    def history(
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
        return self.ask(question.history(symbol, timeframe, start, end, **more))

    def trades(
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
        found = self.ask(question.trades(symbols, start, end))
        return question.check_tape(found, symbols, sampled=sampled)

    def chain(
        self,
        symbol: str,
        *,
        expiry: date | str | None = None,
        right: str | None = None,
        strikes: int | None = None,
        at: When = None,
    ) -> Result:
        """Return the contracts of an underlying."""
        return self.ask(question.chain(symbol, expiry, right, strikes, at))

    def option_quote(self, symbol: str) -> dict[str, Any]:
        """Return the quote of one contract by its OSI symbol."""
        option = question.option_of(symbol)
        asked = question.chain(option.underlying.to_schwab(), option.expiry, None, None, None)
        return question.one_contract(self.ask(asked), option)

    def gex(self, symbol: str, *, at: When = None) -> Result:
        """Return gamma exposure by strike; `summary` has flip and walls."""
        return self.ask(question.gex(symbol, at))

    def gex_history(
        self, symbol: str, start: When = None, end: When = None, limit: int = 1000
    ) -> Result:
        """Return how exposure went."""
        return self.ask(question.gex_history(symbol, start, end, limit))

    def levels(
        self,
        symbol: str,
        day: date | str | None = None,
        *,
        session: str | None = None,
        pivot: str | None = None,
    ) -> Result:
        """Return pivots and VWAP of a trading date; `summary` is the document levels.v1."""
        return self.ask(question.levels(symbol, day, session, pivot))

    def metrics(self, symbol: str) -> Result:
        """Return the key figures of a symbol."""
        return self.ask(question.metrics(symbol))

    def quality(
        self, symbols: Sequence[str] | str | None = None, *, timeframe: str = "1m", days: int = 5
    ) -> Result:
        """Return coverage by symbol and day."""
        return self.ask(question.quality(symbols, timeframe, days))

    def ask(self, asked: Question) -> Result:
        """Ask anything of the catalogue.

        Raises:
            CredentialsRejected: If the key is not valid or may not do that.
            UsageError: If a parameter is wrong; says what is allowed.
            NoDataError: If nobody has it.
            RateLimited: If the key asks too often, after as many attempts.
            ServiceUnavailable: If the service or a store behind it is away.
            NetworkError: If nobody answers.
        """
        if asked.is_bulk and self._bulk is not None:
            return self._bulk.ask(asked)
        attempt = 0
        while True:
            try:
                answer = self._http.get(asked.path, params=asked.parameters)
            except httpx2.HTTPError as error:
                raise NetworkError(f"the service does not answer: {error}") from error
            if answer.status_code == 200:
                return result_of_stream(answer.content)
            wait_s = wait_of(answer.status_code, answer.headers.get("retry-after"), attempt)
            if wait_s is None:
                raise failure_of(answer.status_code, problem_in(answer))
            self._sleep(wait_s)
            attempt += 1


def problem_in(answer: httpx2.Response) -> dict[str, Any]:
    """Return the problem of an answer, empty where it holds none."""
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
