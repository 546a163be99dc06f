"""The realm: real or simulated, each with its own names for everything that is stored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

RealmName = Literal["live", "sim"]

LIVE: Final = "live"
SIM: Final = "sim"

_SUFFIX: Final[dict[RealmName, str]] = {LIVE: "", SIM: "_sim"}


@dataclass(frozen=True, slots=True)
class Realm:
    """Name the stores of real or of simulated data, so that the two never meet.

    Args:
        name: `live` for real data, `sim` for a simulator's.
        home: The folder of everything that is stored on this machine.
    """

    name: RealmName
    home: Path

    @classmethod
    def live(cls, home: Path) -> Realm:
        """Return the realm of real data."""
        return cls(LIVE, home)

    @classmethod
    def sim(cls, home: Path) -> Realm:
        """Return the realm of the simulator's data."""
        return cls(SIM, home)

    @property
    def is_simulated(self) -> bool:
        """Say whether the realm's data come from a simulator."""
        return self.name == SIM

    @property
    def redis_namespace(self) -> str:
        """Return the prefix of the realm's Redis keys, without the colon."""
        return f"algo_trader{_SUFFIX[self.name]}"

    @property
    def database(self) -> str:
        """Return the name of the realm's InfluxDB database."""
        return f"algo_trader{_SUFFIX[self.name]}"

    @property
    def datasource_uid(self) -> str:
        """Return the uid of Grafana's datasource of the realm."""
        return "algo-influxdb3" if self.name == LIVE else "algo-influxdb3-sim"

    @property
    def root(self) -> Path:
        """Return the folder of the realm's files."""
        return self.home / self.name

    @property
    def archive(self) -> Path:
        """Return the folder of the realm's archive."""
        return self.root / "archive"

    @property
    def spool(self) -> Path:
        """Return the folder of what waits for InfluxDB."""
        return self.root / "spool"

    @property
    def archive_root(self) -> Path:
        """Return the folder that `archive` lies in."""
        return self.root
