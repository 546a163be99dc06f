"""What a run and the process that stores for it say to each other; pickled, over a private pipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from system.algo_trader.market.bars import Bars
from system.algo_trader.pipeline.pieces import Built, Kept, Piece, RunFacts
from system.algo_trader.pipeline.sinks import Portion
from system.algo_trader.realm import Realm

if TYPE_CHECKING:
    from system.algo_trader.services import Services

SETTLE_S: Final = 60.0
"""How long what waits for InfluxDB may take at the end; the rest waits in its spool."""


@dataclass(frozen=True, slots=True)
class Places:
    """Name the stores.

    Attributes:
        realm: Whose archive, spool and names.
        redis_url: With its password.
        influxdb_url: Where InfluxDB is.
        influxdb_token: Its token, None where it asks for none.
        log_level: As for `configure`.
        log_json: Likewise.
    """

    realm: Realm
    redis_url: str
    influxdb_url: str
    influxdb_token: str | None
    log_level: str
    log_json: bool

    @classmethod
    def of(
        cls, services: Services, realm: Realm, log_level: str, *, log_json: bool = False
    ) -> Self:
        """Return the stores of a realm, whose servers are started if need be.

        Args:
            services: Know the servers.
            realm: Whose data.
            log_level: As for `configure`.
            log_json: Likewise.

        Raises:
            StackError: If a server cannot be reached or started.
        """
        token = services.influxdb_token()
        return cls(
            realm,
            services.redis_url(),
            services.influxdb_url(),
            None if token is None else token.reveal(),
            log_level,
            log_json,
        )

    def __repr__(self) -> str:
        return f"Places({self.realm.name})"


@dataclass(frozen=True, slots=True)
class Commit:
    """Store portions now, and say so."""

    portions: list[Portion]


@dataclass(frozen=True, slots=True)
class Project:
    """Hand bars and figures to InfluxDB."""

    bars: Bars
    metrics: Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class EndRun:
    """Store what is due of the run, write its last quotes, and say so."""

    timeout_s: float


@dataclass(frozen=True, slots=True)
class End:
    """Send what waits for InfluxDB, say so, and end."""

    timeout_s: float


@dataclass(frozen=True, slots=True)
class Done:
    """Answer `Commit`, `EndRun` or `End`: whether it was done in time."""

    in_time: bool = True


@dataclass(frozen=True, slots=True)
class Failed:
    """Say why nothing is stored any more."""

    error: BaseException


Request = Places | RunFacts | Piece | Commit | Project | EndRun | End
Answer = Kept | Built | Done | Failed
