"""The authorised request: bearer token, one refresh on 401, bounded retries, mapped errors."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import requests

from infrastructure.clock import Clock
from infrastructure.config import Secret
from infrastructure.errors import (
    ConfigError,
    NetworkError,
    OrderOutcomeUnknown,
    ProviderUnavailable,
    StackError,
)
from infrastructure.logging import get_logger
from infrastructure.schwab.answer import Answer
from infrastructure.schwab.budget import Budget, LocalBudget
from infrastructure.schwab.circuit import CircuitBreaker
from infrastructure.schwab.oauth.application import is_loopback
from infrastructure.schwab.orders.arming import Permit, check_permitted
from infrastructure.schwab.refusals import WAIT, request_refusal
from infrastructure.schwab.retry import RetryPolicy, passes_by_itself, with_retries
from infrastructure.schwab.transport import Authorization, send

_log = get_logger("schwab.rest")


class Requester:
    """Send authorised GET requests to one Schwab host.

    Args:
        base_url: Scheme and authority, such as `https://api.schwabapi.com`.
        access_token: Returns a token to send; called with True after Schwab refused the last one.
        session: Who sends.
        clock: Tells the time and waits between attempts.
        timeout_s: Longest silence of one attempt, seconds.
        retry: The bounds of retrying.
        jitter: Returns a number from 0 to 1.
        new_id: Makes the correlation id of a request.
        budget: Says how long each request waits for its turn; cancels never wait.

    Raises:
        ConfigError: If the base URL is no http(s) URL.
    """

    def __init__(
        self,
        base_url: str,
        access_token: Callable[[bool], Secret],
        *,
        session: requests.Session,
        clock: Clock,
        timeout_s: float,
        retry: RetryPolicy,
        jitter: Callable[[], float] = random.random,
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
        budget: Budget | None = None,
    ) -> None:
        self.base_url = checked_base_url(base_url)
        self._access_token = access_token
        self._session = session
        self._clock = clock
        self._timeout_s = timeout_s
        self._retry = retry
        self._jitter = jitter
        self._new_id = new_id
        # A local server has limits of its own, or none; it answers 429 where it has.
        self._budget: Budget | None = budget
        if budget is None and not self.is_loopback:
            self._budget = LocalBudget(clock)
        self._circuits = {root: CircuitBreaker(clock) for root in ("/trader/", "/marketdata/")}

    @property
    def is_loopback(self) -> bool:
        """Whether the host is this machine."""
        return is_loopback(urlsplit(self.base_url).hostname or "")

    def now_ns(self) -> int:
        """Return the time of the injected clock, nanoseconds UTC."""
        return self._clock.now_ns()

    def get(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        what: str,
        symbol: str | None = None,
    ) -> Answer:
        """Return the 2xx answer of a GET request.

        Args:
            path: From the host's root, already percent-encoded.
            params: The query, not yet encoded.
            what: What is asked, for sentences.
            symbol: The one symbol asked for, if there is one: a 404 then names it.

        Raises:
            StackError: Any leaf of the tree's retry, sign-in and input branches.
        """
        return with_retries(
            lambda: self._attempt(path, params, what=what, symbol=symbol),
            policy=self._retry,
            clock=self._clock,
            jitter=self._jitter,
            may_repeat=passes_by_itself,
        )

    def write(
        self,
        method: str,
        path: str,
        *,
        what: str,
        body: bytes | None = None,
        permit: Permit | None = None,
    ) -> Answer:
        """Return the 2xx answer of a request that changes something; it is sent once.

        A 401 says that nothing was done: then the token is refreshed and it is sent once more.

        Args:
            method: POST, PUT or DELETE.
            path: From the host's root, already percent-encoded.
            what: What is asked, for sentences.
            body: JSON.
            permit: Makes the permit that a real broker's order needs.

        Raises:
            TradingNotArmed: If it would reach a real broker without a permit.
            OrderOutcomeUnknown: If it may have been done all the same; look it up.
            StackError: Any other leaf; then nothing was done.
        """
        url = f"{self.base_url}{path}"
        for force_refresh in (False, True):
            # The permit comes first: what is not allowed does not even ask for a token.
            allowed = None if permit is None else permit(method, url, body)
            if allowed is None:
                check_permitted(method, url, body, None)
            token = self._access_token(force_refresh)
            wait_s = 0.0 if self._budget is None else self._budget.take()
            if method != "DELETE":
                self._clock.sleep(wait_s)
            try:
                answer = send(
                    self._session,
                    method,
                    url,
                    what=what,
                    auth=Authorization("Bearer", token.reveal()),
                    timeout_s=self._timeout_s,
                    correlation_id=self._new_id(),
                    body=body,
                    permit=allowed,
                )
            except NetworkError as error:
                if error.context.get("sent") is False:
                    raise
                raise _unknown(what, error.message, error.correlation_id) from error
            if answer.status != 401:
                break
        if 200 <= answer.status < 300:
            return answer
        if answer.status >= 500:
            raise _unknown(what, f"Schwab answered with status {answer.status}", answer)
        raise self.refusal(answer)

    def refusal(self, answer: Answer, *, symbol: str | None = None) -> StackError:
        """Return the error that an answer stands for."""
        return request_refusal(answer, now_ns=self._clock.now_ns(), symbol=symbol)

    def unreadable(self, answer: Answer) -> StackError:
        """Return the error of a 2xx answer that is no JSON."""
        if answer.is_html:
            return self.refusal(answer)
        return ProviderUnavailable(
            f"Schwab's answer for {answer.what} is no JSON; it may have been cut off",
            next_step=WAIT,
            correlation_id=answer.correlation_id,
        )

    def _attempt(
        self, path: str, params: Mapping[str, str] | None, *, what: str, symbol: str | None
    ) -> Answer:
        circuit = next((c for root, c in self._circuits.items() if path.startswith(root)), None)
        if circuit is not None:
            circuit.check()
        try:
            answer = self._send(path, params, what=what, force_refresh=False)
            if answer.status == 401:
                _log.info("Schwab refused the access token early; refreshing it once")
                answer = self._send(path, params, what=what, force_refresh=True)
        except NetworkError:
            if circuit is not None:
                circuit.failed()
            raise
        if circuit is not None:
            (circuit.failed if answer.status >= 500 else circuit.succeeded)()
        if 200 <= answer.status < 300:
            return answer
        raise self.refusal(answer, symbol=symbol)

    def _send(
        self, path: str, params: Mapping[str, str] | None, *, what: str, force_refresh: bool
    ) -> Answer:
        token = self._access_token(force_refresh)
        if self._budget is not None:
            self._clock.sleep(self._budget.take())
        started_ns = self._clock.monotonic_ns()
        answer = send(
            self._session,
            "GET",
            f"{self.base_url}{path}",
            what=what,
            auth=Authorization("Bearer", token.reveal()),
            timeout_s=self._timeout_s,
            correlation_id=self._new_id(),
            params=params,
        )
        _log.debug(
            "GET %s -> %d, %d bytes, %.0f ms, id %s",
            path,
            answer.status,
            len(answer.body),
            (self._clock.monotonic_ns() - started_ns) / 1e6,
            answer.correlation_id,
        )
        return answer


def _unknown(what: str, why: str, of: Answer | str | None) -> OrderOutcomeUnknown:
    return OrderOutcomeUnknown(
        f"it is not known whether {what} reached Schwab: {why}",
        next_step="Look it up with `algo-trader orders list` before sending it again.",
        correlation_id=of.correlation_id if isinstance(of, Answer) else of,
    )


def checked_base_url(base_url: str) -> str:
    """Return the base URL without a trailing slash.

    Raises:
        ConfigError: If it is no plain http(s) URL.
    """
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ConfigError(
            f"The Schwab base URL {base_url!r} is no plain http(s) URL",
            next_step="Unset SCHWAB_BASE_URL, or give it as https://host.",
        )
    return base_url.rstrip("/")
