"""Compile a function with numba while keeping its type."""

from __future__ import annotations

import hashlib
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import numba
from numba.core import config as _numba_config
from numba.core.caching import UserProvidedCacheLocator

from infrastructure.caching import cache_folder

F = TypeVar("F", bound=Callable[..., object])

KEPT: Final = 4
"""Versions of a module whose machine code is kept: several checkouts may take turns."""
_PROCESS: Final = uuid.uuid4().hex[:12]
# Its settings are made when numba starts, where no type checker sees them.
_config: Any = _numba_config
_IMPORT: Final = re.compile(r"^\s*from ((?:infrastructure|system)[\w.]*) import", re.MULTILINE)


def kernel(function: F) -> F:
    """Return the function compiled for one core, without the interpreter's lock.

    The machine code is kept below NUMBA_CACHE_DIR or `cache_folder("kernels")`, in a folder that is
    named by all the source that went into it, wherever that source lies; processes that compile
    the same at once do not get in each other's way. Arithmetic follows IEEE 754: nothing is
    reordered or contracted, which the exactness of the numbers rests on.
    """
    try:
        with _kept_by_source(function):
            compiled = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
        _name_data_by_process(compiled)
        return cast("F", compiled)
    except RuntimeError:
        # No folder for the cache can be written: compile anew in every process.
        return cast("F", numba.njit(nogil=True, error_model="numpy")(function))


class BySource(UserProvidedCacheLocator):
    """Look in the folder that the source names: numba's own ones are named by the file's place."""

    def __init__(self, function: Callable[..., object], file: str) -> None:
        super().__init__(function, file)  # type: ignore[no-untyped-call]
        self._cache_path = _config.CACHE_DIR


def _name_data_by_process(compiled: Any) -> None:
    """Let each process give its files names of its own.

    Numba counts them, so that two processes which compile for different types at once would give
    the same name to different code.
    """
    files = compiled._cache._cache_file
    files._data_name_pattern = f"{files._data_name_pattern.removesuffix('.nbc')}-{_PROCESS}.nbc"


@contextmanager
def _kept_by_source(function: Callable[..., object]) -> Iterator[None]:
    """Let numba keep a function's code beside nothing that older source made.

    Numba looks at the date of the function's own file, and would go on with code into which an
    older version of another file's functions and constants was compiled.
    """
    folder = _folder(function.__module__, function.__code__.co_filename)
    before = _config.CACHE_DIR, _config.CACHE_LOCATOR_CLASSES
    if folder is not None:
        _config.CACHE_DIR = str(folder)
        _config.CACHE_LOCATOR_CLASSES = f"{__name__}.{BySource.__name__}"
    try:
        yield
    finally:
        _config.CACHE_DIR, _config.CACHE_LOCATOR_CLASSES = before


@cache
def _folder(module: str, file: str) -> Path | None:
    """Return the folder of a module's machine code, None where there can be none."""
    if not Path(file).is_file():
        return None
    named = _config.CACHE_DIR
    base = Path(named) if named else cache_folder("kernels")
    mine = base / module
    folder = mine / source_digest(module, Path(file))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Used now: the ones that were not used for longest go.
        folder.touch()
        versions = sorted(mine.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    except OSError:
        return None
    for old in versions[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
    return folder


def source_digest(module: str, file: Path) -> str:
    """Return a digest of a module's source and of all source of ours that it imports.

    Args:
        module: Its dotted name, from which the root of the source is told.
        file: Its file.
    """
    root = file.parents[module.count(".")]
    digest, pending, seen = hashlib.sha256(), [file], {file}
    while pending:
        text = pending.pop().read_text(encoding="utf-8")
        digest.update(text.encode())
        for name in sorted(set(_IMPORT.findall(text))):
            path = root.joinpath(*name.split(".")).with_suffix(".py")
            if path.is_file() and path not in seen:
                seen.add(path)
                pending.append(path)
    return digest.hexdigest()[:24]
