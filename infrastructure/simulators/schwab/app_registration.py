"""The application that a person would register at Schwab's developer portal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from infrastructure.errors import InputError

# Plainly not real. Both lengths are even and add up to more than 32, which some clients check. [C]
SIMULATED_APP_KEY: Final = "simulated-app-key-0000"
SIMULATED_APP_SECRET: Final = "simulated-app-secret-not-a-secret-00"
DEFAULT_CALLBACK_URL: Final = "https://127.0.0.1:8182"

CALLBACK_FIELD_LIMIT: Final = 256


@dataclass(slots=True)
class AppRegistration:
    """One registered application.

    Attributes:
        key: The app key (OAuth's client_id).
        secret: The app secret.
        callback_url: Registered callback URLs, several separated by commas.
        state: "ready" once it is "Ready For Use"; "pending" apps cannot sign anybody in. [O]
        market_data: Whether the product "Market Data Production" is added; without it market data
            answers 401 "Client not authorized". [O]
    """

    key: str = SIMULATED_APP_KEY
    secret: str = SIMULATED_APP_SECRET
    callback_url: str = DEFAULT_CALLBACK_URL
    state: Literal["ready", "pending"] = "ready"
    market_data: bool = True

    def __post_init__(self) -> None:
        if len(self.callback_url) > CALLBACK_FIELD_LIMIT:
            raise InputError(
                f"the callback URLs have {len(self.callback_url)} characters, "
                f"Schwab takes at most {CALLBACK_FIELD_LIMIT}"
            )
        for url in self.callback_urls:
            if not url.lower().startswith("https://"):
                raise InputError(f"the callback URL {url!r} must begin with https://")

    @property
    def callback_urls(self) -> tuple[str, ...]:
        """Return the registered callback URLs, byte for byte but for blanks around commas."""
        return tuple(url.strip() for url in self.callback_url.split(",") if url.strip())

    def __repr__(self) -> str:
        return f"AppRegistration(key={self.key!r}, callback_url={self.callback_url!r})"
