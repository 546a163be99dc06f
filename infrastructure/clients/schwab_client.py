"""The base client of the Schwab API: sign-in, requests, market data, accounts and orders.

The code lives in `infrastructure.schwab`; this is its facade.

    client = SchwabClient(DEFAULT_BASE_URL, tokens.access_token)
    candles = client.price_history("AAPL", period_type="year", frequency_type="daily")
    closes = candles.columns()["close"]
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import requests

from infrastructure.clock import Clock, SystemClock
from infrastructure.config import Secret
from infrastructure.errors import UsageError
from infrastructure.schwab.answer import Answer
from infrastructure.schwab.budget import Budget
from infrastructure.schwab.candles import Candle, CandleList
from infrastructure.schwab.market_data import MarketData
from infrastructure.schwab.models import Hours, Instrument, Quote, Quotes
from infrastructure.schwab.oauth.authorization import AuthorizationRequest
from infrastructure.schwab.oauth.client import OAuthClient
from infrastructure.schwab.oauth.tokens import TokenSet
from infrastructure.schwab.option_data import OptionData
from infrastructure.schwab.orders.arming import Arming, TradingLimits
from infrastructure.schwab.rest import Requester
from infrastructure.schwab.retry import RetryPolicy
from infrastructure.schwab.trading import Trading
from infrastructure.schwab.transport import DEFAULT_BASE_URL, DEFAULT_TIMEOUT_S, new_session

__all__ = [
    "DEFAULT_BASE_URL",
    "AuthorizationRequest",
    "Candle",
    "CandleList",
    "Hours",
    "Instrument",
    "OAuthClient",
    "Quote",
    "Quotes",
    "RetryPolicy",
    "SchwabClient",
    "TokenSet",
]


class SchwabClient(MarketData, OptionData, Trading):
    """Talk to one Schwab host for one signed-in user; threads may share it.

    Args:
        base_url: Scheme and authority of the API.
        access_token: Returns a token to send; called with True after Schwab refused the last one.
        session: Who sends; a new one, closed with the client, when None.
        clock: Tells the time and waits between attempts.
        timeout_s: Longest silence of one attempt, seconds.
        retry: The bounds of retrying GET requests.
        jitter: Returns a number from 0 to 1, for the waits.
        oauth: The application's sign-in, for the methods that sign in and refresh.
        limits: What may be traded at a real broker once armed; nothing when None.
        budget: How long each request waits for its turn; this client's own when None.
        order_count: Counts orders among processes, as `Arming` takes it.

    Raises:
        ConfigError: If the base URL is no http(s) URL.
    """

    def __init__(
        self,
        base_url: str,
        access_token: Callable[[bool], Secret],
        *,
        session: requests.Session | None = None,
        clock: Clock | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        retry: RetryPolicy | None = None,
        jitter: Callable[[], float] = random.random,
        oauth: OAuthClient | None = None,
        limits: TradingLimits | None = None,
        budget: Budget | None = None,
        order_count: Callable[[int], bool] | None = None,
    ) -> None:
        self._owns_session = session is None
        self._session = session if session is not None else new_session(base_url)
        told: Clock = clock if clock is not None else SystemClock()
        requester = Requester(
            base_url,
            access_token,
            session=self._session,
            clock=told,
            timeout_s=timeout_s,
            retry=retry if retry is not None else RetryPolicy(),
            jitter=jitter,
            budget=budget,
        )
        arming = Arming(limits if limits is not None else TradingLimits(), told, order_count)
        Trading.__init__(self, requester, told.now_ns, arming)
        self._oauth = oauth

    def __repr__(self) -> str:
        return f"SchwabClient({self._requester.base_url!r}, ...)"

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
        """Close the connections that this client opened itself."""
        if self._owns_session:
            self._session.close()

    def request(
        self, path: str, params: Mapping[str, str] | None = None, *, what: str | None = None
    ) -> Answer:
        """Return the raw answer of any authorised GET request, with the same retries and errors.

        Args:
            path: From the host's root, percent-encoded, such as `/marketdata/v1/movers/$SPX`.
            params: The query, not yet encoded.
            what: What is asked, for sentences; the path when None.

        Raises:
            StackError: Any leaf of the retry, sign-in and input branches.
        """
        if not path.startswith("/"):
            raise UsageError(f"The path {path!r} does not begin with a slash")
        return self._requester.get(path, params, what=what or path)

    def request_json(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """Return the decoded JSON of any authorised GET request.

        Args:
            path: As in `request`.
            params: The query, not yet encoded.

        Raises:
            ProviderUnavailable: If the answer is no JSON.
            StackError: As in `request`.
        """
        answer = self.request(path, params)
        value = answer.json()
        if value is None and answer.body.strip() != b"null":
            raise self._requester.unreadable(answer)
        return value

    def begin_sign_in(self) -> AuthorizationRequest:
        """Return a new sign-in; its `url` is what the person opens.

        Raises:
            UsageError: If the client was made without `oauth`.
        """
        return self._sign_in().begin()

    def finish_sign_in(self, request: AuthorizationRequest, received_url: str) -> TokenSet:
        """Return the tokens for the redirect URL of a sign-in begun here.

        Raises:
            UsageError: If the client was made without `oauth`.
            StackError: As `OAuthClient.finish`.
        """
        return self._sign_in().finish(request, received_url)

    def refresh(self, tokens: TokenSet) -> TokenSet:
        """Return the token set with a new access token.

        Raises:
            UsageError: If the client was made without `oauth`.
            StackError: As `OAuthClient.refresh`.
        """
        return self._sign_in().refresh(tokens)

    def _sign_in(self) -> OAuthClient:
        if self._oauth is None:
            raise UsageError(
                "This Schwab client was made without an application, so it cannot sign in",
                next_step="Pass oauth=OAuthClient(...).",
            )
        return self._oauth
