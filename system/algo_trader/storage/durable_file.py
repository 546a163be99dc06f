"""Replace a small private file so that a crash at any point leaves the old content or the new.

Beyond `infrastructure.supervision.files.write_private`, the rename itself is made durable and a
crash leaves at most one temporary file, of a known name, which the next write removes: what is
written here are keys and tokens.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from infrastructure.supervision.files import make_private_folder, told_in_a_sentence

FILE_MODE = 0o600
TEMPORARY_SUFFIX = ".new"


def ignore_step(step: str) -> None:
    """Pass over a step; tests put a crash in its place."""


def replace_durably(path: Path, content: bytes, *, on_step: Callable[[str], None]) -> None:
    """Write a temporary file, fsync, rename, fsync the folder.

    The caller holds the lock that keeps other writers of this path away.

    Args:
        path: The file; its folder is made with mode 0700 if it is missing.
        content: The whole new content.
        on_step: Called after each step with its name.

    Raises:
        DiskFull: If there is no space; the old content stays.
        OperatorError: If the file system refuses; the old content stays.
    """
    temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
    make_private_folder(path.parent)
    with told_in_a_sentence(path):
        temporary.unlink(missing_ok=True)
        on_step("cleared")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        try:
            on_step("created")
            middle = len(content) // 2
            write_all(descriptor, content[:middle])
            on_step("half written")
            write_all(descriptor, content[middle:])
            on_step("written")
            os.fsync(descriptor)
            on_step("synced")
        finally:
            os.close(descriptor)
        temporary.replace(path)
        on_step("renamed")
        sync_folder(path.parent)
        on_step("folder synced")


def make_durable_folder(path: Path) -> Path:
    """Make a folder of mode 0700 with those above it, each new entry on disk, and return it.

    Raises:
        DiskFull: If there is no space left.
        OperatorError: If the file system refuses.
    """
    new = [folder for folder in (path, *path.parents) if not folder.exists()]
    make_private_folder(path)
    with told_in_a_sentence(path, "make the folder"):
        for folder in new:
            sync_folder(folder.parent)
    return path


def write_all(descriptor: int, content: bytes) -> None:
    """Write every byte, however many calls it takes."""
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def sync_folder(folder: Path) -> None:
    """Make a rename or removal in the folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
