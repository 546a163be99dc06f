"""Where a running service answers, and which process it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from infrastructure.supervision.files import read_json, write_json


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A service that has answered its probe.

    Attributes:
        url: Where it answers, without any password or token.
        pid: Its process, which leads a process group of its own.
        start_time: When that process began, as `process.start_time` says it; with the pid it
            names one process for ever.
        product: What it says it is, such as "valkey".
        version: That product's version.
        ownership_key: The id of the installation it belongs to, empty when it has none.
        kept: Whether it outlives the command that started it.
        secret_file: The file of mode 0600 with its password or token, empty when it needs none.
        started_at_ns: When it was ready, nanoseconds UTC.
    """

    url: str
    pid: int
    start_time: str
    product: str
    version: str
    ownership_key: str = ""
    kept: bool = False
    secret_file: str = ""
    started_at_ns: int = 0

    def secret(self) -> str | None:
        """Return the password or token out of its file, None when there is no file."""
        if not self.secret_file:
            return None
        return Path(self.secret_file).read_text(encoding="utf-8").strip()

    def write(self, path: Path) -> None:
        """Replace the endpoint file."""
        write_json(path, asdict(self))

    @staticmethod
    def read(path: Path) -> Endpoint | None:
        """Return what an endpoint file says; None when it is absent or not one of ours."""
        return endpoint_from(read_json(path))


def endpoint_from(values: dict[str, Any] | None) -> Endpoint | None:
    """Build an endpoint out of a JSON object; None when a part is missing or of a wrong type."""
    if values is None:
        return None
    kinds = {"pid": int, "kept": bool, "started_at_ns": int}
    known = {field.name for field in fields(Endpoint)}
    if any(
        not isinstance(value, kinds.get(name, str))
        for name, value in values.items()
        if name in known
    ):
        return None
    try:
        return Endpoint(**{name: value for name, value in values.items() if name in known})
    except TypeError:
        return None
