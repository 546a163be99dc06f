"""Who this server is: its product name, versions, and the key that its data folder carries."""

from __future__ import annotations

import hashlib
import os
import secrets
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from infrastructure.influxdb.embedded.catalog import replace_file

PRODUCT = "algo-trader embedded InfluxDB 3"
VERSION = "3.10.1-algo-trader.1"
BUILD = "algo-trader-embedded"
REVISION = "embedded"
KEY_FILE = "ownership.key"


@dataclass(frozen=True, slots=True)
class Identity:
    """One running server.

    Attributes:
        ownership_key: SHA-256 of the data folder's key, which tells our server from a stranger's.
        process_id: A new UUID at each start.
    """

    ownership_key: str
    process_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def ping(self) -> dict[str, str]:
        """Return the body of `/ping`."""
        return {
            "product_name": PRODUCT,
            "version": VERSION,
            "revision": REVISION,
            "process_id": self.process_id,
            "ownership_key": self.ownership_key,
        }


def ownership_key(folder: Path) -> str:
    """Return the public form of a data folder's key; the key is made at the first call.

    Args:
        folder: The data folder.
    """
    path = folder / KEY_FILE
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(path, secrets.token_hex(32).encode())
        os.chmod(path, 0o600)
    return hashlib.sha256(b"algo-trader ownership " + path.read_bytes()).hexdigest()
