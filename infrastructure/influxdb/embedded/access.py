"""Who may call: nobody is asked without a token file, everyone with one."""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from pathlib import Path

from infrastructure.config import Secret
from infrastructure.errors import ConfigError, CredentialsRejected, InputError


class MalformedAuthorization(InputError):
    """Report an Authorization header that follows no known scheme."""


class Access:
    """Check tokens.

    Args:
        token: The one token that is accepted; None accepts every caller.
    """

    def __init__(self, token: Secret | None) -> None:
        self._token = token

    @property
    def is_open(self) -> bool:
        """Tell whether no token is asked for."""
        return self._token is None

    def check(self, header: str | None, parameter: str | None = None) -> None:
        """Accept a caller or raise.

        Args:
            header: The Authorization header: `Bearer T`, `Token T` or `Basic base64(any:T)`.
            parameter: The token in v1's `p` parameter.

        Raises:
            CredentialsRejected: If no token is given, or a wrong one.
            MalformedAuthorization: If the header cannot be read.
        """
        if self._token is None:
            return
        given = parameter if header is None else _token_of(header)
        if given is None or not hmac.compare_digest(given.encode(), self._token.reveal().encode()):
            raise CredentialsRejected("the request was not authenticated")


def load_token(path: Path | None) -> Secret | None:
    """Read a token file: the bare token, or InfluxDB's JSON with a `token` member.

    Raises:
        ConfigError: If the file cannot be read or holds no token.
    """
    if path is None:
        return None
    try:
        text = path.read_text().strip()
        token = json.loads(text)["token"] if text.startswith("{") else text
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"the token file {path} cannot be read: {error}") from error
    if not isinstance(token, str) or not token or not token.isascii():
        raise ConfigError(f"the token file {path} holds no token")
    return Secret(token)


def _token_of(header: str) -> str:
    scheme, _, value = header.strip().partition(" ")
    value = value.strip()
    if scheme.lower() in ("bearer", "token") and value:
        return value
    if scheme.lower() == "basic":
        try:
            _, colon, token = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            colon, token = "", ""
        if colon:
            return token
    raise MalformedAuthorization("the Authorization header is malformed")
