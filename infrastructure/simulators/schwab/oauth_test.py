import base64
import hashlib
import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from infrastructure.clock import VirtualClock
from infrastructure.errors import CorruptStore, InputError, SignInFailed
from infrastructure.simulators.schwab.consent import approve, decline
from infrastructure.simulators.schwab.desk import REAL_NOW_NS, Desk, callback_fields
from infrastructure.simulators.schwab.grants import Lifetimes
from infrastructure.simulators.schwab.market import ReplayMarket
from infrastructure.simulators.schwab.oauth import callback_with
from infrastructure.simulators.schwab.simulator import SchwabSimulator

DAY_S = 86_400


def test_approving_redirects_with_the_inserted_slash_code_session_and_state(desk: Desk) -> None:
    url = approve(desk.authorize_url(state="a b&c", response_type="code"), desk.session)
    assert url.startswith(desk.simulator.app.callback_url + "/?code=C0.")
    assert re.search(r"code=C0\.[\w-]+\.[\w-]+%40&session=[0-9a-f-]{36}&state=a%20b%26c$", url)
    assert callback_fields(url)["code"].endswith("@")


def test_declining_redirects_with_access_denied_and_the_state(desk: Desk) -> None:
    fields = callback_fields(decline(desk.authorize_url(state="s"), desk.session))
    assert fields.keys() == {"error", "error_description", "state"}
    assert fields["error"] == "access_denied"


def test_consent_page_says_simulated_and_asks_for_no_password(desk: Desk) -> None:
    page = desk.session.get(desk.authorize_url())
    assert "Simulated Schwab: no real account" in page.text
    assert 'type="checkbox"' in page.text
    assert "password" not in re.sub(r"<p>.*?</p>", "", page.text, flags=re.DOTALL)


def test_approving_without_a_ticked_account_shows_the_page_again(desk: Desk) -> None:
    page = desk.session.get(desk.authorize_url()).text
    consent = re.search(r'name="consent" value="([^"]+)"', page)
    assert consent is not None
    answer = desk.session.post(
        f"{desk.simulator.base_url}/v1/oauth/consent",
        data={"consent": consent[1], "decision": "approve"},
        allow_redirects=False,
    )
    assert answer.status_code == 400
    assert "Tick at least one account" in answer.text


def test_consent_page_can_be_sent_once(desk: Desk) -> None:
    page = desk.session.get(desk.authorize_url()).text
    consent = re.search(r'name="consent" value="([^"]+)"', page)
    assert consent is not None
    form = {"consent": consent[1], "decision": "approve", "account": "1"}
    url = f"{desk.simulator.base_url}/v1/oauth/consent"
    answers = [desk.session.post(url, data=form, allow_redirects=False) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [302, 403]


@pytest.mark.parametrize(
    "callback", ["https://127.0.0.1:8182/", "HTTPS://127.0.0.1:8182", "https://127.0.0.1"]
)
def test_callback_url_must_match_byte_for_byte(desk: Desk, callback: str) -> None:
    answer = desk.session.get(desk.authorize_url(redirect_uri=callback))
    assert answer.status_code == 403
    assert "Access Denied" in answer.text
    with pytest.raises(SignInFailed, match="Access Denied"):
        approve(desk.authorize_url(redirect_uri=callback), desk.session)


def test_callback_url_may_be_left_out_only_when_one_is_registered(desk: Desk) -> None:
    url = f"{desk.simulator.base_url}/v1/oauth/authorize?client_id={desk.simulator.app.key}"
    assert desk.session.get(url).status_code == 200
    desk.simulator.app.callback_url = "https://127.0.0.1:8182, https://127.0.0.1:9000/back"
    assert desk.session.get(url).status_code == 403
    second = approve(desk.authorize_url(redirect_uri="https://127.0.0.1:9000/back"), desk.session)
    assert urlsplit(second).path == "/back"


def test_callback_url_of_plain_http_is_not_registered(bokeh_market: ReplayMarket) -> None:
    with pytest.raises(InputError, match="https://"):
        SchwabSimulator(bokeh_market, callback_url="http://127.0.0.1:8182")
    with pytest.raises(InputError, match="256"):
        SchwabSimulator(bokeh_market, callback_url="https://127.0.0.1/" + "a" * 256)


def test_slash_is_inserted_only_where_there_is_no_path() -> None:
    assert callback_with("https://127.0.0.1", {"code": "x@"}) == "https://127.0.0.1/?code=x%40"
    assert callback_with("https://h/p", {"code": "x"}) == "https://h/p?code=x"
    assert callback_with("https://h/p?a=1", {"code": "x"}) == "https://h/p?a=1&code=x"


def test_pending_application_sees_the_whitelabel_page_and_gets_no_token(desk: Desk) -> None:
    desk.simulator.app.state = "pending"
    page = desk.session.get(desk.authorize_url())
    assert page.status_code == 500
    assert "Whitelabel Error Page" in page.text
    assert "We are unable to complete your request" in page.text
    assert desk.refresh("x").status_code == 401


def test_unknown_app_key_sees_no_consent_form(desk: Desk) -> None:
    assert desk.session.get(desk.authorize_url(client_id="other")).status_code == 401


def test_code_buys_tokens_of_the_recorded_form(desk: Desk) -> None:
    tokens = desk.sign_in()
    assert {key: tokens[key] for key in ("expires_in", "token_type", "scope")} == {
        "expires_in": 1800,
        "token_type": "Bearer",
        "scope": "api",
    }
    assert tokens.keys() == {
        "expires_in",
        "token_type",
        "scope",
        "refresh_token",
        "access_token",
        "id_token",
    }
    assert re.fullmatch(r"I0\.b2F1dGgyLmNkYy5zY2h3YWIuY29t\.[\w-]+@", tokens["access_token"])
    assert tokens["refresh_token"].endswith("@")
    assert tokens["id_token"].count(".") == 2


def test_code_is_good_once(desk: Desk) -> None:
    code = desk.code()
    assert desk.exchange(code).status_code == 200
    again = desk.exchange(code)
    assert again.status_code == 400
    assert again.json().keys() == {"error", "error_description"}


def test_code_dies_after_thirty_seconds(desk: Desk) -> None:
    early, late = desk.code(), desk.code()
    desk.clock.advance(seconds=29.9)
    assert desk.exchange(early).status_code == 200
    desk.clock.advance(seconds=0.1)
    assert desk.exchange(late).status_code == 400


def test_code_still_percent_encoded_is_refused(desk: Desk) -> None:
    assert desk.exchange(desk.code().replace("@", "%40")).status_code == 400


def test_code_for_another_redirect_is_refused(desk: Desk) -> None:
    assert desk.exchange(desk.code(), redirect_uri="https://127.0.0.1:8182/").status_code == 400


def test_pkce_verifier_is_compared_when_a_challenge_was_sent(desk: Desk) -> None:
    verifier = "v" * 64
    digest = hashlib.sha256(verifier.encode()).digest()
    fields = {
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    assert desk.exchange(desk.code(**fields), code_verifier=verifier).status_code == 200
    assert desk.exchange(desk.code(**fields), code_verifier="w" * 64).status_code == 400
    assert desk.exchange(desk.code(**fields)).status_code == 400
    assert desk.exchange(desk.code(), code_verifier="w" * 64).status_code == 200
    desk.simulator.grants.check_code_verifier = False
    assert desk.exchange(desk.code(**fields)).status_code == 200


@pytest.mark.parametrize("auth", [None, ("simulated-app-key-0000", "wrong"), ("wrong", "wrong")])
def test_wrong_key_or_secret_is_invalid_client(desk: Desk, auth: tuple[str, str] | None) -> None:
    answer = requests.post(
        f"{desk.simulator.base_url}/v1/oauth/token",
        data={"grant_type": "refresh_token", "refresh_token": "x"},
        auth=auth,
    )
    assert answer.status_code == 401
    assert answer.json() == {"error": "invalid_client", "error_description": "Unauthorized"}


def test_unknown_refresh_token_answers_the_recorded_nested_text(desk: Desk) -> None:
    answer = desk.refresh("never-issued@")
    digest = base64.b64encode(hashlib.sha256(b"never-issued@").digest()).decode()
    assert answer.status_code == 400
    assert answer.json()["error"] == "unsupported_token_type"
    # Written out from the reference's table, with our token's digest for its ellipses.
    assert answer.json()["error_description"] == (
        '400 Bad Request: "{"error_description":"Exception while authenticating refresh token '
        f"[tokenDigest={digest}, Exception=Failed refresh token authentication "
        f'[tokenDigest={digest}]]","error":"refresh_token_authentication_error"}}"'
    )
    assert digest.endswith("=")


def test_refresh_keeps_the_refresh_token_and_never_extends_its_seven_days(desk: Desk) -> None:
    first = desk.sign_in()
    for _ in range(6):
        desk.clock.advance(seconds=DAY_S)
        again = desk.refresh(first["refresh_token"]).json()
        assert again["refresh_token"] == first["refresh_token"]
        assert again["access_token"] != first["access_token"]
    desk.clock.advance(seconds=DAY_S - 1)
    assert desk.refresh(first["refresh_token"]).status_code == 200
    desk.clock.advance(seconds=1)
    answer = desk.refresh(first["refresh_token"])
    assert answer.status_code == 400
    assert answer.json() == {
        "error": "unsupported_token_type",
        "error_description": (
            '400 Bad Request: "{"error_description":"Refresh token is invalid, expired or revoked",'
            '"error":"invalid_grant"}"'
        ),
    }


def test_new_sign_in_ends_the_refresh_token_before_it(desk: Desk) -> None:
    first, second = desk.sign_in(), desk.sign_in()
    dead = desk.refresh(first["refresh_token"])
    assert "refresh_token_authentication_error" in dead.json()["error_description"]
    assert desk.refresh(second["refresh_token"]).status_code == 200


def test_rotation_by_choice_ends_the_refresh_token_that_was_used(desk: Desk) -> None:
    desk.simulator.grants.rotate_refresh_token = True
    first = desk.sign_in()["refresh_token"]
    second = desk.refresh(first).json()["refresh_token"]
    assert second != first
    assert desk.refresh(first).status_code == 400
    desk.clock.advance(seconds=7 * DAY_S)
    assert "invalid_grant" in desk.refresh(second).text


def test_access_token_opens_market_data_for_half_an_hour(signed_in: Desk) -> None:
    signed_in.clock.advance(seconds=1799)
    assert signed_in.history().status_code == 200
    signed_in.clock.advance(seconds=1)
    answer = signed_in.history()
    assert answer.status_code == 401
    (error,) = answer.json()["errors"]
    assert {key: error[key] for key in ("status", "title", "detail")} == {
        "status": 401,
        "title": "Unauthorized",
        "detail": "Client not authorized",
    }
    assert re.fullmatch(r"[0-9a-f-]{36}", error["id"])


def test_access_tokens_can_end_early_while_the_refresh_token_lives(desk: Desk) -> None:
    tokens = desk.sign_in()
    desk.simulator.grants.end_access_tokens()
    assert desk.history().status_code == 401
    assert desk.refresh(tokens["refresh_token"]).status_code == 200
    desk.simulator.grants.end_refresh_token()
    assert desk.refresh(tokens["refresh_token"]).status_code == 400


def test_client_credentials_give_an_access_token_without_a_refresh_token(desk: Desk) -> None:
    tokens = desk.token(grant_type="client_credentials").json()
    assert tokens.keys() == {"expires_in", "token_type", "scope", "access_token"}
    assert tokens["expires_in"] == 3600


def test_unknown_grant_and_wrong_content_type_are_refused(desk: Desk) -> None:
    assert desk.token(grant_type="password").json()["error"] == "unsupported_grant_type"
    app = desk.simulator.app
    answer = desk.session.post(
        f"{desk.simulator.base_url}/v1/oauth/token",
        json={"grant_type": "client_credentials"},
        auth=(app.key, app.secret),
    )
    assert answer.status_code == 400


def test_missing_market_data_product_is_client_not_authorized(signed_in: Desk) -> None:
    signed_in.simulator.app.market_data = False
    assert signed_in.history().json()["errors"][0]["detail"] == "Client not authorized"


def test_issued_tokens_outlive_the_simulator_as_digests(
    bokeh_market: ReplayMarket, tmp_path: Path
) -> None:
    clock = VirtualClock(REAL_NOW_NS)
    file = tmp_path / "state" / "tokens.json"
    with SchwabSimulator(bokeh_market, clock=clock, state_file=file) as simulator:
        desk = Desk(simulator, clock, requests.Session())
        tokens = desk.sign_in()
    kept = file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert tokens["refresh_token"] not in kept
    assert tokens["access_token"] not in kept
    with SchwabSimulator(bokeh_market, clock=clock, state_file=file) as simulator:
        second = Desk(simulator, clock, desk.session)
        assert second.history().status_code == 200
        assert second.refresh(tokens["refresh_token"]).status_code == 200
        with SchwabSimulator(bokeh_market, clock=clock, state_file=file) as neighbour:
            access = second.refresh(tokens["refresh_token"]).json()["access_token"]
            assert neighbour.grants.accepts(access)


def test_state_file_that_is_not_one_is_refused_by_name(
    bokeh_market: ReplayMarket, tmp_path: Path
) -> None:
    file = tmp_path / "tokens.json"
    file.write_text("{")
    with pytest.raises(CorruptStore, match=re.escape(str(file))):
        SchwabSimulator(bokeh_market, state_file=file)


def test_lifetimes_are_chosen(bokeh_market: ReplayMarket) -> None:
    clock = VirtualClock(REAL_NOW_NS)
    lifetimes = Lifetimes(access_s=5, refresh_s=20)
    with SchwabSimulator(bokeh_market, clock=clock, lifetimes=lifetimes) as simulator:
        desk = Desk(simulator, clock, requests.Session())
        tokens = desk.sign_in()
        assert tokens["expires_in"] == 5
        clock.advance(seconds=5)
        assert desk.history().status_code == 401
        clock.advance(seconds=15)
        assert desk.refresh(tokens["refresh_token"]).status_code == 400


def test_requests_are_counted_by_route_and_grant_and_hold_no_secret(desk: Desk) -> None:
    tokens = desk.sign_in()
    desk.refresh(tokens["refresh_token"])
    desk.history("MSFT")
    log = desk.simulator.requests
    assert log.count("POST /v1/oauth/token") == 2
    assert log.count("POST /v1/oauth/token", grant_type="refresh_token", status=200) == 1
    assert log.count(where=lambda seen: seen.symbol == "MSFT") == 1
    text = json.dumps([str(seen) for seen in log.all()])
    assert tokens["access_token"] not in text
    assert tokens["refresh_token"] not in text
    log.clear()
    assert log.count() == 0


@pytest.mark.parametrize(
    "fields",
    [{"response_type": "token"}, {"code_challenge": "x"}, {"code_challenge_method": "plain"}],
)
def test_authorize_refuses_what_it_cannot_do(desk: Desk, fields: dict[str, str]) -> None:
    query = fields | ({"code_challenge": "x"} if "code_challenge_method" in fields else {})
    assert desk.session.get(desk.authorize_url(**query)).status_code == 400


def test_consent_form_without_a_decision_shows_the_page_again(desk: Desk) -> None:
    page = desk.session.get(desk.authorize_url()).text
    consent = re.search(r'name="consent" value="([^"]+)"', page)
    assert consent is not None
    url = f"{desk.simulator.base_url}/v1/oauth/consent"
    form = {"consent": consent[1], "account": "1"}
    assert "Approve or decline." in desk.session.post(url, data=form).text
    desk.clock.advance(seconds=600)
    assert desk.session.post(url, data=form | {"decision": "approve"}).status_code == 403


def test_authorization_that_is_no_base64_is_invalid_client(desk: Desk) -> None:
    url = f"{desk.simulator.base_url}/v1/oauth/token"
    for value in ("Basic §", "Basic YQ", "Bearer x"):
        answer = requests.post(
            url, data={"grant_type": "x"}, headers={"Authorization": value.encode("latin-1")}
        )
        assert answer.json()["error"] == "invalid_client"


def test_secret_is_not_in_the_registrations_text(desk: Desk) -> None:
    assert desk.simulator.app.secret not in repr(desk.simulator.app)


def test_consent_without_a_redirect_is_a_failed_sign_in(desk: Desk) -> None:
    url = desk.authorize_url()
    desk.simulator.faults.answer(500, route="/oauth/consent")
    with pytest.raises(SignInFailed, match="without a redirect"):
        approve(url, desk.session)
