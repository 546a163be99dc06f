"""The little that a client needs to try the simulator out: for tests and examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import requests

from infrastructure.clock import VirtualClock
from infrastructure.simulators.schwab.consent import approve
from infrastructure.simulators.schwab.simulator import SchwabSimulator

REAL_NOW_NS = 1_790_000_000_000_000_000


@dataclass
class Desk:
    """A simulator and the little that a client needs to talk with it."""

    simulator: SchwabSimulator
    clock: VirtualClock
    session: requests.Session

    def authorize_url(self, **fields: str) -> str:
        """Return the URL that a client would print."""
        app = self.simulator.app
        query = {"client_id": app.key, "redirect_uri": app.callback_url} | fields
        return f"{self.simulator.base_url}/v1/oauth/authorize?{urlencode(query)}"

    def code(self, **fields: str) -> str:
        """Approve and return the authorization code."""
        return callback_fields(approve(self.authorize_url(**fields), self.session))["code"]

    def token(self, **form: str) -> requests.Response:
        """Post a form to the token endpoint with the right key and secret."""
        app = self.simulator.app
        return self.session.post(
            f"{self.simulator.base_url}/v1/oauth/token", data=form, auth=(app.key, app.secret)
        )

    def exchange(self, code: str, **more: str) -> requests.Response:
        """Exchange an authorization code."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.simulator.app.callback_url,
        }
        return self.token(**(form | more))

    def refresh(self, refresh_token: str) -> requests.Response:
        """Send a refresh token."""
        return self.token(grant_type="refresh_token", refresh_token=refresh_token)

    def sign_in(self) -> dict[str, Any]:
        """Sign in, use the access token from now on, and return the token answer."""
        answer = self.exchange(self.code())
        assert answer.status_code == 200
        tokens: dict[str, Any] = answer.json()
        self.session.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        return tokens

    def get(self, path: str, **params: Any) -> requests.Response:
        """Get a market-data path."""
        return self.session.get(f"{self.simulator.base_url}/marketdata/v1{path}", params=params)

    def history(self, symbol: Any = "AAPL", **params: Any) -> requests.Response:
        """Get price history."""
        return self.get("/pricehistory", symbol=symbol, **params)


def callback_fields(url: str) -> dict[str, str]:
    """Return the decoded fields of a redirect URL."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
