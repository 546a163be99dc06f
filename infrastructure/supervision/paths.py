"""The files of one service, beside each other in one folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ServicePaths:
    """Names the files of supervision in a service's folder.

    Args:
        folder: The service's folder.
    """

    folder: Path

    @property
    def lock(self) -> Path:
        """Held exclusively while a service is looked for, started or stopped."""
        return self.folder / "lock"

    @property
    def leases(self) -> Path:
        """Held shared by every command that uses the service; the last one out stops it."""
        return self.folder / "leases"

    @property
    def alive(self) -> Path:
        """Held exclusively by the service's processes themselves, from fork to death."""
        return self.folder / "alive"

    @property
    def pid(self) -> Path:
        """Pid and start time, written before the service is ready."""
        return self.folder / "pid"

    @property
    def announcement(self) -> Path:
        """What the process said about itself."""
        return self.folder / "announced.json"

    @property
    def endpoint(self) -> Path:
        """Where it answers, written when it has answered its probe."""
        return self.folder / "endpoint.json"

    @property
    def log(self) -> Path:
        """The service's standard output and error."""
        return self.folder / "log"

    @property
    def keeper(self) -> Path:
        """Who keeps the service running, and how that goes."""
        return self.folder / "keeper.json"

    @property
    def keeper_lock(self) -> Path:
        """Held by the keeper as long as it lives."""
        return self.folder / "keeper.lock"

    @property
    def keeper_log(self) -> Path:
        """The keeper's standard output and error."""
        return self.folder / "keeper.log"
