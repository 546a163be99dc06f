"""What a started process tells its starter: where it answers, or why it cannot."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import infrastructure.errors as tree
from infrastructure.errors import StackError
from infrastructure.supervision.endpoint import Endpoint
from infrastructure.supervision.files import read_json, write_json
from infrastructure.supervision.process import start_time


def announce(
    path: Path,
    *,
    url: str,
    product: str,
    version: str,
    ownership_key: str = "",
    secret_file: str = "",
) -> None:
    """Write where this process answers. Call it in the process that will listen.

    Args:
        path: The value of `--endpoint-file`.
        url: Where it answers, without any password or token.
        product: What it says it is.
        version: That product's version.
        ownership_key: The id of the installation it belongs to.
        secret_file: The file of mode 0600 with its password or token.
    """
    write_json(
        path,
        {
            "url": url,
            "pid": os.getpid(),
            "product": product,
            "version": version,
            "ownership_key": ownership_key,
            "secret_file": secret_file,
        },
    )


def announce_failure(path: Path, error: StackError) -> None:
    """Write why this process cannot serve; its starter raises the same error."""
    write_json(path, {"failure": error.as_dict()})


def announced_pid(path: Path) -> int | None:
    """Return the pid that an announcement names, None when there is none."""
    pid = (read_json(path) or {}).get("pid")
    return pid if isinstance(pid, int) and not isinstance(pid, bool) and pid > 0 else None


def announced_endpoint(path: Path, *, pid: int, kept: bool, now_ns: int) -> Endpoint | None:
    """Return the endpoint that a process announced, None when it has not yet.

    Args:
        path: The announcement.
        pid: The process that was started; it may have a child that listens.
        kept: Whether it outlives its starter.
        now_ns: The time of day, nanoseconds UTC.

    Raises:
        StackError: The error that the process announced, of its own class.
    """
    values = read_json(path)
    if values is None:
        return None
    failure = values.get("failure")
    if isinstance(failure, dict):
        raise error_from(failure)
    began = start_time(pid)
    if began is None or not isinstance(values.get("url"), str):
        return None
    return Endpoint(
        url=values["url"],
        pid=pid,
        start_time=began,
        product=str(values.get("product", "")),
        version=str(values.get("version", "")),
        ownership_key=str(values.get("ownership_key", "")),
        kept=kept,
        secret_file=str(values.get("secret_file", "")),
        started_at_ns=now_ns,
    )


def error_from(values: dict[str, Any]) -> StackError:
    """Rebuild an error of the tree from its `as_dict`."""
    kind = getattr(tree, str(values.get("error")), None)
    if not (isinstance(kind, type) and issubclass(kind, StackError)):
        kind = tree.OperatorError
    next_step = values.get("next_step")
    return kind(
        str(values.get("message", "the service did not say why it ended")),
        next_step=None if next_step is None else str(next_step),
    )
