"""Load the dashboards that lie beside this module."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent


def load_dashboards(folder: Path = FOLDER) -> list[dict[str, Any]]:
    """Return every dashboard of a folder, ordered by file name."""
    return [json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))]
