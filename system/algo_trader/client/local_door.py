"""How the owner's own programs on this machine find a running service and get in."""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from infrastructure.supervision.files import make_private_folder, read_json, write_json
from system.algo_trader.realm import Realm

DOOR_FILE: Final = "serve.json"


@dataclass(frozen=True, slots=True)
class LocalDoor:
    """Say where a service listens, and what opens it for its owner.

    The file is readable by its owner only, and its secret ends with the process that wrote it.

    Attributes:
        url: Where it answers.
        flight_url: Where it answers Flight; None for nowhere.
        secret: Sent like a key.
        pid: Of the process that listens.
    """

    url: str
    flight_url: str | None
    secret: str = field(repr=False)
    pid: int = field(default_factory=os.getpid)

    @classmethod
    def new(cls, url: str, flight_url: str | None) -> LocalDoor:
        """Return a door with a fresh secret of 256 bits."""
        return cls(url, flight_url, secrets.token_urlsafe(32))

    @classmethod
    def of(cls, realm: Realm) -> LocalDoor | None:
        """Return the door that the last service of a realm left, None without one."""
        values = read_json(_path(realm))
        if values is None or not isinstance(values.get("secret"), str):
            return None
        pid = values.get("pid")
        if type(pid) is not int or pid <= 0:
            return None
        return cls(str(values["url"]), values.get("flight_url"), values["secret"], pid)

    @property
    def is_open(self) -> bool:
        """Return whether the process that left it still lives."""
        with contextlib.suppress(PermissionError):
            try:
                os.kill(self.pid, 0)
            except ProcessLookupError:
                return False
        return True

    def leave(self, realm: Realm) -> None:
        """Write it down for the owner's programs."""
        # The first thing that is written in a new home may be this.
        make_private_folder(realm.root)
        write_json(
            _path(realm),
            {
                "url": self.url,
                "flight_url": self.flight_url,
                "secret": self.secret,
                "pid": self.pid,
            },
        )

    def remove(self, realm: Realm) -> None:
        """Take it away, unless another service has written its own."""
        if LocalDoor.of(realm) == self:
            _path(realm).unlink(missing_ok=True)


def _path(realm: Realm) -> Path:
    return realm.root / DOOR_FILE
