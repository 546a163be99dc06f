"""Sign-in and tokens: the authorize page, its form, and the token endpoint."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode, urlsplit
from uuid import uuid4

from infrastructure.clock import Clock
from infrastructure.simulators.schwab.app_registration import AppRegistration
from infrastructure.simulators.schwab.error_bodies import (
    bad_client,
    dead_refresh_token,
    expired_refresh_token,
    oauth_error,
)
from infrastructure.simulators.schwab.grants import NS_PER_S, CodeRefused, Grants, RefreshRefused
from infrastructure.simulators.schwab.messages import (
    Request,
    Response,
    html_response,
    json_response,
    redirect_response,
)
from infrastructure.simulators.schwab.pages import (
    access_denied_page,
    consent_page,
    whitelabel_page,
)
from infrastructure.simulators.schwab.router import Router

AUTHORIZE_PATH: Final = "/v1/oauth/authorize"
CONSENT_PATH: Final = "/v1/oauth/consent"
TOKEN_PATH: Final = "/v1/oauth/token"
ACCOUNT_NAMES: Final = ("Simulated Individual ...001", "Simulated Roth IRA ...002")

_FORM: Final = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class _Consent:
    """An open consent page."""

    redirect_uri: str
    state: str | None
    code_challenge: str | None
    expires_ns: int


class OAuth:
    """Answer the three OAuth endpoints.

    Args:
        app: The registered application; may be changed while running.
        grants: Gives out codes and tokens.
        clock: Tells when a consent page is over.
    """

    def __init__(self, app: AppRegistration, grants: Grants, clock: Clock) -> None:
        self.app = app
        self.grants = grants
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[str, _Consent] = {}

    def add_to(self, router: Router) -> None:
        """Add the endpoints."""
        router.add("GET", AUTHORIZE_PATH, self._authorize, "open")
        router.add("POST", CONSENT_PATH, self._consent, "open")
        router.add("POST", TOKEN_PATH, self._token, "open")

    def accepts(self, access_token: str) -> bool:
        """Say whether an access token may read market data."""
        return self.app.market_data and self.grants.accepts(access_token)

    def _authorize(self, request: Request, _: Mapping[str, str]) -> Response:
        """Show the consent page; response_type may be absent. [S][C]"""
        query = request.query
        if self.app.state != "ready":
            return html_response(500, whitelabel_page(500))
        if not hmac.compare_digest(query.get("client_id", "").encode(), self.app.key.encode()):
            # What Schwab shows for an unknown app key is not known. [?]
            return html_response(401, access_denied_page("This client_id is not registered."))
        if query.get("response_type", "code") != "code":
            return html_response(400, access_denied_page("response_type must be code."))
        redirect_uri, reason = self._redirect_uri(query.get("redirect_uri"))
        if redirect_uri is None:
            return html_response(403, access_denied_page(reason))
        challenge = query.get("code_challenge")
        if challenge is not None and query.get("code_challenge_method", "plain") != "S256":
            return html_response(400, access_denied_page("code_challenge_method must be S256."))
        consent_id = secrets.token_urlsafe(24)
        ends = self._clock.now_ns() + round(self.grants.lifetimes.consent_s * NS_PER_S)
        with self._lock:
            self._open[consent_id] = _Consent(redirect_uri, query.get("state"), challenge, ends)
        return self._form(200, consent_id)

    def _consent(self, request: Request, _: Mapping[str, str]) -> Response:
        """Send the browser back with a code, or with access_denied. [O][C]"""
        form = request.form
        consent_id = form.get("consent", "")
        with self._lock:
            consent = self._open.get(consent_id)
        if consent is None or self._clock.now_ns() >= consent.expires_ns:
            return html_response(403, access_denied_page("This page is over. Sign in again."))
        decision = form.get("decision")
        if decision == "approve" and not request.form_values("account"):
            return self._form(400, consent_id, "Tick at least one account, or decline.")
        if decision not in ("approve", "decline"):
            return self._form(400, consent_id, "Approve or decline.")
        with self._lock:
            self._open.pop(consent_id, None)
        if decision == "decline":
            fields = {
                "error": "access_denied",
                "error_description": "The user declined to link an account",
            }
        else:
            code = self.grants.issue_code(consent.redirect_uri, consent.code_challenge)
            fields = {"code": code, "session": str(uuid4())}
        if consent.state is not None:
            fields["state"] = consent.state
        return redirect_response(callback_with(consent.redirect_uri, fields))

    def _token(self, request: Request, _: Mapping[str, str]) -> Response:
        """Answer the three grant types; every refusal is worded in error_bodies."""
        if not self._is_our_app(request.headers.get("authorization", "")):
            return bad_client()
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type != _FORM:
            return oauth_error(400, "invalid_request", f"Content-Type must be {_FORM}")
        form = request.form
        grant_type = form.get("grant_type")
        if grant_type == "authorization_code":
            try:
                return json_response(
                    200,
                    self.grants.redeem(
                        form.get("code", ""), form.get("redirect_uri"), form.get("code_verifier")
                    ),
                )
            except CodeRefused as refusal:
                # The wording varies at Schwab. [?]
                return oauth_error(400, "invalid_grant", str(refusal))
        if grant_type == "refresh_token":
            token = form.get("refresh_token", "")
            try:
                return json_response(200, self.grants.refresh(token))
            except RefreshRefused as refusal:
                return expired_refresh_token() if refusal.is_expired else dead_refresh_token(token)
        if grant_type == "client_credentials":
            return json_response(200, self.grants.client_credentials())
        return oauth_error(400, "unsupported_grant_type", f"grant_type {grant_type} is unknown")

    def _form(self, status: int, consent_id: str, problem: str | None = None) -> Response:
        page = consent_page(self.app.key, consent_id, ACCOUNT_NAMES, CONSENT_PATH, problem)
        return html_response(status, page)

    def _redirect_uri(self, sent: str | None) -> tuple[str | None, str]:
        """Compare the callback URL byte for byte, case of the scheme included. [O]"""
        registered = self.app.callback_urls
        if sent is None:
            if len(registered) == 1:
                return registered[0], ""
            return None, "Several callback URLs are registered: redirect_uri must name one."
        if sent in registered:
            return sent, ""
        return None, "redirect_uri is not a registered callback URL of this application."

    def _is_our_app(self, authorization: str) -> bool:
        scheme, _, credentials = authorization.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            sent = base64.b64decode(credentials.strip(), validate=True)
        except (binascii.Error, ValueError):
            return False
        expected = f"{self.app.key}:{self.app.secret}".encode()
        return self.app.state == "ready" and hmac.compare_digest(sent, expected)


def callback_with(redirect_uri: str, fields: Mapping[str, str]) -> str:
    """Return a callback URL with its fields.

    A URL without a path gets the slash that Schwab inserts before the question mark. [O] Whether
    it also does so after a path is not known; here it does not. [?]
    """
    parts = urlsplit(redirect_uri)
    slash = "" if parts.path else "/"
    mark = "&" if parts.query else "?"
    return f"{redirect_uri}{slash}{mark}{urlencode(fields, quote_via=quote, safe='')}"
