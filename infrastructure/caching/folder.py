"""The user's folder of things that can be made anew."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import platformdirs

CACHE_VARIABLE: Final = "ALGO_TRADER_CACHE"


def cache_folder(kind: str) -> Path:
    """Return the folder of one kind of things, below ALGO_TRADER_CACHE or the user's cache.

    It need not be there, nor be one that can be written.

    Args:
        kind: Its name.
    """
    named = os.environ.get(CACHE_VARIABLE)
    base = Path(named) if named else platformdirs.user_cache_path("algo_trader")
    return base / kind
