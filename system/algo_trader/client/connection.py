"""Where the service is and what opens it; what its refusals mean here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from infrastructure.errors import (
    CredentialsRejected,
    MissingService,
    NoDataError,
    RateLimited,
    ServiceUnavailable,
    StackError,
    UsageError,
)
from system.algo_trader.client.local_door import LocalDoor
from system.algo_trader.realm import Realm

URL_VARIABLE: Final = "ALGO_TRADER_URL"
KEY_VARIABLE: Final = "ALGO_TRADER_API_KEY"
ARROW: Final = "application/vnd.apache.arrow.stream"
ATTEMPTS: Final = 3
LONGEST_WAIT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Connection:
    """Say where the service is and what opens it.

    Attributes:
        url: Of HTTP.
        key: An API key.
        flight_url: Of Flight; None where it is not known.
    """

    url: str
    key: str
    flight_url: str | None

    @classmethod
    def of(cls, url: str | None, key: str | None, flight_url: str | None) -> Connection:
        """Return what is given, else what the environment says, else this machine's own service.

        Raises:
            MissingService: If nothing says where the service is.
            UsageError: If a URL comes without a key.
        """
        url, key = url or os.environ.get(URL_VARIABLE), key or os.environ.get(KEY_VARIABLE)
        if url is not None and key is not None:
            return cls(url.rstrip("/"), key, flight_url)
        if url is not None:
            raise UsageError("a service elsewhere is opened by a key", next_step="Give `key`.")
        door = _door()
        if door is None:
            raise MissingService(
                "no service of this home is running", next_step="Run `algo-trader serve`."
            )
        return cls(door.url, key or door.secret, flight_url or door.flight_url)

    @property
    def headers(self) -> dict[str, str]:
        """Return what every request carries."""
        return {"Authorization": f"Bearer {self.key}", "Accept": ARROW}


def _door() -> LocalDoor | None:
    from system.algo_trader.settings import load

    home = load({}).home
    return LocalDoor.of(Realm.live(home)) or LocalDoor.of(Realm.sim(home))


def failure_of(status: int, problem: Mapping[str, Any]) -> StackError:
    """Return a refusal as an error of our tree."""
    said = str(problem.get("detail") or f"the service answered {status}")
    if problem.get("allowed"):
        allowed = problem["allowed"]
        said += f"; allowed: {allowed if isinstance(allowed, str) else ', '.join(allowed)}"
    step = problem.get("next_step")
    if status in (401, 403):
        return CredentialsRejected(said, next_step=step)
    if status == 404:
        return NoDataError(said, next_step=step)
    if status == 429:
        return RateLimited(said)
    if status >= 500:
        return ServiceUnavailable(said, next_step=step)
    return UsageError(said, next_step=step)


def wait_of(status: int, retry_after: str | None, attempt: int) -> float | None:
    """Return the seconds after which to ask again, None for not at all."""
    if status not in (429, 503) or attempt + 1 >= ATTEMPTS:
        return None
    try:
        seconds = float(retry_after) if retry_after is not None else 2.0**attempt
    except ValueError:
        return None
    return seconds if seconds <= LONGEST_WAIT_S else None
