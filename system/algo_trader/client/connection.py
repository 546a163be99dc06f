"""Where the service is and what opens it."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infrastructure.errors import ConfigError, MissingService, UsageError
from system.algo_trader.client.local_door import LocalDoor
from system.algo_trader.realm import Realm

URL_VARIABLE: Final = "ALGO_TRADER_URL"
KEY_VARIABLE: Final = "ALGO_TRADER_API_KEY"
ARROW: Final = "application/vnd.apache.arrow.stream"


@dataclass(frozen=True, slots=True)
class Connection:
    """Say where the service is and what opens it.

    Attributes:
        url: Of HTTP.
        key: An API key; not shown.
        flight_url: Of Flight; None where it is not known.
        certificate: PEM file that is trusted beside the system's; None for nothing more.
    """

    url: str
    key: str
    flight_url: str | None
    certificate: Path | None = None

    def __repr__(self) -> str:
        return f"Connection({self.url!r}, flight_url={self.flight_url!r})"

    @classmethod
    def of(
        cls,
        url: str | None,
        key: str | None,
        flight_url: str | None,
        certificate: Path | str | None = None,
    ) -> Connection:
        """Return what is given, else what the environment says, else this machine's own service.

        Raises:
            MissingService: If nothing says where the service is.
            UsageError: If a URL comes without a key.
            ConfigError: If there is no such certificate.
        """
        trusted = None if certificate is None else Path(certificate)
        if trusted is not None and not trusted.is_file():
            raise ConfigError(f"there is no file {str(trusted)!r}")
        url, key = url or os.environ.get(URL_VARIABLE), key or os.environ.get(KEY_VARIABLE)
        if url is not None and key is not None:
            return cls(url.rstrip("/"), key, flight_url, trusted)
        if url is not None:
            raise UsageError("a service elsewhere is opened by a key", next_step="Give `key`.")
        door = _door()
        if door is None:
            raise MissingService(
                "no service of this home is running", next_step="Run `algo-trader serve`."
            )
        return cls(door.url, key or door.secret, flight_url or door.flight_url, trusted)

    @property
    def headers(self) -> dict[str, str]:
        """Return what every request carries."""
        return {"Authorization": f"Bearer {self.key}", "Accept": ARROW}

    def trust(self) -> ssl.SSLContext | bool:
        """Return what certificates of HTTP are judged by."""
        if self.certificate is None:
            return True
        context = ssl.create_default_context()
        # The service's own certificate is enough: nobody else has to vouch for it.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_verify_locations(self.certificate)
        return context


def _door() -> LocalDoor | None:
    from system.algo_trader.settings import load

    home = load({}).home
    doors = (LocalDoor.of(Realm.live(home)), LocalDoor.of(Realm.sim(home)))
    return next((door for door in doors if door is not None and door.is_open), None)
