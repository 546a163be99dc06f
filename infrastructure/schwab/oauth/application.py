"""The application as registered at developer.schwab.com: key, secret, callback URL."""

from __future__ import annotations

import base64
import ipaddress
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from infrastructure.config import Secret
from infrastructure.errors import ConfigError
from infrastructure.logging import register_secret

MAX_CALLBACK_LENGTH = 256
"""The portal's limit for its callback field (schwab-api.md §1)."""
DEFAULT_PORTS = {"https": 443, "http": 80}
_REGISTER = "Set SCHWAB_CALLBACK_URL to one callback URL exactly as registered at Schwab."


@dataclass(frozen=True, slots=True)
class SchwabApplication:
    """Hold what identifies the application; checked when it is made.

    Attributes:
        key: The app key, sent as `client_id`.
        secret: The app secret, sent only in the token requests' Basic header.
        callback_url: The registered callback, sent byte for byte as `redirect_uri`.
        pkce: Whether to send a PKCE challenge.

    Raises:
        ConfigError: If one of them cannot work at Schwab; the sentence says why.
    """

    key: Secret
    secret: Secret
    callback_url: str
    pkce: bool = True

    def __post_init__(self) -> None:
        for name, value in (("SCHWAB_API_KEY", self.key), ("SCHWAB_SECRET", self.secret)):
            text = value.reveal()
            if not text or text != text.strip() or not text.isascii() or not text.isprintable():
                raise ConfigError(
                    f"{name} is empty or carries blanks or unprintable characters",
                    next_step="Copy it again from the application's page at developer.schwab.com.",
                )
        check_callback_url(self.callback_url)
        register_secret(self.secret.reveal())
        register_secret(self.basic_credentials())

    def basic_credentials(self) -> str:
        """Return the credentials of the Basic header, base64 of `key:secret`."""
        joined = f"{self.key.reveal()}:{self.secret.reveal()}"
        return base64.b64encode(joined.encode("ascii")).decode("ascii")

    @property
    def listen_address(self) -> tuple[str, int] | None:
        """Loopback address and port on which the redirect can be caught, None if there is none."""
        parts = urlsplit(self.callback_url)
        host = parts.hostname or ""
        if parts.port is None or not is_loopback(host):
            return None
        return host, parts.port


def check_callback_url(callback_url: str) -> None:
    """Refuse a callback URL that Schwab's portal would refuse.

    Raises:
        ConfigError: If it is not https, has no host, is `localhost`, is a list, or is too long.
    """
    try:
        reason = _refusal(callback_url, urlsplit(callback_url))
    except ValueError as error:
        reason = str(error)
    if reason is not None:
        raise ConfigError(
            f"The callback URL {callback_url!r} cannot be used: {reason}", next_step=_REGISTER
        )


def _refusal(callback_url: str, parts: SplitResult) -> str | None:
    if "," in callback_url:
        return "it is a list, and one URL is expected"
    if len(callback_url) > MAX_CALLBACK_LENGTH:
        return f"it is longer than {MAX_CALLBACK_LENGTH} characters"
    if any(character.isspace() for character in callback_url):
        return "it carries blanks"
    if parts.scheme != "https":
        return "Schwab accepts https only"
    if not parts.hostname or parts.username is not None or parts.password is not None:
        return "it needs a plain host"
    if parts.hostname == "localhost":
        return "Schwab refuses localhost; register 127.0.0.1"
    if parts.fragment or "#" in callback_url:
        return "it carries a fragment"
    if parts.port == 0:
        return "port 0 is no port"
    return None


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address is this machine itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
