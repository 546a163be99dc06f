from urllib.parse import parse_qs, quote, urlsplit

import pytest

from infrastructure.config import Secret
from infrastructure.errors import SignInFailed
from infrastructure.schwab.oauth.application import SchwabApplication
from infrastructure.schwab.oauth.authorization import (
    code_challenge,
    new_request,
    parse_redirect,
    query_parameters,
    same_endpoint,
)

STATE = "state-of-this-sign-in"
CODE = "C0.b2F1dGgyLmNkYw.x-y_z@"
CALLBACK = "https://127.0.0.1:8182"


def application(callback_url: str = CALLBACK, *, pkce: bool = True) -> SchwabApplication:
    return SchwabApplication(Secret("app-key"), Secret("app-secret"), callback_url, pkce)


def redirect(query: str, start: str = f"{CALLBACK}/") -> str:
    return f"{start}?{query}"


def good_query(code: str = quote(CODE, safe=""), state: str = STATE) -> str:
    return f"code={code}&session=9f73a1c2-0000-4000-8000-5d0a&state={state}"


def parsed(url: str, callback_url: str = CALLBACK) -> str:
    return parse_redirect(url, callback_url=callback_url, state=STATE).reveal()


def test_the_authorize_url_carries_key_callback_state_and_pkce_challenge() -> None:
    request = new_request("https://api.schwabapi.com", application(), 1_000)
    parts = urlsplit(request.url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert request.code_verifier is not None
    assert (parts.scheme, parts.netloc, parts.path) == (
        "https",
        "api.schwabapi.com",
        "/v1/oauth/authorize",
    )
    assert query == {
        "response_type": "code",
        "client_id": "app-key",
        "redirect_uri": CALLBACK,
        "state": request.state,
        "code_challenge": code_challenge(request.code_verifier.reveal()),
        "code_challenge_method": "S256",
    }


@pytest.mark.parametrize("callback_url", ["HTTPS://127.0.0.1", "https://127.0.0.1:8182/cb?a=b%20c"])
def test_the_redirect_uri_sent_is_the_registered_string(callback_url: str) -> None:
    request = new_request("https://api.schwabapi.com", application(callback_url), 0)
    assert parse_qs(urlsplit(request.url).query)["redirect_uri"] == [callback_url]


def test_pkce_can_be_switched_off() -> None:
    request = new_request("https://api.schwabapi.com", application(pkce=False), 0)
    assert request.code_verifier is None
    assert "code_challenge" not in request.url


def test_each_request_has_its_own_state_and_verifier_of_sufficient_length() -> None:
    first = new_request("https://api.schwabapi.com", application(), 0)
    second = new_request("https://api.schwabapi.com", application(), 0)
    assert first.state != second.state
    assert first.code_verifier is not None
    assert first.code_verifier != second.code_verifier
    assert 43 <= len(first.code_verifier) <= 128
    assert len(first.state) >= 32


def test_a_request_expires_ten_minutes_after_it_was_made() -> None:
    request = new_request("https://api.schwabapi.com", application(), 7)
    assert request.expires_ns - request.created_ns == 600 * 10**9


def test_the_challenge_is_that_of_rfc_7636_appendix_b() -> None:
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    assert code_challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_repr_of_a_request_shows_neither_state_nor_verifier() -> None:
    request = new_request("https://api.schwabapi.com", application(), 0)
    assert request.code_verifier is not None
    assert request.state not in repr(request)
    assert request.code_verifier.reveal() not in repr(request)


def test_schwabs_inserted_slash_is_accepted() -> None:
    assert parsed(redirect(good_query(), f"{CALLBACK}/")) == CODE


def test_a_redirect_without_the_slash_is_accepted_too() -> None:
    assert parsed(redirect(good_query(), CALLBACK)) == CODE


@pytest.mark.parametrize(
    "url",
    [
        f"  {CALLBACK}/?{good_query()}\n",
        f"<{CALLBACK}/?{good_query()}>",
        f'"{CALLBACK}/?{good_query()}"',
        f"HTTPS://127.0.0.1:8182/?{good_query()}",
        f"{CALLBACK}/?{good_query()}&unknown=1&unknown=2",
        f"{CALLBACK}/?{good_query()}#",
    ],
)
def test_harmless_differences_of_a_pasted_url_are_accepted(url: str) -> None:
    assert parsed(url) == CODE


def test_the_default_port_equals_no_port() -> None:
    assert parsed(f"https://127.0.0.1:443/?{good_query()}", "https://127.0.0.1") == CODE


@pytest.mark.parametrize(
    "start",
    [
        "http://127.0.0.1:8182/",
        "https://127.0.0.2:8182/",
        "https://127.0.0.1:8183/",
        "https://127.0.0.1/",
        "https://127.0.0.1:8182/other",
        "https://x@127.0.0.1:8182/",
    ],
)
def test_another_scheme_host_port_or_path_is_refused(start: str) -> None:
    with pytest.raises(SignInFailed, match="registered callback") as caught:
        parsed(redirect(good_query(), start))
    assert CODE not in str(caught.value)


@pytest.mark.parametrize(
    ("wire", "code"),
    [
        ("C0.abc%40", "C0.abc@"),
        ("C0.abc%2540", "C0.abc%40"),
        ("C0.a%2Bb+c%2Fd%3D%40", "C0.a+b+c/d=@"),
        ("C0.abc@", "C0.abc@"),
    ],
)
def test_the_code_is_decoded_exactly_once(wire: str, code: str) -> None:
    assert parsed(redirect(good_query(code=wire))) == code


def test_a_missing_state_is_refused() -> None:
    with pytest.raises(SignInFailed, match="carries no state"):
        parsed(redirect("code=C0.abc%40"))


@pytest.mark.parametrize("state", ["another-state", "", "%C3%A4", STATE + "x"])
def test_a_wrong_state_is_refused(state: str) -> None:
    with pytest.raises(SignInFailed, match="another sign-in"):
        parsed(redirect(good_query(state=state)))


@pytest.mark.parametrize("query", [f"state={STATE}", f"code=&state={STATE}"])
def test_a_missing_code_is_refused(query: str) -> None:
    with pytest.raises(SignInFailed, match="carries no code"):
        parsed(redirect(query))


@pytest.mark.parametrize(
    "query", [f"{good_query()}&code=C0.other%40", f"{good_query()}&state={STATE}"]
)
def test_a_doubled_code_or_state_is_refused(query: str) -> None:
    with pytest.raises(SignInFailed, match="appears twice"):
        parsed(redirect(query))


def test_declined_access_says_so() -> None:
    query = f"error=access_denied&error_description=The+user+declined&state={STATE}"
    with pytest.raises(SignInFailed, match="declined on Schwab's page"):
        parsed(redirect(query))


def test_another_error_is_quoted() -> None:
    query = f"error=server_error&error_description=Try+again%20later&state={STATE}"
    with pytest.raises(SignInFailed, match="server_error: Try again later"):
        parsed(redirect(query))


@pytest.mark.parametrize("text", ["", "C0.abc%40", "not a url", "https://127.0.0.1:port/?code=1"])
def test_what_is_no_redirect_url_is_refused(text: str) -> None:
    with pytest.raises(SignInFailed) as caught:
        parsed(text)
    assert "algo-trader auth login" in str(caught.value)


def test_refusals_tell_the_command_that_starts_again() -> None:
    with pytest.raises(SignInFailed) as caught:
        parsed(redirect("code=C0.abc%40"))
    assert caught.value.exit_code == 2
    assert "algo-trader auth login" in str(caught.value)


def test_query_parameters_keep_the_last_of_unimportant_repeats() -> None:
    assert query_parameters("a=1&a=2&b") == {"a": "2", "b": ""}


def test_an_empty_path_equals_a_slash_but_no_other_path_does() -> None:
    assert same_endpoint("https://h", "https://h/")
    assert not same_endpoint("https://h/a", "https://h/a/")
