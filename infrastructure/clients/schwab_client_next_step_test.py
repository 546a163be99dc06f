"""For each kind of refusal, the wire's own body and the next step that a person reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
import requests_mock

from infrastructure.clients.schwab_client import (
    DEFAULT_BASE_URL,
    OAuthClient,
    SchwabClient,
    TokenSet,
)
from infrastructure.clock import VirtualClock
from infrastructure.config import Secret
from infrastructure.errors import (
    AppNotApproved,
    CredentialsRejected,
    ProviderUnavailable,
    RateLimited,
    RefreshTokenRejected,
    RequestRejected,
    StackError,
    UnknownSymbol,
)

NOW_NS: Final = 1_700_000_000 * 10**9
TOKEN_URL: Final = f"{DEFAULT_BASE_URL}/v1/oauth/token"
HISTORY_URL: Final = f"{DEFAULT_BASE_URL}/marketdata/v1/pricehistory"
ACCOUNTS_URL: Final = f"{DEFAULT_BASE_URL}/trader/v1/accounts"
GRANTED: Final[dict[str, Any]] = {
    "json": {"access_token": "I0.fresh@", "refresh_token": "r@", "expires_in": 1800}
}

SIGN_IN: Final = "Run `algo-trader auth login` to sign in again."
LATER: Final = "Try again later; maintenance is usual at weekends."
CORRECT: Final = "Correct what Schwab names here, then ask again."
PORTAL: Final = (
    'Check at developer.schwab.com that the application is "Ready For Use" (a change sets it back '
    'to pending for days) and has both products, "Accounts and Trading Production" and "Market '
    'Data Production".'
)
SECRETS: Final = (
    "Check SCHWAB_API_KEY and SCHWAB_SECRET against the application's page at developer.schwab.com."
)

DEAD_REFRESH_TOKEN: Final = (
    '{"error":"unsupported_token_type","error_description":"400 Bad Request: \\"{\\"error_'
    'description\\":\\"Exception while authenticating refresh token [tokenDigest=abc=, '
    'Exception=Failed refresh token authentication [tokenDigest=abc=]]\\",\\"error\\":'
    '\\"refresh_token_authentication_error\\"}\\""}'
)
EXPIRED_REFRESH_TOKEN: Final = (
    '{"error":"unsupported_token_type","error_description":"400 Bad Request: \\"{\\"error_'
    'description\\":\\"Refresh token is invalid, expired or revoked\\",\\"error\\":'
    '\\"invalid_grant\\"}\\""}'
)
BAD_CLIENT: Final = '{"error":"invalid_client","error_description":"Unauthorized"}'
PENDING: Final = '{"error":"4001","error_description":"assertion_rejected"}'
WHITELABEL: Final = "<html><body><h1>Whitelabel Error Page</h1>status=500</body></html>"
UNAUTHORIZED: Final = (
    '{"errors":[{"id":"x","status":401,"title":"Unauthorized","detail":"Client not authorized"}]}'
)
BAD_FIELDS: Final = (
    '{"errors":[{"id":"x","status":"400","title":"Bad Request",'
    '"detail":"valid fields should be any of all","source":{"parameter":"fields"}}]}'
)
NOT_FOUND: Final = '{"errors":[{"id":"x","status":"404","title":"Not Found"}]}'
UNEXPECTED: Final = (
    '{"message":"Application encountered unexpected error that prevented fulfilling this request"}'
)
NO_ROUTE: Final = (
    "404 Not Found: Requested route ('traderapi-accounts.apigx-origin.schwab.com') does not exist."
)


@pytest.fixture
def schwab() -> Iterator[requests_mock.Mocker]:
    with requests_mock.Mocker() as mock:
        yield mock


@pytest.fixture
def client() -> Iterator[SchwabClient]:
    clock = VirtualClock(NOW_NS)
    oauth = OAuthClient(
        DEFAULT_BASE_URL, "app-key", Secret("app-secret"), "https://127.0.0.1:8182", clock=clock
    )
    held = TokenSet(Secret("I0.old@"), Secret("refresh@"), NOW_NS, NOW_NS - 10**9)

    def access_token(_: bool) -> Secret:
        return oauth.refresh(held).access_token

    with SchwabClient(DEFAULT_BASE_URL, access_token, clock=clock) as made:
        yield made


def told(ask: Callable[[], object]) -> StackError:
    with pytest.raises(StackError) as caught:
        ask()
    assert str(caught.value.next_step) in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("answer", "kind", "next_step"),
    [
        ({"status_code": 400, "text": DEAD_REFRESH_TOKEN}, RefreshTokenRejected, SIGN_IN),
        ({"status_code": 400, "text": EXPIRED_REFRESH_TOKEN}, RefreshTokenRejected, SIGN_IN),
        ({"status_code": 401, "text": BAD_CLIENT}, CredentialsRejected, SECRETS),
        ({"status_code": 500, "text": WHITELABEL}, AppNotApproved, PORTAL),
        ({"status_code": 401, "text": PENDING}, AppNotApproved, PORTAL),
        ({"status_code": 503, "text": "<html>Service Unavailable"}, ProviderUnavailable, LATER),
    ],
)
def test_a_refused_sign_in_says_what_to_do(
    schwab: requests_mock.Mocker,
    client: SchwabClient,
    answer: dict[str, Any],
    kind: type[StackError],
    next_step: str,
) -> None:
    schwab.post(TOKEN_URL, **answer)
    error = told(lambda: client.price_history("AAPL"))
    assert (type(error), error.next_step) == (kind, next_step)


@pytest.mark.parametrize(
    ("answer", "kind", "next_step"),
    [
        (
            {"status_code": 429, "headers": {"Retry-After": "90"}},
            RateLimited,
            "Wait 90 s, and run fewer programs on this application at once.",
        ),
        (
            {"status_code": 429},
            RateLimited,
            "Wait a minute, and run fewer programs on this application at once.",
        ),
        ({"status_code": 400, "text": BAD_FIELDS}, RequestRejected, CORRECT),
        (
            {"status_code": 404, "text": NOT_FOUND},
            UnknownSymbol,
            "Check its spelling; indices begin with $ ($SPX), share classes take a slash (BRK/B).",
        ),
        ({"status_code": 503, "text": "upstream is down"}, ProviderUnavailable, LATER),
        ({"status_code": 401, "text": UNAUTHORIZED}, AppNotApproved, PORTAL),
        ({"status_code": 500, "text": WHITELABEL}, AppNotApproved, PORTAL),
    ],
)
def test_a_refused_request_says_what_to_do(
    schwab: requests_mock.Mocker,
    client: SchwabClient,
    answer: dict[str, Any],
    kind: type[StackError],
    next_step: str,
) -> None:
    schwab.post(TOKEN_URL, **GRANTED)
    schwab.get(HISTORY_URL, **answer)
    error = told(lambda: client.price_history("AAPL"))
    assert (type(error), error.next_step) == (kind, next_step)


@pytest.mark.parametrize(("status", "body"), [(500, UNEXPECTED), (404, NO_ROUTE)])
def test_the_weekends_outage_of_the_accounts_says_what_to_do(
    schwab: requests_mock.Mocker, client: SchwabClient, status: int, body: str
) -> None:
    schwab.post(TOKEN_URL, **GRANTED)
    schwab.get(ACCOUNTS_URL, status_code=status, text=body)
    error = told(client.accounts)
    assert (type(error), error.next_step) == (ProviderUnavailable, LATER)
