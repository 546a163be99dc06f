"""The token endpoint: what a good refresh tells, and how each bad request is refused."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

import requests

from infrastructure.config import Secret
from infrastructure.schwab.oauth.client import TOKEN_PATH
from system.algo_trader.conformance.probe import Findings, Probe

ACCESS_TOKEN_S: Final = 1_800
"""Life of an access token as live accounts see it, seconds (schwab-api.md §1)."""
MADE_UP: Final = "dGhpcyBpcyBub3QgYSByZWZyZXNoIHRva2Vu@"
_CASE: Final = "token, good refresh"


class TokenWatch:
    """See the answers of the token endpoint pass by, for the cases that need a good one.

    Args:
        findings: Where what is seen goes.
    """

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self.seen = 0

    def hook(self, response: requests.Response, **_: Any) -> None:
        """Look at one answer; `requests` calls it."""
        if not response.url.endswith(TOKEN_PATH) or response.status_code != 200:
            return
        try:
            value = json.loads(response.content)
        except ValueError:
            return
        self.seen += 1
        if not isinstance(value, dict):
            return
        self._findings.words.learn(value)
        case = _CASE
        self._findings.cases.append((case, str(response.status_code)))
        self._findings.check(case, "token", value, "Token")
        life = value.get("expires_in")
        if isinstance(life, int | float) and not isinstance(life, bool):
            self._findings.facts["access token, seconds"] = life
            if life != ACCESS_TOKEN_S:
                self._findings.differ(case, "$.expires_in", ACCESS_TOKEN_S, life)
        for key, expected in (("token_type", "Bearer"), ("scope", "api")):
            told = value.get(key)
            if isinstance(told, str) and told != expected:
                shown = self._findings.words.value(told)
                self._findings.differ(case, f"$.{key}", expected, shown)


def refused_tokens(
    probe: Probe, key: Secret, secret: Secret, callback_url: str, used_refresh_token: str | None
) -> None:
    """Ask for tokens in every wrong way and compare the refusals.

    Args:
        probe: Who asks.
        key: The application's key.
        secret: The application's secret.
        callback_url: The registered callback.
        used_refresh_token: One that another sign-in has ended; a made-up one when None.
    """
    good = _basic(key.reveal(), secret.reveal())
    bad = _basic(key.reveal(), "x" * len(secret.reveal()))
    refresh = {"grant_type": "refresh_token", "refresh_token": used_refresh_token or MADE_UP}
    code = {
        "grant_type": "authorization_code",
        "code": "C0.bm90IGEgY29kZQ.never-given-out@",
        "redirect_uri": callback_url,
    }
    cases = (
        ("token, bad secret", refresh, bad, 401, ("invalid_client",)),
        ("token, used refresh token", refresh, good, 400, ("unsupported_token_type",)),
        ("token, wrong grant", {"grant_type": "password"}, good, 400, ("unsupported_grant_type",)),
        ("token, unknown code", code, good, 400, ("invalid_grant", "invalid_request")),
    )
    for case, form, credentials, status, words in cases:
        value = probe.post_token(case, form, credentials, status=status, expected="TokenError")
        told = value.get("error") if isinstance(value, dict) else None
        if isinstance(told, str) and told not in words:
            shown = told if told.replace("_", "").isalpha() and len(told) < 40 else "another text"
            probe.findings.differ(case, "$.error", " or ".join(words), shown)


def _basic(key: str, secret: str) -> str:
    return base64.b64encode(f"{key}:{secret}".encode()).decode()
