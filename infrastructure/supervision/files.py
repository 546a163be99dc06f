"""Small files that are either whole or absent, and readable by their owner only."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from infrastructure.errors import DiskFull, OperatorError


@contextlib.contextmanager
def told_in_a_sentence(path: Path, deed: str = "write") -> Iterator[None]:
    """Turn an OSError about a file into one sentence.

    Args:
        path: The file or folder it is about.
        deed: What was tried, as a verb.

    Raises:
        DiskFull: If there is no space or quota left.
        OperatorError: For any other refusal of the file system.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(
                f"there is no space left to {deed} {path}",
                next_step="Free some space on that disk and run the command again.",
            ) from error
        raise OperatorError(f"cannot {deed} {path}: {error.strerror or error}") from error


def make_private_folder(path: Path) -> Path:
    """Make a folder, each new one on its path with mode 0700, and return it.

    Raises:
        DiskFull: If there is no space left.
        OperatorError: If the file system refuses.
    """
    with told_in_a_sentence(path, "make the folder"):
        for folder in (*reversed(path.parents), path):
            if not folder.is_dir():
                folder.mkdir(mode=0o700, exist_ok=True)
    return path


def write_private(path: Path, content: str) -> None:
    """Replace a file in one step; its mode is 0600 from its first byte.

    Raises:
        DiskFull: If there is no space left; the old file then stays as it was.
        OperatorError: If the file system refuses.
    """
    with told_in_a_sentence(path):
        number, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(number, "w", encoding="utf-8") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(draft).replace(path)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise


def kept_secret(path: Path) -> str:
    """Return the secret in a file of mode 0600; whoever asks first makes it, for all others too.

    Raises:
        DiskFull: If there is no space left.
        OperatorError: If the file system refuses.
    """
    with told_in_a_sentence(path):
        if path.exists():
            path.chmod(0o600)
            found = path.read_text(encoding="utf-8").strip()
            if found:
                return found
            path.unlink()
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        write_private(draft, secrets.token_urlsafe(32) + "\n")
        try:
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)
        finally:
            draft.unlink(missing_ok=True)
        return path.read_text(encoding="utf-8").strip()


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Replace a file by a JSON object, as `write_private` does."""
    write_private(path, json.dumps(values, indent=1, sort_keys=True) + "\n")


def read_json(path: Path) -> dict[str, Any] | None:
    """Return a file's JSON object; None when it is absent or holds no whole object.

    A file of supervision states what some process once said. One that cannot be read says
    nothing, and what it described is looked for by other means, so that is no error.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    except OSError as error:
        raise OperatorError(f"cannot read {path}: {error.strerror}") from error
    return values if isinstance(values, dict) else None
