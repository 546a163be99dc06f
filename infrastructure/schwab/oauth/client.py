"""Exchange codes and refresh tokens at Schwab's token endpoint."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import requests

from infrastructure.clock import Clock, SystemClock
from infrastructure.config import Secret
from infrastructure.errors import ProviderUnavailable, SignInFailed
from infrastructure.logging import get_logger
from infrastructure.schwab.answer import Answer
from infrastructure.schwab.oauth.application import SchwabApplication
from infrastructure.schwab.oauth.authorization import (
    SIGN_IN_AGAIN,
    AuthorizationRequest,
    new_request,
    parse_redirect,
)
from infrastructure.schwab.oauth.tokens import NS_PER_S, TokenSet
from infrastructure.schwab.refusals import WAIT, token_refusal
from infrastructure.schwab.rest import checked_base_url
from infrastructure.schwab.retry import NO_RETRY, RetryPolicy, passes_by_itself, with_retries
from infrastructure.schwab.transport import DEFAULT_TIMEOUT_S, Authorization, new_session, send

TOKEN_PATH = "/v1/oauth/token"
REFRESH_RETRY = RetryPolicy(attempts=3, first_wait_s=1.0)
_log = get_logger("schwab.oauth")


class OAuthClient:
    """Sign in with the authorisation-code flow, and refresh.

    Args:
        base_url: Scheme and authority of the API.
        app_key: The application's key.
        app_secret: The application's secret.
        callback_url: The callback exactly as registered.
        session: Who sends; a new one when None.
        clock: Tells the time and waits between attempts.
        pkce: Whether to send a PKCE challenge (unverified at the real Schwab).
        timeout_s: Longest silence of one attempt, seconds.
        jitter: Returns a number from 0 to 1.

    Raises:
        ConfigError: If the key, secret, callback or base URL cannot work.
    """

    def __init__(
        self,
        base_url: str,
        app_key: Secret | str,
        app_secret: Secret,
        callback_url: str,
        session: requests.Session | None = None,
        clock: Clock | None = None,
        pkce: bool = True,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        key = app_key if isinstance(app_key, Secret) else Secret(app_key)
        self.application = SchwabApplication(key, app_secret, callback_url, pkce)
        self._base_url = checked_base_url(base_url)
        self._session = session if session is not None else new_session(base_url)
        self._clock: Clock = clock if clock is not None else SystemClock()
        self._timeout_s = timeout_s
        self._jitter = jitter
        self._waiting: dict[str, AuthorizationRequest] = {}

    def __repr__(self) -> str:
        return f"OAuthClient({self._base_url!r}, ...)"

    def begin(self) -> AuthorizationRequest:
        """Return a new sign-in: the URL to open, and the state that comes back once."""
        request = new_request(self._base_url, self.application, self._clock.now_ns())
        self._waiting[request.state] = request
        return request

    def finish(self, request: AuthorizationRequest, received_url: str) -> TokenSet:
        """Return the tokens for the redirect URL of a sign-in begun here.

        Args:
            request: What `begin` returned; it is used up, whatever the outcome.
            received_url: Where Schwab sent the browser.

        Raises:
            SignInFailed: If the request is used up or expired, or the URL or its code is refused.
            CredentialsRejected: If Schwab does not accept the app key and secret.
            AppNotApproved: If Schwab has not made the application ready.
            RetryableError: If Schwab cannot be reached or is down.
        """
        if self._waiting.pop(request.state, None) is None:
            raise SignInFailed(
                "This sign-in was already finished or not begun here; its state works once",
                next_step=SIGN_IN_AGAIN,
            )
        if self._clock.now_ns() >= request.expires_ns:
            minutes = (request.expires_ns - request.created_ns) / NS_PER_S / 60
            raise SignInFailed(
                f"The sign-in took longer than {minutes:.0f} minutes and has expired",
                next_step=SIGN_IN_AGAIN,
            )
        callback_url = self.application.callback_url
        code = parse_redirect(received_url, callback_url=callback_url, state=request.state)
        form = {
            "grant_type": "authorization_code",
            "code": code.reveal(),
            "redirect_uri": callback_url,
        }
        if request.code_verifier is not None:
            form["code_verifier"] = request.code_verifier.reveal()
        asked_ns = self._clock.now_ns()
        # A code works once: a lost answer cannot be asked for again.
        values = self._post(form, what="the code exchange", refreshing=False, retry=NO_RETRY)
        refresh_token = _text(values, "refresh_token")
        if refresh_token is None:
            raise SignInFailed(
                "Schwab answered the code without a refresh token, so it was no full sign-in",
                next_step=SIGN_IN_AGAIN,
            )
        return _token_set(values, refresh_token, asked_ns=asked_ns, signed_in_at_ns=asked_ns)

    def refresh(self, tokens: TokenSet) -> TokenSet:
        """Return the token set with a new access token.

        Whatever refresh token comes back is kept; the sign-in's age stays what it was.

        Raises:
            RefreshTokenRejected: If Schwab no longer accepts the refresh token.
            CredentialsRejected: If Schwab does not accept the app key and secret.
            AppNotApproved: If Schwab has not made the application ready.
            RetryableError: If Schwab cannot be reached or is down.
        """
        form = {"grant_type": "refresh_token", "refresh_token": tokens.refresh_token.reveal()}
        asked_ns = self._clock.now_ns()
        values = self._post(form, what="a token refresh", refreshing=True, retry=REFRESH_RETRY)
        _log.info("refreshed the access token")
        return _token_set(
            values,
            _text(values, "refresh_token") or tokens.refresh_token,
            asked_ns=asked_ns,
            signed_in_at_ns=tokens.signed_in_at_ns,
        )

    def _post(
        self, form: Mapping[str, str], *, what: str, refreshing: bool, retry: RetryPolicy
    ) -> dict[str, Any]:
        answer = with_retries(
            lambda: self._post_once(form, what=what, refreshing=refreshing),
            policy=retry,
            clock=self._clock,
            jitter=self._jitter,
            may_repeat=passes_by_itself,
        )
        values = answer.json()
        if not isinstance(values, dict) or not _is_token_answer(values):
            raise ProviderUnavailable(
                f"Schwab answered {what} with something that is no token",
                next_step=WAIT,
                correlation_id=answer.correlation_id,
            )
        return values

    def _post_once(self, form: Mapping[str, str], *, what: str, refreshing: bool) -> Answer:
        answer = send(
            self._session,
            "POST",
            f"{self._base_url}{TOKEN_PATH}",
            what=what,
            auth=Authorization("Basic", self.application.basic_credentials()),
            timeout_s=self._timeout_s,
            correlation_id=str(uuid.uuid4()),
            form=form,
        )
        if 200 <= answer.status < 300:
            return answer
        raise token_refusal(answer, now_ns=self._clock.now_ns(), refreshing=refreshing)


def _is_token_answer(values: dict[str, Any]) -> bool:
    expires_in = values.get("expires_in")
    return (
        _text(values, "access_token") is not None
        and isinstance(expires_in, int | float)
        and not isinstance(expires_in, bool)
        and expires_in > 0
    )


def _token_set(
    values: dict[str, Any], refresh_token: Secret, *, asked_ns: int, signed_in_at_ns: int
) -> TokenSet:
    return TokenSet(
        access_token=Secret(values["access_token"]),
        refresh_token=refresh_token,
        expires_at_ns=asked_ns + round(values["expires_in"] * NS_PER_S),
        signed_in_at_ns=signed_in_at_ns,
        scope=scope.reveal() if (scope := _text(values, "scope")) else None,
        token_type=kind.reveal() if (kind := _text(values, "token_type")) else "Bearer",
        id_token=_text(values, "id_token"),
    )


def _text(values: dict[str, Any], name: str) -> Secret | None:
    value = values.get(name)
    return Secret(value) if isinstance(value, str) and value else None
