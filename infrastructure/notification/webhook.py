"""Post a JSON document to a URL that a person named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import requests

from infrastructure.config import Secret
from infrastructure.errors import ConfigError, NetworkError, ServiceUnavailable
from infrastructure.logging import register_secret

TIMEOUT_S: Final = 5.0


class JsonWebhook:
    """Post JSON documents; the URL is a secret, and nothing here repeats it.

    Args:
        url: Where to.
        variable: The setting that names it, for messages.
        timeout_s: Seconds for connecting and for the answer.

    Raises:
        ConfigError: If it is no http or https URL.
    """

    def __init__(self, url: Secret, variable: str, *, timeout_s: float = TIMEOUT_S) -> None:
        parts = urlsplit(url.reveal())
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(
                f"{variable} is no URL that begins with http:// or https://",
                next_step=f"Set {variable} to the whole URL of a webhook.",
            )
        register_secret(url.reveal())
        self._url = url
        self._variable = variable
        self._timeout_s = timeout_s
        # No proxy stands between two programs of one machine.
        self._trusts_environment = parts.hostname not in ("127.0.0.1", "localhost", "::1")

    def post(self, document: Mapping[str, Any]) -> None:
        """Post one document.

        Raises:
            NetworkError: If nobody answers in time.
            ServiceUnavailable: If the answer is no 2xx.
        """
        try:
            with requests.Session() as session:
                session.trust_env = self._trusts_environment
                answer = session.post(
                    self._url.reveal(),
                    json=dict(document),
                    timeout=self._timeout_s,
                    # A redirect would turn it into a GET that tells nobody.
                    allow_redirects=False,
                )
        except requests.exceptions.RequestException as error:
            raise NetworkError(
                f"the webhook of {self._variable} cannot be reached ({type(error).__name__})"
            ) from None
        if not 200 <= answer.status_code < 300:
            raise ServiceUnavailable(
                f"the webhook of {self._variable} answered {answer.status_code}"
            )
