"""The authorisation request: the URL a person opens, and the URL the browser comes back to.

Pure functions, apart from the random state and PKCE verifier, which a caller may inject.
Sources: RFC 6749 §4.1, RFC 7636 (PKCE), schwab-api.md §1 (the inserted slash, the code's form).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote, urlencode, urlsplit

from infrastructure.config import Secret
from infrastructure.errors import SignInFailed
from infrastructure.logging import redact, register_secret
from infrastructure.schwab.oauth.application import DEFAULT_PORTS, SchwabApplication

AUTHORIZE_PATH = "/v1/oauth/authorize"
REQUEST_LIFETIME_S = 600
"""How long a person may take to sign in before the state expires."""
CODE_LIFETIME_S = 30
"""About how long Schwab's code lives (schwab-api.md §1)."""
SIGN_IN_AGAIN = "Run `algo-trader auth login` to start again."
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """Hold one sign-in that waits for its redirect.

    Attributes:
        url: What the person opens.
        state: Single-use mark that the redirect must carry.
        code_verifier: The PKCE secret, None when PKCE is off.
        created_ns: When it was made, nanoseconds UTC.
        expires_ns: When its state is no longer accepted, nanoseconds UTC.
    """

    url: str
    state: str
    code_verifier: Secret | None
    created_ns: int
    expires_ns: int

    def __repr__(self) -> str:
        return f"AuthorizationRequest(created_ns={self.created_ns}, expires_ns={self.expires_ns})"


def new_request(
    base_url: str,
    application: SchwabApplication,
    now_ns: int,
    *,
    random_text: Callable[[], str] = lambda: secrets.token_urlsafe(32),
) -> AuthorizationRequest:
    """Make the URL to open, with a fresh state and, unless switched off, a PKCE challenge.

    Args:
        base_url: Scheme and authority of the API.
        application: Key and callback.
        now_ns: The time, nanoseconds UTC.
        random_text: Makes at least 43 unguessable URL-safe characters.
    """
    state = random_text()
    parameters = {
        "response_type": "code",
        "client_id": application.key.reveal(),
        "redirect_uri": application.callback_url,
        "state": state,
    }
    verifier = None
    if application.pkce:
        verifier = Secret(random_text())
        register_secret(verifier.reveal())
        parameters["code_challenge"] = code_challenge(verifier.reveal())
        parameters["code_challenge_method"] = "S256"
    return AuthorizationRequest(
        url=f"{base_url.rstrip('/')}{AUTHORIZE_PATH}?{urlencode(parameters)}",
        state=state,
        code_verifier=verifier,
        created_ns=now_ns,
        expires_ns=now_ns + REQUEST_LIFETIME_S * _NS_PER_S,
    )


def code_challenge(verifier: str) -> str:
    """Return the S256 challenge of a PKCE verifier (RFC 7636 §4.2).

    >>> code_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'
    """
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")


def parse_redirect(received_url: str, *, callback_url: str, state: str) -> Secret:
    """Return the code of the URL to which Schwab sent the browser.

    The URL must be the registered callback by scheme, host, port and path (an empty path is `/`:
    Schwab inserts one), carry our state, and carry one code. Other parameters are allowed.

    Args:
        received_url: As copied from the address bar.
        callback_url: As registered.
        state: The waiting request's state.

    Raises:
        SignInFailed: If any of that does not hold, or the person declined.
    """
    received = received_url.strip().strip("<>\"'")
    parameters = _parameters_of(received, callback_url)
    if "error" in parameters:
        raise _declined(parameters)
    if "state" not in parameters:
        raise SignInFailed(
            "The redirect URL carries no state, so it may not belong to this sign-in",
            next_step=SIGN_IN_AGAIN,
        )
    if not hmac.compare_digest(parameters["state"].encode(), state.encode()):
        raise SignInFailed(
            "The redirect URL belongs to another sign-in: its state is not the one that was sent",
            next_step=SIGN_IN_AGAIN,
        )
    if not parameters.get("code"):
        raise SignInFailed(
            "The redirect URL carries no code; copy the whole address, up to its end",
            next_step=SIGN_IN_AGAIN,
        )
    code = Secret(parameters["code"])
    register_secret(code.reveal())
    return code


def query_parameters(query: str) -> dict[str, str]:
    """Return a query's parameters, each decoded exactly once.

    A `+` stays a plus: Schwab's codes are base64 and percent-encode whatever needs it.

    Raises:
        ValueError: If `code`, `state` or `error` appears twice.
    """
    parameters: dict[str, str] = {}
    for part in query.split("&"):
        raw_name, _, raw_value = part.partition("=")
        name = unquote(raw_name)
        if name in parameters and name in ("code", "state", "error"):
            raise ValueError(f"the parameter {name} appears twice")
        parameters[name] = unquote(raw_value)
    return parameters


def same_endpoint(received_url: str, callback_url: str) -> bool:
    """Tell whether a URL points at the callback: scheme, host, port, path (empty is `/`)."""
    return _endpoint(received_url) == _endpoint(callback_url)


def _endpoint(url: str) -> tuple[str, str, int | None, str, bool]:
    parts = urlsplit(url)
    port = parts.port if parts.port is not None else DEFAULT_PORTS.get(parts.scheme)
    plain = parts.username is None and parts.password is None
    return parts.scheme, parts.hostname or "", port, parts.path or "/", plain


def _parameters_of(received: str, callback_url: str) -> dict[str, str]:
    try:
        matches = same_endpoint(received, callback_url)
        parameters = query_parameters(urlsplit(received).query)
    except ValueError as error:
        raise SignInFailed(
            f"The redirect URL cannot be read: {redact(str(error))}", next_step=SIGN_IN_AGAIN
        ) from None
    if not matches:
        raise SignInFailed(
            f"The redirect URL does not point at the registered callback {callback_url}",
            next_step="Check that SCHWAB_CALLBACK_URL is, letter for letter, the callback "
            f"registered at Schwab. {SIGN_IN_AGAIN}",
        )
    return parameters


def _declined(parameters: dict[str, str]) -> SignInFailed:
    error = redact(parameters["error"])[:80]
    if error == "access_denied":
        return SignInFailed(
            "The access was declined on Schwab's page (access_denied)", next_step=SIGN_IN_AGAIN
        )
    description = redact(parameters.get("error_description", "").replace("+", " "))[:200]
    detail = f"{error}: {description}" if description else error
    return SignInFailed(f"Schwab ended the sign-in: {detail}", next_step=SIGN_IN_AGAIN)
