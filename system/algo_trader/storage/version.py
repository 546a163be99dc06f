"""The version of the archive's layout, written beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from infrastructure.errors import CorruptStore, StoreNewer
from infrastructure.supervision.files import told_in_a_sentence
from system.algo_trader.storage.durable_file import ignore_step, replace_durably

FORMAT: Final = 3
"""The layout that this software writes; a change that older software would misread raises it.

2: commits may name parts that count no longer.
3: rows of several symbols may share a part.
"""

VERSION_FILE: Final = "version.json"


def check_version(root: Path) -> None:
    """Refuse an archive that newer software wrote; say nothing about one that is not there yet.

    Raises:
        StoreNewer: If its format is above ours.
        CorruptStore: If its version file cannot be understood.
    """
    path = root / VERSION_FILE
    with told_in_a_sentence(path, "read"):
        if not path.exists():
            return
        text = path.read_text(encoding="utf-8")
    found = _format_in(text)
    if found is None:
        raise CorruptStore(
            f"{path} does not say which format the archive has",
            next_step="Restore that file from a backup.",
        )
    if found > FORMAT:
        raise StoreNewer(
            f"the archive {root} has format {found}, written by a newer version; "
            f"this one knows format {FORMAT}",
            next_step="Upgrade algo-trader, or name another folder by ALGO_TRADER_HOME.",
        )


def write_version(root: Path) -> None:
    """Write the version file of a new archive, or of one whose older format ours extends."""
    path = root / VERSION_FILE
    if not path.exists() or _format_in(path.read_text(encoding="utf-8")) != FORMAT:
        text = json.dumps({"format": FORMAT}, indent=1) + "\n"
        replace_durably(path, text.encode(), on_step=ignore_step)


def _format_in(text: str) -> int | None:
    try:
        values = json.loads(text)
    except ValueError:
        return None
    found = values.get("format") if isinstance(values, dict) else None
    return found if isinstance(found, int) and not isinstance(found, bool) else None
