"""What an answer that is no success means, as an error of the tree that says what to do.

Pure functions. The forms are schwab-api.md §1 (token endpoint) and §2 (requests); texts that
Schwab has not documented are matched loosely and quoted.
"""

from __future__ import annotations

from infrastructure.errors import (
    AnswerTooLarge,
    AppNotApproved,
    CredentialsRejected,
    NoDataError,
    ProviderUnavailable,
    RateLimited,
    RefreshTokenExpired,
    RefreshTokenRejected,
    RequestRejected,
    SignInFailed,
    StackError,
    UnknownSymbol,
)
from infrastructure.schwab.answer import Answer, error_details, shortened

LOGIN = "Run `algo-trader auth login` to sign in again."
WAIT = "Try again in a few minutes."
DOWN = "Try again later; maintenance is usual at weekends."
CORRECT = "Correct what Schwab names here, then ask again."
APP_PAGE = (
    'Check at developer.schwab.com that the application is "Ready For Use" (a change sets it back '
    'to pending for days) and has both products, "Accounts and Trading Production" and "Market '
    'Data Production".'
)
RATE_LIMIT_PER_MINUTE = 120
_NOT_APPROVED = (
    "whitelabel error page",
    "assertion_rejected",
    "unable to complete your request",
    "client not authorized",
)
_DEAD_REFRESH_TOKEN = (
    "unsupported_token_type",
    "refresh_token_authentication_error",
    "invalid_grant",
    "refresh token invalid",
    "refresh token is invalid",
)


def request_refusal(answer: Answer, *, now_ns: int, symbol: str | None = None) -> StackError:
    """Return the error of a request that was refused with a fresh access token.

    Args:
        answer: Its status is not 2xx.
        now_ns: The time, nanoseconds UTC, for a `Retry-After` date.
        symbol: The one symbol asked for, if there was one.
    """
    common = _unrelated_to_the_request(answer, now_ns)
    if common is not None:
        return common
    payload = answer.json()
    detail = error_details(payload)
    correlation_id = answer.correlation_id
    if answer.status == 401:
        return AppNotApproved(
            f"Schwab refused {answer.what} although the access token is fresh{_colon(detail)}",
            next_step=APP_PAGE,
            correlation_id=correlation_id,
        )
    if answer.status == 404 and payload is None:
        return ProviderUnavailable(
            f"Schwab does not serve {answer.what} now, which happens during maintenance"
            f"{_colon(shortened(answer.text))}",
            next_step=DOWN,
            correlation_id=correlation_id,
        )
    if answer.status == 404:
        return _not_found(answer, detail, symbol)
    return RequestRejected(
        f"Schwab refused {answer.what} with status {answer.status}{_colon(detail)}",
        next_step=CORRECT,
        status=answer.status,
        correlation_id=correlation_id,
    )


def token_refusal(answer: Answer, *, now_ns: int, refreshing: bool) -> StackError:
    """Return the error of a refused token request.

    Args:
        answer: Its status is not 2xx.
        now_ns: The time, nanoseconds UTC, for a `Retry-After` date.
        refreshing: Whether a refresh token was sent, rather than a code.
    """
    common = _unrelated_to_the_request(answer, now_ns)
    if common is not None:
        return common
    detail = error_details(answer.json()) or shortened(answer.text)
    lower = answer.text.lower()
    correlation_id = answer.correlation_id
    if refreshing and any(mark in lower for mark in _DEAD_REFRESH_TOKEN):
        return RefreshTokenRejected(
            "Schwab no longer accepts the refresh token: it is expired, revoked, or replaced by "
            "a later sign-in",
            next_step=LOGIN,
            correlation_id=correlation_id,
            detail=detail,
        )
    if any(mark in lower for mark in _NOT_APPROVED):
        return AppNotApproved(
            f"Schwab has not made this application ready{_colon(detail)}",
            next_step=APP_PAGE,
            correlation_id=correlation_id,
        )
    if answer.status in (401, 403) or "invalid_client" in lower:
        return CredentialsRejected(
            f"Schwab does not accept the app key and secret{_colon(detail)}",
            next_step="Check SCHWAB_API_KEY and SCHWAB_SECRET against the application's page at "
            "developer.schwab.com.",
            correlation_id=correlation_id,
        )
    if refreshing:
        return RefreshTokenRejected(
            f"Schwab refused to refresh the sign-in{_colon(detail)}",
            next_step=LOGIN,
            correlation_id=correlation_id,
        )
    return SignInFailed(
        f"Schwab refused the code of the redirect URL{_colon(detail)}",
        next_step="A code lives about 30 seconds and works once, and the callback URL must be "
        f"letter for letter the registered one. {LOGIN}",
        correlation_id=correlation_id,
    )


def expired_refresh_token(age_s: float) -> RefreshTokenExpired:
    """Return the error of a refresh token older than Schwab's seven days."""
    return RefreshTokenExpired(
        f"The sign-in is {age_s / 86_400:.1f} days old, and Schwab ends every sign-in after 7 days",
        next_step=LOGIN,
    )


def _unrelated_to_the_request(answer: Answer, now_ns: int) -> StackError | None:
    correlation_id = answer.correlation_id
    if answer.status == 429:
        wait_s = answer.retry_after_s(now_ns)
        asked = "" if wait_s is None else f"; Schwab asks to wait {wait_s:.0f} s"
        wait = "a minute" if wait_s is None else f"{wait_s:.0f} s"
        return RateLimited(
            f"Schwab limits the rate of requests to {RATE_LIMIT_PER_MINUTE} a minute, and refused "
            f"{answer.what}{asked}",
            retry_after_s=wait_s,
            next_step=f"Wait {wait}, and run fewer programs on this application at once.",
            correlation_id=correlation_id,
        )
    if "whitelabel error page" in answer.text.lower():
        return AppNotApproved(
            "Schwab answered with its error page for applications that are not ready",
            next_step=APP_PAGE,
            correlation_id=correlation_id,
        )
    if _too_big(answer):
        return AnswerTooLarge(
            f"The answer to {answer.what} is larger than Schwab's gateway lets through (10 MB)",
            status=answer.status,
            next_step="Ask for less: a shorter range, fewer strikes or one expiry at a time.",
            correlation_id=correlation_id,
        )
    if answer.status == 403 and answer.is_html:
        return ProviderUnavailable(
            f"Schwab's network edge (Akamai) denied {answer.what} with a web page",
            next_step="Try again in a few minutes; if it lasts, leave the VPN or proxy, which "
            "Akamai may block.",
            correlation_id=correlation_id,
        )
    if answer.status >= 500 or 300 <= answer.status < 400 or answer.is_html:
        return ProviderUnavailable(
            f"Schwab could not serve {answer.what} (status {answer.status})"
            f"{_colon('' if answer.is_html else error_details(answer.json()))}",
            next_step=DOWN if answer.status >= 500 else WAIT,
            correlation_id=correlation_id,
            status=answer.status,
        )
    return None


def _too_big(answer: Answer) -> bool:
    payload = answer.json()
    fault = payload.get("fault") if isinstance(payload, dict) else None
    detail = fault.get("detail") if isinstance(fault, dict) else None
    code = detail.get("errorcode") if isinstance(detail, dict) else None
    return isinstance(code, str) and code.endswith("TooBigBody")


def _not_found(answer: Answer, detail: str, symbol: str | None) -> StackError:
    if symbol is not None:
        return UnknownSymbol(
            f"Schwab does not know the symbol {symbol!r}",
            next_step="Check its spelling; indices begin with $ ($SPX), share classes take a slash "
            "(BRK/B).",
            correlation_id=answer.correlation_id,
            symbol=symbol,
        )
    return NoDataError(
        f"Schwab has nothing for {answer.what}{_colon(detail)}",
        correlation_id=answer.correlation_id,
    )


def _colon(detail: str) -> str:
    return f": {detail}" if detail else ""
