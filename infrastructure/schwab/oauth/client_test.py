import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests
import requests_mock

from infrastructure.clock import VirtualClock
from infrastructure.config import Secret
from infrastructure.errors import (
    AppNotApproved,
    ConfigError,
    CredentialsRejected,
    NetworkError,
    ProviderUnavailable,
    RateLimited,
    RefreshTokenRejected,
    SignInFailed,
)
from infrastructure.schwab.oauth.authorization import AuthorizationRequest
from infrastructure.schwab.oauth.client import OAuthClient
from infrastructure.schwab.oauth.tokens import TokenSet

BASE = "https://api.schwabapi.com"
TOKEN_URL = f"{BASE}/v1/oauth/token"
CALLBACK = "https://127.0.0.1:8182"
NOW_NS = 1_700_000_000 * 10**9
ANSWER = {
    "expires_in": 1800,
    "token_type": "Bearer",
    "scope": "api",
    "refresh_token": "new-refresh-token@",
    "access_token": "I0.new-access-token@",
    "id_token": "a.jwt.here",
}
DEAD_REFRESH_TOKEN = (
    '{"error":"unsupported_token_type","error_description":"400 Bad Request: \\"{\\"error_'
    'description\\":\\"Exception while authenticating refresh token [tokenDigest=abc, '
    'Exception=Failed refresh token authentication [tokenDigest=abc]]\\",\\"error\\":'
    '\\"refresh_token_authentication_error\\"}\\""}'
)


@pytest.fixture
def schwab() -> Iterator[requests_mock.Mocker]:
    with requests_mock.Mocker() as mock:
        yield mock


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOW_NS)


@pytest.fixture
def oauth(clock: VirtualClock) -> OAuthClient:
    return OAuthClient(
        BASE, "app-key", Secret("app-secret"), CALLBACK, clock=clock, jitter=lambda: 1.0
    )


def redirect_of(request: AuthorizationRequest, code: str = "C0.one-time-code%40") -> str:
    return f"{CALLBACK}/?code={code}&session=s&state={request.state}"


def old_tokens() -> TokenSet:
    return TokenSet(
        access_token=Secret("I0.old-access-token@"),
        refresh_token=Secret("old-refresh-token@"),
        expires_at_ns=NOW_NS,
        signed_in_at_ns=NOW_NS - 3 * 86_400 * 10**9,
    )


def form_of(request: Any) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.text).items()}


def test_the_code_is_exchanged_with_basic_credentials_callback_and_verifier(
    schwab: requests_mock.Mocker, oauth: OAuthClient
) -> None:
    schwab.post(TOKEN_URL, json=ANSWER)
    request = oauth.begin()
    tokens = oauth.finish(request, redirect_of(request))
    sent = schwab.last_request
    assert sent is not None
    assert request.code_verifier is not None
    assert form_of(sent) == {
        "grant_type": "authorization_code",
        "code": "C0.one-time-code@",
        "redirect_uri": CALLBACK,
        "code_verifier": request.code_verifier.reveal(),
    }
    basic = base64.b64encode(b"app-key:app-secret").decode()
    assert sent.headers["Authorization"] == f"Basic {basic}"
    assert sent.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert tokens.access_token.reveal() == "I0.new-access-token@"
    assert tokens.refresh_token.reveal() == "new-refresh-token@"
    assert tokens.expires_at_ns == NOW_NS + 1800 * 10**9
    assert tokens.signed_in_at_ns == NOW_NS
    assert tokens.scope == "api"


def test_without_pkce_no_verifier_is_sent(schwab: requests_mock.Mocker) -> None:
    oauth = OAuthClient(BASE, Secret("app-key"), Secret("app-secret"), CALLBACK, pkce=False)
    schwab.post(TOKEN_URL, json=ANSWER)
    request = oauth.begin()
    oauth.finish(request, redirect_of(request))
    assert schwab.last_request is not None
    assert "code_verifier" not in form_of(schwab.last_request)


def test_a_state_works_once(schwab: requests_mock.Mocker, oauth: OAuthClient) -> None:
    schwab.post(TOKEN_URL, json=ANSWER)
    request = oauth.begin()
    oauth.finish(request, redirect_of(request))
    with pytest.raises(SignInFailed, match="works once"):
        oauth.finish(request, redirect_of(request))
    assert schwab.call_count == 1


def test_a_state_is_used_up_by_a_failure_too(
    schwab: requests_mock.Mocker, oauth: OAuthClient
) -> None:
    request = oauth.begin()
    with pytest.raises(SignInFailed, match="no state"):
        oauth.finish(request, f"{CALLBACK}/?code=C0.stolen%40")
    with pytest.raises(SignInFailed, match="works once"):
        oauth.finish(request, redirect_of(request))
    assert schwab.call_count == 0


def test_a_state_expires(
    schwab: requests_mock.Mocker, oauth: OAuthClient, clock: VirtualClock
) -> None:
    request = oauth.begin()
    clock.advance(seconds=600)
    with pytest.raises(SignInFailed, match="10 minutes"):
        oauth.finish(request, redirect_of(request))
    assert schwab.call_count == 0


def test_two_sign_ins_can_wait_side_by_side(
    schwab: requests_mock.Mocker, oauth: OAuthClient
) -> None:
    schwab.post(TOKEN_URL, json=ANSWER)
    first, second = oauth.begin(), oauth.begin()
    with pytest.raises(SignInFailed, match="another sign-in"):
        oauth.finish(first, redirect_of(second))
    oauth.finish(second, redirect_of(second))
    assert schwab.call_count == 1


def test_a_refused_code_says_that_it_lives_thirty_seconds(
    schwab: requests_mock.Mocker, oauth: OAuthClient
) -> None:
    body = {"error": "invalid_grant", "error_description": "bad C0.one-time-code@ given"}
    schwab.post(TOKEN_URL, status_code=400, json=body)
    request = oauth.begin()
    with pytest.raises(SignInFailed, match="about 30 seconds and works once") as caught:
        oauth.finish(request, redirect_of(request))
    assert "one-time-code" not in str(caught.value)
    assert "invalid_grant" in str(caught.value)


def test_the_code_exchange_is_never_repeated(
    schwab: requests_mock.Mocker, oauth: OAuthClient
) -> None:
    schwab.post(TOKEN_URL, status_code=503, text="down")
    request = oauth.begin()
    with pytest.raises(ProviderUnavailable):
        oauth.finish(request, redirect_of(request))
    assert schwab.call_count == 1


def test_an_answer_without_a_refresh_token_is_no_sign_in(
    schwab: requests_mock.Mocker, oauth: OAuthClient
) -> None:
    schwab.post(TOKEN_URL, json={"access_token": "client-credentials", "expires_in": 3600})
    request = oauth.begin()
    with pytest.raises(SignInFailed, match="without a refresh token"):
        oauth.finish(request, redirect_of(request))


@pytest.mark.parametrize(
    "answer",
    [
        {"text": "<html>ok</html>"},
        {"text": "[]"},
        {"json": {"access_token": "", "expires_in": 1800}},
        {"json": {"access_token": "abc"}},
        {"json": {"access_token": "abc", "expires_in": True}},
        {"json": {"access_token": "abc", "expires_in": 0}},
    ],
)
def test_a_success_that_is_no_token_is_the_providers_fault(
    schwab: requests_mock.Mocker, oauth: OAuthClient, answer: dict[str, Any]
) -> None:
    schwab.post(TOKEN_URL, **answer)
    with pytest.raises(ProviderUnavailable, match="no token"):
        oauth.refresh(old_tokens())


def test_a_refresh_keeps_the_sign_ins_age_and_stores_what_comes_back(
    schwab: requests_mock.Mocker, oauth: OAuthClient
) -> None:
    schwab.post(TOKEN_URL, json=ANSWER)
    tokens = oauth.refresh(old_tokens())
    assert schwab.last_request is not None
    assert form_of(schwab.last_request) == {
        "grant_type": "refresh_token",
        "refresh_token": "old-refresh-token@",
    }
    assert tokens.refresh_token.reveal() == "new-refresh-token@"
    assert tokens.signed_in_at_ns == old_tokens().signed_in_at_ns
    assert tokens.expires_at_ns == NOW_NS + 1800 * 10**9


def test_a_refresh_without_a_new_refresh_token_keeps_the_old(
    schwab: requests_mock.Mocker, oauth: OAuthClient
) -> None:
    schwab.post(TOKEN_URL, json={"access_token": "I0.newest-access@", "expires_in": 1800})
    assert oauth.refresh(old_tokens()).refresh_token.reveal() == "old-refresh-token@"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, DEAD_REFRESH_TOKEN),
        (
            400,
            '{"error":"unsupported_token_type","error_description":"400 Bad Request: \\"{\\"error_'
            'description\\":\\"Refresh token is invalid, expired or revoked\\",\\"error\\":'
            '\\"invalid_grant\\"}\\""}',
        ),
        (400, json.dumps({"error": "invalid_grant"})),
        (
            401,
            json.dumps({"error": "invalid_client", "error_description": "refresh token invalid"}),
        ),
        (400, json.dumps({"error": "something_new", "error_description": "unheard of"})),
    ],
)
def test_every_form_of_a_dead_refresh_token_asks_to_sign_in_again(
    schwab: requests_mock.Mocker, oauth: OAuthClient, status: int, body: str
) -> None:
    schwab.post(TOKEN_URL, status_code=status, text=body)
    with pytest.raises(RefreshTokenRejected) as caught:
        oauth.refresh(old_tokens())
    assert "algo-trader auth login" in str(caught.value)
    assert schwab.call_count == 1


def test_a_bad_secret_is_told_from_a_dead_token(
    schwab: requests_mock.Mocker, oauth: OAuthClient
) -> None:
    body = {"error": "invalid_client", "error_description": "Unauthorized"}
    schwab.post(TOKEN_URL, status_code=401, json=body)
    with pytest.raises(CredentialsRejected, match="SCHWAB_SECRET"):
        oauth.refresh(old_tokens())
    request = oauth.begin()
    with pytest.raises(CredentialsRejected, match="SCHWAB_SECRET"):
        oauth.finish(request, redirect_of(request))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, "<html><body><h1>Whitelabel Error Page</h1>status=500</body></html>"),
        (401, '{"error":"4001","error_description":"assertion_rejected"}'),
        (
            401,
            '{"errors":[{"status":401,"title":"Unauthorized","detail":"Client not authorized"}]}',
        ),
    ],
)
def test_an_app_that_is_not_ready_is_named(
    schwab: requests_mock.Mocker, oauth: OAuthClient, status: int, body: str
) -> None:
    schwab.post(TOKEN_URL, status_code=status, text=body)
    with pytest.raises(AppNotApproved, match="Ready For Use"):
        oauth.refresh(old_tokens())


def test_akamais_page_is_the_networks_trouble_and_is_not_repeated(
    schwab: requests_mock.Mocker, oauth: OAuthClient
) -> None:
    page = "<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD><BODY>You don't have permission</BODY>"
    schwab.post(TOKEN_URL, status_code=403, text=page)
    with pytest.raises(ProviderUnavailable, match="Akamai"):
        oauth.refresh(old_tokens())
    assert schwab.call_count == 1


def test_a_refresh_is_repeated_while_schwab_is_down(
    schwab: requests_mock.Mocker, oauth: OAuthClient, clock: VirtualClock
) -> None:
    schwab.post(
        TOKEN_URL,
        [
            {"status_code": 502, "text": "bad gateway"},
            {"exc": requests.exceptions.ConnectionError("reset")},
            {"json": ANSWER},
        ],
    )
    assert oauth.refresh(old_tokens()).access_token.reveal() == "I0.new-access-token@"
    assert schwab.call_count == 3
    assert clock.monotonic_ns() == 3 * 10**9


def test_a_refresh_gives_up_after_three_attempts(
    schwab: requests_mock.Mocker, oauth: OAuthClient
) -> None:
    schwab.post(TOKEN_URL, exc=requests.exceptions.ConnectTimeout)
    with pytest.raises(NetworkError, match=r"api\.schwabapi\.com did not answer within 30 s"):
        oauth.refresh(old_tokens())
    assert schwab.call_count == 3


def test_the_rate_limit_is_told_with_its_wait(
    schwab: requests_mock.Mocker, oauth: OAuthClient
) -> None:
    schwab.post(TOKEN_URL, status_code=429, headers={"Retry-After": "600"})
    with pytest.raises(RateLimited) as caught:
        oauth.refresh(old_tokens())
    assert caught.value.retry_after_s == 600.0


def test_a_base_url_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="no plain"):
        OAuthClient("ftp://schwab", "app-key", Secret("app-secret"), CALLBACK)


def test_repr_shows_no_secret(oauth: OAuthClient) -> None:
    assert repr(oauth) == "OAuthClient('https://api.schwabapi.com', ...)"
