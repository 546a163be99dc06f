"""Keep what the calendar libraries have answered: they load pandas, half a second a command."""

from __future__ import annotations

import contextlib
import hashlib
import os
import uuid
import zipfile
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import numpy as np

from infrastructure.caching import cache_folder

Arrays = Mapping[str, np.ndarray[Any, np.dtype[Any]]]
_LIBRARIES: Final = ("exchange_calendars", "pandas_market_calendars", "pandas", "tzdata")


def kept(question: str, source: Path, answer: Callable[[], Arrays]) -> Arrays:
    """Return the answer to a question, out of a file where it was asked before.

    An answer holds as long as the libraries and the source that asks them are the same. Where no
    file can be read or written it is made anew.

    Args:
        question: Letters, digits, `-` and `_`, with all that the answer depends on.
        source: The file that asks the libraries.
        answer: Makes it: arrays of numbers and dates by name.
    """
    path = cache_folder("calendars") / f"{question}-{_digest(source)}.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        made = answer()
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Whole or not at all, though others do the same at the same time.
        fresh = path.with_suffix(f".{uuid.uuid4().hex[:8]}.tmp")
        try:
            with fresh.open("wb") as written:
                np.savez(written, allow_pickle=False, **made)
            os.replace(fresh, path)
        finally:
            fresh.unlink(missing_ok=True)
    return made


@cache
def _digest(source: Path) -> str:
    parts = [f"{name} {_version(name)}".encode() for name in _LIBRARIES]
    return hashlib.sha256(b"\n".join([*parts, source.read_bytes()])).hexdigest()[:24]


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        # Zones may come from the system.
        return "none"
