"""What the store refuses, and how a failed disk reads in the error tree."""

from __future__ import annotations

import errno

from infrastructure.errors import DiskFull, InputError, OperatorError


class UnknownDatabase(InputError):
    """Report a database that does not exist."""


class UnknownTable(InputError):
    """Report a table that does not exist."""


class UnknownCache(InputError):
    """Report a cache that does not exist."""


class AlreadyExists(InputError):
    """Report a database or table that exists already."""


def storage_error(error: OSError, task: str, outcome: str) -> OperatorError:
    """Return the error of the tree for a failed write to the data folder."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DiskFull(
            f"could not {task}: {error.strerror or error}; {outcome}",
            next_step="Free space on the data folder's disk and send it again.",
        )
    return OperatorError(
        f"could not {task}: {error.strerror or error}; {outcome}",
        next_step="Check the data folder's disk, then restart the server.",
    )
