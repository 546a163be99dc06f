"""How many bytes the archive may have, kept beside it; a warning comes before it is full."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from infrastructure.errors import CorruptStore, DiskFull, UsageError
from infrastructure.logging import get_logger
from infrastructure.supervision.files import read_json
from system.algo_trader.storage.commit import Part
from system.algo_trader.storage.durable_file import ignore_step, replace_durably

QUOTA_FILE: Final = "quota.json"
WARN_AT: Final = 0.9
_UNITS: Final = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_log = get_logger("archive")


def parse_size(text: str) -> int:
    """Return the bytes of a size such as `20GB` or `500 MB` (powers of ten).

    Raises:
        UsageError: If it is no size.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]B)?", text.strip().upper())
    if match is None or float(match[1]) <= 0:
        raise UsageError(f"{text!r} is no size", next_step="Write it as 500MB, 20GB or 1TB.")
    return round(float(match[1]) * _UNITS[match[2] or ""])


def set_quota(root: Path, quota_bytes: int | None) -> None:
    """Keep the quota of an archive; None takes it away."""
    text = json.dumps({"bytes": quota_bytes}, indent=1) + "\n"
    replace_durably(root / QUOTA_FILE, text.encode(), on_step=ignore_step)


def quota_of(root: Path) -> int | None:
    """Return the quota of an archive in bytes, None when it has none.

    Raises:
        CorruptStore: If its file holds something else.
    """
    path = root / QUOTA_FILE
    if not path.exists():
        return None
    values = read_json(path) or {}
    found = values.get("bytes", 0)
    if found is not None and (not isinstance(found, int) or found <= 0):
        raise CorruptStore(f"{path} holds no quota", next_step="Set it anew: `store quota 20GB`.")
    return found


def check_quota(root: Path, parts: Iterable[Part]) -> None:
    """Warn when the quota is nearly reached.

    Raises:
        DiskFull: If it is reached; what is stored stays readable.
    """
    quota = quota_of(root)
    if quota is None:
        return
    used = sum(part.bytes for part in parts)
    if used >= quota:
        raise DiskFull(
            f"the archive {root} has {used:,} bytes, and its quota is {quota:,}",
            next_step=(
                "Raise it by `algo-trader store quota`, or retire old rows by "
                "`algo-trader store retention --apply`."
            ),
        )
    if used >= WARN_AT * quota:
        _log.warning(
            "the archive %s has used %.0f %% of its quota of %s bytes",
            root,
            100 * used / quota,
            f"{quota:,}",
        )
