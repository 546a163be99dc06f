"""Which servers at the default ports are ours: by our own mark, or because a person said so."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from infrastructure.supervision.files import (
    make_private_folder,
    read_json,
    write_json,
    write_private,
)

OWNER_FILE = "owner.id"
ADOPTED_FILE = "adopted.json"


@dataclass(frozen=True, slots=True)
class Adoption:
    """A server that a person has confirmed.

    Attributes:
        url: Where it answered then.
        mark: What tells it from another server at that place.
    """

    url: str
    mark: str


class Ownership:
    """Remember this installation's id and the servers that a person has confirmed.

    Args:
        directory: The folder of the services, below the home folder.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def owner_id(self) -> str:
        """Return this installation's id, made at the first call."""
        path = self._directory / OWNER_FILE
        if path.exists():
            known = path.read_text(encoding="utf-8").strip()
            if known:
                return known
        make_private_folder(self._directory)
        write_private(path, secrets.token_hex(16) + "\n")
        return path.read_text(encoding="utf-8").strip()

    def adoption(self, name: str) -> Adoption | None:
        """Return the confirmed server of a name, None when there is none."""
        entry = (read_json(self._directory / ADOPTED_FILE) or {}).get(name)
        if not isinstance(entry, dict):
            return None
        return Adoption(str(entry.get("url", "")), str(entry.get("mark", "")))

    def adopt(self, name: str, adoption: Adoption) -> None:
        """Write down that a person has confirmed a server."""
        path = make_private_folder(self._directory) / ADOPTED_FILE
        write_json(path, {**(read_json(path) or {}), name: asdict(adoption)})

    def forget(self, name: str) -> bool:
        """Take a confirmation back; whether there was one."""
        path = self._directory / ADOPTED_FILE
        entries = read_json(path) or {}
        if name not in entries:
            return False
        del entries[name]
        write_json(path, entries)
        return True
