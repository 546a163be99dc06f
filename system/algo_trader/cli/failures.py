"""What a verb raised, as an error of our tree."""

from __future__ import annotations

import errno
from typing import Final

from infrastructure.errors import BugError, DiskFull, OperatorError, StackError

_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_REFUSED: Final = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR),
    *(errno.ENAMETOOLONG, errno.ELOOP, errno.EIO),
)


def as_ours(error: Exception) -> StackError:
    """Return the error of our tree that an exception means; a bug where nobody expected it."""
    if isinstance(error, StackError):
        return error
    if isinstance(error, OSError) and error.errno in _FULL:
        return DiskFull(
            f"no space is left on the device ({error.filename or 'unknown file'})",
            next_step="Free some space and run the command again; nothing was stored half.",
        )
    if isinstance(error, OSError) and error.errno in _REFUSED:
        return OperatorError(
            f"{error.filename or 'a file'}: {error.strerror}",
            next_step="Let this user read and write there, or name another folder by --home.",
        )
    return BugError(f"unexpected {type(error).__name__}: {error}")


def is_answer(error: Exception) -> bool:
    """Whether an exception only ends a verb: help, an exit code, a closed pipe."""
    import typer

    ends = (typer.Exit, typer.Abort, BrokenPipeError)
    return isinstance(error, ends) or hasattr(error, "format_message")
